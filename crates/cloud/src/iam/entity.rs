//! What roles and users have in common: policies, a boundary, tags.

use std::{collections::BTreeMap, sync::Arc};

use emu_core::Arn;

use super::{Document, Iam, Tag, state::State, tags, texts};
use crate::{
    Access, Call, Cloud, ServiceError,
    constraint::{Constraints, name_character},
};

/// What kind of entity a policy is put on or attached to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EntityKind {
    /// A role.
    Role,
    /// A user.
    User,
}

/// The policies of a role or a user.
#[derive(Clone, Debug, Default)]
pub struct Permissions {
    /// Inline policies by name.
    pub inline: BTreeMap<String, Arc<Document>>,
    /// ARNs of attached managed policies, in the order of attaching.
    pub attached: Vec<String>,
    /// The ARN of the managed policy that bounds all others.
    pub boundary: Option<String>,
}

impl EntityKind {
    /// `role`, `user`.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Role => "role",
            Self::User => "user",
        }
    }

    /// `Role`, `User`: as in names of calls.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Role => "Role",
            Self::User => "User",
        }
    }

    /// The member that names the entity, as constraint messages spell it.
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Role => "roleName",
            Self::User => "userName",
        }
    }

    pub(super) fn unknown(self, name: &str) -> ServiceError {
        match self {
            Self::Role => texts::no_role(name),
            Self::User => texts::no_user(name),
        }
    }
}

/// Model: 1 to 64 (or 128) characters of `[\w+=,.@-]`. The characters' text: thread.
pub(super) fn check_name(member: &str, name: &str, most: usize) -> Result<(), ServiceError> {
    let mut constraints = Constraints::iam();
    constraints.length(member, name, 1, most);
    constraints.finish()?;
    if name.chars().all(name_character) {
        Ok(())
    } else {
        Err(texts::bad_name(member))
    }
}

/// Model: `/`, or printable ASCII between slashes, at most 512. The text: thread.
pub(super) fn check_path(path: &str) -> Result<(), ServiceError> {
    let fine = path == "/"
        || (path.len() > 2
            && path.starts_with('/')
            && path.ends_with('/')
            && path.bytes().all(|b| (b'!'..=b'~').contains(&b)));
    if !fine {
        return Err(texts::bad_path());
    }
    let mut constraints = Constraints::iam();
    constraints.length("path", path, 1, 512);
    constraints.finish()
}

impl State {
    /// The policies, tags and ARN of an entity as they were last written.
    pub(super) fn entity(
        &self,
        kind: EntityKind,
        account: &str,
        name: &str,
    ) -> Option<(&Permissions, &[Tag], &str)> {
        match kind {
            EntityKind::Role => {
                let role = self.role(account, name)?.current();
                Some((&role.permissions, &role.tags, &role.arn))
            }
            EntityKind::User => {
                let user = self.user(account, name)?.current();
                Some((&user.permissions, &user.tags, &user.arn))
            }
        }
    }

    /// Changes the policies and tags of an entity.
    pub(super) fn change_entity(
        &mut self,
        cloud: &Cloud,
        kind: EntityKind,
        account: &str,
        name: &str,
        change: impl FnOnce(&mut Permissions, &mut Vec<Tag>),
    ) -> Result<(), ServiceError> {
        let known = match kind {
            EntityKind::Role => self
                .change_role(cloud, account, name, |role| {
                    change(&mut role.permissions, &mut role.tags);
                })
                .is_some(),
            EntityKind::User => self
                .change_user(cloud, account, name, |user| {
                    change(&mut user.permissions, &mut user.tags);
                })
                .is_some(),
        };
        if known {
            Ok(())
        } else {
            Err(kind.unknown(name))
        }
    }
}

impl Iam {
    /// Asks whether the caller may do `action` on an entity, which need not exist.
    pub(super) fn require_entity(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        name: &str,
        action: String,
        context: BTreeMap<String, Vec<String>>,
    ) -> Result<(), ServiceError> {
        let (resource, resource_tags) = match self.read().entity(kind, &call.account, name) {
            Some((_, tags, arn)) => (arn.to_owned(), tags.iter().cloned().collect()),
            None => (
                Arn::new("iam", "", &call.account, format!("{}/{name}", kind.word())).to_string(),
                BTreeMap::new(),
            ),
        };
        cloud.require(
            call,
            Access {
                action,
                resource,
                resource_account: call.account.clone(),
                context,
                resource_tags,
                ..Access::default()
            },
        )
    }

    /// TagRole, TagUser.
    ///
    /// # Errors
    /// If the tags are not acceptable or too many, the entity is unknown, or the caller may not.
    pub fn tag(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        name: &str,
        new: Vec<Tag>,
    ) -> Result<(), ServiceError> {
        let mut constraints = Constraints::iam();
        constraints.length(kind.member(), name, 1, 128);
        tags::check_form(&mut constraints, &new);
        constraints.finish()?;
        let action = format!("iam:Tag{}", kind.title());
        self.require_entity(cloud, call, kind, name, action, tags::request_context(&new))?;
        tags::check_unique(&new, false)?;
        let mut state = self.write();
        let kept = state
            .entity(kind, &call.account, name)
            .ok_or_else(|| kind.unknown(name))?
            .1;
        if tags::count_with(kept, &new) > 50 {
            return Err(texts::too_many_tags());
        }
        state.change_entity(cloud, kind, &call.account, name, |_, kept| {
            tags::add(kept, new);
        })
    }

    /// UntagRole, UntagUser. Keys that are not there are no error (snapshot).
    ///
    /// # Errors
    /// If the entity is unknown, or the caller may not.
    pub fn untag(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        name: &str,
        keys: &[String],
    ) -> Result<(), ServiceError> {
        let mut constraints = Constraints::iam();
        constraints.length(kind.member(), name, 1, 128);
        tags::check_keys(&mut constraints, keys);
        constraints.finish()?;
        let context = BTreeMap::from([("aws:TagKeys".to_owned(), keys.to_vec())]);
        self.require_entity(
            cloud,
            call,
            kind,
            name,
            format!("iam:Untag{}", kind.title()),
            context,
        )?;
        self.write()
            .change_entity(cloud, kind, &call.account, name, |_, kept| {
                kept.retain(|(key, _)| {
                    !keys.iter().any(|k| k.to_lowercase() == key.to_lowercase())
                });
            })
    }

    /// ListRoleTags, ListUserTags.
    ///
    /// # Errors
    /// If the entity is unknown, or the caller may not.
    pub fn tags(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        name: &str,
    ) -> Result<Vec<Tag>, ServiceError> {
        self.require_entity(
            cloud,
            call,
            kind,
            name,
            format!("iam:List{}Tags", kind.title()),
            BTreeMap::new(),
        )?;
        let state = self.read();
        let (_, tags, _) = state
            .entity(kind, &call.account, name)
            .ok_or_else(|| kind.unknown(name))?;
        Ok(tags.to_vec())
    }
}
