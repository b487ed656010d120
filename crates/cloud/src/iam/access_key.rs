//! Long-term access keys of users.

use std::{collections::BTreeMap, sync::Arc};

use emu_core::Timestamp;

use super::{EntityKind, Iam, texts};
use crate::{Call, Cloud, ServiceError};

/// Keys a user may have. Snapshot.
const PER_USER: usize = 2;

/// A user's access key. Its secret is shown to its owner once and is never printed.
#[derive(Clone)]
pub struct AccessKey {
    /// `AKIA…`.
    pub id: String,
    /// The secret.
    pub secret: String,
    /// The account.
    pub account: String,
    /// The user.
    pub user_name: String,
    /// The user's unique id.
    pub user_id: String,
    /// The user's ARN.
    pub user_arn: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// Whether it counts: `Active` or `Inactive`.
    pub active: bool,
}

impl std::fmt::Debug for AccessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "AccessKey({}, {})",
            self.id,
            if self.active { "Active" } else { "Inactive" }
        )
    }
}

impl Iam {
    /// CreateAccessKey. Without a name: for the user that calls.
    ///
    /// # Errors
    /// If the user is unknown or has two keys, or the caller may not.
    pub fn create_access_key(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: Option<&str>,
    ) -> Result<Arc<AccessKey>, ServiceError> {
        let name = self.name_or_caller(call, name)?;
        self.require_entity(
            cloud,
            call,
            EntityKind::User,
            &name,
            "iam:CreateAccessKey".into(),
            BTreeMap::new(),
        )?;
        let mut state = self.write();
        let user = Arc::clone(
            state
                .user(&call.account, &name)
                .ok_or_else(|| texts::no_user(&name))?
                .current(),
        );
        if state
            .keys
            .values()
            .filter(|key| key.user_id == user.id)
            .count()
            >= PER_USER
        {
            return Err(texts::quota("AccessKeysPerUser", PER_USER));
        }
        let key = Arc::new(AccessKey {
            id: cloud.ids().long_term_key(&user.account),
            secret: cloud.ids().secret_key(),
            account: user.account.clone(),
            user_name: user.name.clone(),
            user_id: user.id.clone(),
            user_arn: user.arn.clone(),
            created_at: cloud.now(),
            active: true,
        });
        state.keys.insert(key.id.clone(), Arc::clone(&key));
        Ok(key)
    }

    /// ListAccessKeys, oldest first.
    ///
    /// # Errors
    /// If the user is unknown, or the caller may not.
    pub fn list_access_keys(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: Option<&str>,
    ) -> Result<Vec<Arc<AccessKey>>, ServiceError> {
        let name = self.name_or_caller(call, name)?;
        self.require_entity(
            cloud,
            call,
            EntityKind::User,
            &name,
            "iam:ListAccessKeys".into(),
            BTreeMap::new(),
        )?;
        let state = self.read();
        let user = state
            .user(&call.account, &name)
            .ok_or_else(|| texts::no_user(&name))?
            .current();
        let mut keys: Vec<_> = state
            .keys
            .values()
            .filter(|key| key.user_id == user.id)
            .cloned()
            .collect();
        keys.sort_by_key(|key| key.created_at);
        Ok(keys)
    }

    /// GetAccessKeyLastUsed: the user's name.
    ///
    /// # Errors
    /// If the key is unknown in the caller's account, or the caller may not.
    pub fn access_key_owner(
        &self,
        cloud: &Cloud,
        call: &Call,
        id: &str,
    ) -> Result<String, ServiceError> {
        let key = self
            .access_key(id)
            .filter(|key| key.account == call.account);
        let name = key.as_ref().map_or("*", |key| key.user_name.as_str());
        self.require_entity(
            cloud,
            call,
            EntityKind::User,
            name,
            "iam:GetAccessKeyLastUsed".into(),
            BTreeMap::new(),
        )?;
        key.map(|key| key.user_name.clone())
            .ok_or_else(|| texts::no_access_key(id))
    }

    /// UpdateAccessKey.
    ///
    /// # Errors
    /// If the key is unknown, or the caller may not.
    pub fn update_access_key(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: Option<&str>,
        id: &str,
        active: bool,
    ) -> Result<(), ServiceError> {
        self.change_key(
            cloud,
            call,
            name,
            id,
            "iam:UpdateAccessKey",
            |state, key| {
                state.insert(id.into(), Arc::new(AccessKey { active, ..key }));
            },
        )
    }

    /// DeleteAccessKey.
    ///
    /// # Errors
    /// If the key is unknown, or the caller may not.
    pub fn delete_access_key(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: Option<&str>,
        id: &str,
    ) -> Result<(), ServiceError> {
        self.change_key(cloud, call, name, id, "iam:DeleteAccessKey", |state, _| {
            state.remove(id);
        })
    }

    fn change_key(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: Option<&str>,
        id: &str,
        action: &str,
        change: impl FnOnce(&mut std::collections::HashMap<String, Arc<AccessKey>>, AccessKey),
    ) -> Result<(), ServiceError> {
        let name = self.name_or_caller(call, name)?;
        self.require_entity(
            cloud,
            call,
            EntityKind::User,
            &name,
            action.into(),
            BTreeMap::new(),
        )?;
        let mut state = self.write();
        let user_id = state
            .user(&call.account, &name)
            .ok_or_else(|| texts::no_user(&name))?
            .current()
            .id
            .clone();
        let key = state
            .keys
            .get(id)
            .filter(|key| key.user_id == user_id)
            .ok_or_else(|| texts::no_access_key(id))?;
        let key = AccessKey::clone(key);
        change(&mut state.keys, key);
        Ok(())
    }
}
