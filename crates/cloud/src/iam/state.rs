//! Where IAM keeps what it knows.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use emu_core::{Arn, Ids, Settings, Span, Timestamp};

use super::{
    AccessKey, ManagedPolicy, OidcProvider, Role, User, aws_managed, versioned::Versioned,
};
use crate::Cloud;

/// The state of IAM. The lock is held for look-ups and writes only, never while a policy is evaluated.
#[derive(Debug, Default)]
pub struct Iam {
    state: RwLock<State>,
}

/// Roles and users are kept under (account, name in lower case): names are unique without regard to case (docs).
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) roles: BTreeMap<(String, String), Versioned<Role>>,
    pub(super) users: BTreeMap<(String, String), Versioned<User>>,
    /// Unique ids of living roles and users.
    pub(super) ids: HashMap<String, Principal>,
    pub(super) policies: BTreeMap<String, Versioned<ManagedPolicy>>,
    pub(super) providers: BTreeMap<String, Arc<OidcProvider>>,
    pub(super) keys: HashMap<String, Arc<AccessKey>>,
}

/// What a unique id stands for.
#[derive(Clone, Debug)]
pub(super) enum Principal {
    Role { key: (String, String), arn: String },
    User { arn: String },
}

/// The instant of which a reader that learns of changes `delay` late knows.
pub(super) fn horizon(now: Timestamp, delay: Span) -> Timestamp {
    now.checked_sub(delay.get()).unwrap_or(Timestamp::MIN)
}

impl Iam {
    /// An IAM with nothing in it but the policies AWS manages.
    pub fn new(_settings: &Settings, _ids: &Ids) -> Self {
        Self::default()
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything.
    pub fn reset(&self) {
        *self.write() = State::default();
    }

    /// The role as it was last written.
    pub fn role(&self, account: &str, name: &str) -> Option<Arc<Role>> {
        self.read()
            .role(account, name)
            .map(|r| Arc::clone(r.current()))
    }

    /// The role as it was last written.
    pub fn role_by_arn(&self, arn: &str) -> Option<Arc<Role>> {
        self.read()
            .role_by_arn(arn)
            .map(|r| Arc::clone(r.current()))
    }

    /// The living role with this unique id, as it was last written.
    pub fn role_by_id(&self, id: &str) -> Option<Arc<Role>> {
        self.read().role_by_id(id).map(|r| Arc::clone(r.current()))
    }

    /// The role as other services know it: not before `propagation.iam.role`, and with the policies and the trust of
    /// `propagation.iam.policy` ago.
    pub fn visible_role(&self, cloud: &Cloud, arn: &str) -> Option<Arc<Role>> {
        let propagation = &cloud.settings().propagation;
        let now = cloud.now();
        let state = self.read();
        let role = state.role_by_arn(arn)?;
        if role.current().created_at > horizon(now, propagation.iam_role) {
            return None;
        }
        Some(Arc::clone(role.at(horizon(now, propagation.iam_policy))))
    }

    /// The trust policy of a role as other services know it, with principals as ARNs; nothing if they do not know the
    /// role (yet).
    pub fn visible_trust(&self, cloud: &Cloud, arn: &str) -> Option<String> {
        let role = self.visible_role(cloud, arn)?;
        Some(role.trust.printed(self))
    }

    /// The living role with this unique id, with the policies of `propagation.iam.policy` ago.
    pub(crate) fn effective_role(&self, cloud: &Cloud, id: &str) -> Option<Arc<Role>> {
        let at = horizon(cloud.now(), cloud.settings().propagation.iam_policy);
        self.read().role_by_id(id).map(|r| Arc::clone(r.at(at)))
    }

    /// A user, with the policies of `propagation.iam.policy` ago.
    pub(crate) fn effective_user(
        &self,
        cloud: &Cloud,
        account: &str,
        name: &str,
    ) -> Option<Arc<User>> {
        let at = horizon(cloud.now(), cloud.settings().propagation.iam_policy);
        self.read()
            .user(account, name)
            .map(|u| Arc::clone(u.at(at)))
    }

    /// A managed policy as it was `propagation.iam.policy` ago.
    pub(crate) fn effective_policy(&self, cloud: &Cloud, arn: &str) -> Option<Arc<ManagedPolicy>> {
        if let Some(policy) = aws_managed::find(arn) {
            return Some(policy);
        }
        let at = horizon(cloud.now(), cloud.settings().propagation.iam_policy);
        self.read().policies.get(arn).map(|p| Arc::clone(p.at(at)))
    }

    /// Whether a role with this unique id lives.
    pub(crate) fn role_lives(&self, id: &str) -> bool {
        self.read().ids.contains_key(id)
    }

    /// The ARN a unique id stands for, while its bearer lives.
    pub(crate) fn arn_of_id(&self, id: &str) -> Option<String> {
        self.read().ids.get(id).map(|p| p.arn().to_owned())
    }

    /// A long-term access key.
    pub fn access_key(&self, id: &str) -> Option<Arc<AccessKey>> {
        self.read().keys.get(id).cloned()
    }
}

impl Principal {
    fn arn(&self) -> &str {
        match self {
            Self::Role { arn, .. } | Self::User { arn } => arn,
        }
    }
}

impl State {
    pub(super) fn role(&self, account: &str, name: &str) -> Option<&Versioned<Role>> {
        self.roles
            .get(&(account.to_owned(), name.to_ascii_lowercase()))
            .filter(|role| role.current().name == name)
    }

    pub(super) fn user(&self, account: &str, name: &str) -> Option<&Versioned<User>> {
        self.users
            .get(&(account.to_owned(), name.to_ascii_lowercase()))
            .filter(|user| user.current().name == name)
    }

    pub(super) fn role_by_arn(&self, arn: &str) -> Option<&Versioned<Role>> {
        let parsed: Arn = arn.parse().ok()?;
        self.role(&parsed.account, parsed.name())
            .filter(|role| role.current().arn == arn)
    }

    pub(super) fn role_by_id(&self, id: &str) -> Option<&Versioned<Role>> {
        match self.ids.get(id)? {
            Principal::Role { key, .. } => self.roles.get(key),
            Principal::User { .. } => None,
        }
    }

    /// Replaces a role by what `change` makes of it, and gives the new one.
    pub(super) fn change_role(
        &mut self,
        cloud: &Cloud,
        account: &str,
        name: &str,
        change: impl FnOnce(&mut Role),
    ) -> Option<Arc<Role>> {
        let key = (account.to_owned(), name.to_ascii_lowercase());
        let slot = self
            .roles
            .get_mut(&key)
            .filter(|role| role.current().name == name)?;
        Some(Arc::clone(change_slot(cloud, slot, change)))
    }

    /// Replaces a user by what `change` makes of it, and gives the new one.
    pub(super) fn change_user(
        &mut self,
        cloud: &Cloud,
        account: &str,
        name: &str,
        change: impl FnOnce(&mut User),
    ) -> Option<Arc<User>> {
        let key = (account.to_owned(), name.to_ascii_lowercase());
        let slot = self
            .users
            .get_mut(&key)
            .filter(|user| user.current().name == name)?;
        Some(Arc::clone(change_slot(cloud, slot, change)))
    }

    /// Replaces a managed policy by what `change` makes of it.
    pub(super) fn change_policy(
        &mut self,
        cloud: &Cloud,
        arn: &str,
        change: impl FnOnce(&mut ManagedPolicy),
    ) -> bool {
        self.policies
            .get_mut(arn)
            .map(|slot| change_slot(cloud, slot, change))
            .is_some()
    }
}

fn change_slot<'s, T: Clone>(
    cloud: &Cloud,
    slot: &'s mut Versioned<T>,
    change: impl FnOnce(&mut T),
) -> &'s Arc<T> {
    let now = cloud.now();
    let mut value = T::clone(slot.current());
    change(&mut value);
    slot.replace(
        value,
        now,
        horizon(now, cloud.settings().propagation.iam_policy),
    );
    slot.current()
}
