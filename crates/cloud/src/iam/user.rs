//! Users: as much of them as outside clients need to call the fake as somebody.

use std::{collections::BTreeMap, sync::Arc};

use emu_core::{Arn, Timestamp};

use super::{
    EntityKind, Iam, Page, PageRequest, Permissions, Tag, attach,
    entity::{check_name, check_path},
    state::Principal,
    tags, texts,
    versioned::Versioned,
};
use crate::{Access, Call, Cloud, ServiceError, constraint::Constraints};

/// A user as it stood when it was looked up.
#[derive(Clone, Debug)]
pub struct User {
    /// The account that owns it.
    pub account: String,
    /// Its name, unique in the account without regard to case.
    pub name: String,
    /// `/`, or `/…/`.
    pub path: String,
    /// `AIDA…`.
    pub id: String,
    /// Its ARN, path included.
    pub arn: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// What it may do.
    pub permissions: Permissions,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// The parameters of CreateUser.
#[derive(Clone, Debug, Default)]
pub struct CreateUser {
    /// The name.
    pub name: String,
    /// `/` if absent.
    pub path: Option<String>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

impl Iam {
    /// A user as it was last written.
    pub fn user(&self, account: &str, name: &str) -> Option<Arc<User>> {
        self.read()
            .user(account, name)
            .map(|u| Arc::clone(u.current()))
    }

    /// CreateUser.
    ///
    /// # Errors
    /// If a parameter is not acceptable, the name taken, or the caller may not.
    pub fn create_user(
        &self,
        cloud: &Cloud,
        call: &Call,
        input: CreateUser,
    ) -> Result<Arc<User>, ServiceError> {
        let mut constraints = Constraints::iam();
        constraints.length("userName", &input.name, 1, 64);
        tags::check_form(&mut constraints, &input.tags);
        constraints.finish()?;
        check_name("userName", &input.name, 64)?;
        let path = input.path.unwrap_or_else(|| "/".into());
        check_path(&path)?;
        let account = &call.account;
        let arn = Arn::new("iam", "", account, format!("user{path}{}", input.name)).to_string();
        let mut context = tags::request_context(&input.tags);
        if let Some(boundary) = &input.boundary {
            context.extend(attach::boundary_context(boundary));
        }
        cloud.require(
            call,
            Access {
                action: "iam:CreateUser".into(),
                resource: arn.clone(),
                resource_account: account.clone(),
                context,
                ..Access::default()
            },
        )?;
        tags::check_unique(&input.tags, false)?;
        if let Some(boundary) = &input.boundary {
            self.check_boundary(account, boundary)?;
        }
        let now = cloud.now();
        let key = (account.clone(), input.name.to_ascii_lowercase());
        let mut state = self.write();
        if state.users.contains_key(&key) {
            return Err(texts::user_exists(&input.name));
        }
        let user = User {
            account: account.clone(),
            id: cloud.ids().user(),
            arn: arn.clone(),
            created_at: now,
            permissions: Permissions {
                boundary: input.boundary,
                ..Permissions::default()
            },
            tags: input.tags,
            name: input.name,
            path,
        };
        state.ids.insert(user.id.clone(), Principal::User { arn });
        let slot = Versioned::new(user, now);
        let user = Arc::clone(slot.current());
        state.users.insert(key, slot);
        Ok(user)
    }

    /// GetUser. Without a name: the user that calls.
    ///
    /// # Errors
    /// If the user is unknown, the caller is no user and names none, or the caller may not.
    pub fn get_user(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: Option<&str>,
    ) -> Result<Arc<User>, ServiceError> {
        let name = self.name_or_caller(call, name)?;
        self.require_entity(
            cloud,
            call,
            EntityKind::User,
            &name,
            "iam:GetUser".into(),
            BTreeMap::new(),
        )?;
        self.user(&call.account, &name)
            .ok_or_else(|| texts::no_user(&name))
    }

    pub(super) fn name_or_caller(
        &self,
        call: &Call,
        name: Option<&str>,
    ) -> Result<String, ServiceError> {
        let name = name
            .or(call.identity.user_name.as_deref())
            .ok_or_else(texts::user_name_needed)?;
        check_name("userName", name, 128)?;
        Ok(name.to_owned())
    }

    /// ListUsers, by name.
    ///
    /// # Errors
    /// If the page is not acceptable, or the caller may not.
    pub fn list_users(
        &self,
        cloud: &Cloud,
        call: &Call,
        path_prefix: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Arc<User>>, ServiceError> {
        let mut constraints = Constraints::iam();
        page.check(&mut constraints);
        constraints.finish()?;
        let prefix = path_prefix.unwrap_or("/");
        let account = &call.account;
        cloud.require(
            call,
            Access {
                action: "iam:ListUsers".into(),
                resource: Arn::new("iam", "", account, format!("user{prefix}")).to_string(),
                resource_account: account.clone(),
                ..Access::default()
            },
        )?;
        let mut users: Vec<_> = self
            .read()
            .users
            .iter()
            .filter(|((a, _), slot)| a == account && slot.current().path.starts_with(prefix))
            .map(|(_, slot)| Arc::clone(slot.current()))
            .collect();
        users.sort_by(|a, b| a.name.cmp(&b.name));
        page.cut(users, |user| &user.name)
    }

    /// DeleteUser. Its policies and keys must go first (docs).
    ///
    /// # Errors
    /// If the user is unknown or still has policies or keys, or the caller may not.
    pub fn delete_user(&self, cloud: &Cloud, call: &Call, name: &str) -> Result<(), ServiceError> {
        check_name("userName", name, 128)?;
        self.require_entity(
            cloud,
            call,
            EntityKind::User,
            name,
            "iam:DeleteUser".into(),
            BTreeMap::new(),
        )?;
        let mut state = self.write();
        let user = state
            .user(&call.account, name)
            .ok_or_else(|| texts::no_user(name))?
            .current();
        if !user.permissions.attached.is_empty() {
            return Err(texts::must_detach());
        }
        if !user.permissions.inline.is_empty() {
            return Err(texts::must_delete_policies());
        }
        if state
            .keys
            .values()
            .any(|key| key.account == call.account && key.user_name == name)
        {
            return Err(texts::must_remove_references());
        }
        let id = user.id.clone();
        state.ids.remove(&id);
        state
            .users
            .remove(&(call.account.clone(), name.to_ascii_lowercase()));
        Ok(())
    }
}
