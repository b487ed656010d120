//! Roles.

use std::{collections::BTreeMap, sync::Arc};

use emu_core::{Arn, Timestamp};

use super::{
    EntityKind, Iam, Page, PageRequest, Permissions, Tag, Trust, attach,
    entity::{check_name, check_path},
    state::Principal,
    tags, texts,
    versioned::Versioned,
};
use crate::{Access, Call, Cloud, ServiceError, constraint::Constraints};

/// A role as it stood when it was looked up.
#[derive(Clone, Debug)]
pub struct Role {
    /// The account that owns it.
    pub account: String,
    /// Its name, unique in the account without regard to case.
    pub name: String,
    /// `/`, or `/…/`.
    pub path: String,
    /// `AROA…`.
    pub id: String,
    /// Its ARN, path included.
    pub arn: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// How long a session may last, in seconds.
    pub max_session_seconds: u32,
    /// Who may assume it.
    pub trust: Arc<Trust>,
    /// What its sessions may do.
    pub permissions: Permissions,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// The parameters of CreateRole.
#[derive(Clone, Debug, Default)]
pub struct CreateRole {
    /// The name.
    pub name: String,
    /// The trust policy.
    pub trust: String,
    /// `/` if absent.
    pub path: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// 3600 to 43200 seconds; 3600 if absent.
    pub max_session_seconds: Option<i32>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// The parameters of UpdateRole.
#[derive(Clone, Debug, Default)]
pub struct UpdateRole {
    /// What it is for.
    pub description: Option<String>,
    /// 3600 to 43200 seconds.
    pub max_session_seconds: Option<i32>,
}

/// Model: the default of MaxSessionDuration.
const DEFAULT_MAX_SESSION: i32 = 3_600;

fn check_optional(
    constraints: &mut Constraints,
    description: Option<&str>,
    max_session_seconds: Option<i32>,
) {
    if let Some(description) = description {
        constraints.length("description", description, 0, 1_000);
    }
    if let Some(seconds) = max_session_seconds {
        constraints.range("maxSessionDuration", i64::from(seconds), 3_600, 43_200);
    }
}

impl CreateRole {
    fn check(&self) -> Result<(), ServiceError> {
        let mut constraints = Constraints::iam();
        constraints.length("roleName", &self.name, 1, 64);
        check_optional(
            &mut constraints,
            self.description.as_deref(),
            self.max_session_seconds,
        );
        tags::check_form(&mut constraints, &self.tags);
        constraints.finish()?;
        check_name("roleName", &self.name, 64)?;
        check_path(self.path.as_deref().unwrap_or("/"))?;
        super::document::check_length("assumeRolePolicyDocument", &self.trust)
    }
}

impl Iam {
    /// CreateRole.
    ///
    /// # Errors
    /// If a parameter is not acceptable, the trust policy malformed, the name taken, the quota reached, or the caller may
    /// not.
    pub fn create_role(
        &self,
        cloud: &Cloud,
        call: &Call,
        input: CreateRole,
    ) -> Result<Arc<Role>, ServiceError> {
        self.create_role_with(cloud, call, input, Permissions::default())
    }

    /// CreateRole with policies from the first moment on.
    pub(super) fn create_role_with(
        &self,
        cloud: &Cloud,
        call: &Call,
        input: CreateRole,
        mut permissions: Permissions,
    ) -> Result<Arc<Role>, ServiceError> {
        input.check()?;
        let account = &call.account;
        let path = input.path.unwrap_or_else(|| "/".into());
        let arn = Arn::role(account, &path, &input.name).to_string();
        let mut context = tags::request_context(&input.tags);
        if let Some(boundary) = &input.boundary {
            context.extend(attach::boundary_context(boundary));
        }
        cloud.require(
            call,
            Access {
                action: "iam:CreateRole".into(),
                resource: arn.clone(),
                resource_account: account.clone(),
                context,
                ..Access::default()
            },
        )?;
        tags::check_unique(&input.tags, false)?;
        if let Some(boundary) = input.boundary {
            self.check_boundary(account, &boundary)?;
            permissions.boundary = Some(boundary);
        }
        let key = (account.clone(), input.name.to_ascii_lowercase());
        if self.read().roles.contains_key(&key) {
            return Err(texts::role_exists(&input.name));
        }
        let trust = self.accept_trust(cloud, &input.trust)?;
        let now = cloud.now();
        let role = Role {
            account: account.clone(),
            id: cloud.ids().role(),
            arn,
            description: input.description.filter(|text| !text.is_empty()),
            created_at: now,
            max_session_seconds: input
                .max_session_seconds
                .unwrap_or(DEFAULT_MAX_SESSION)
                .unsigned_abs(),
            trust: Arc::new(trust),
            permissions,
            tags: input.tags,
            name: input.name,
            path,
        };
        let mut state = self.write();
        if state.roles.contains_key(&key) {
            return Err(texts::role_exists(&role.name));
        }
        let most = cloud.settings().quotas.roles;
        if state
            .roles
            .range((account.clone(), String::new())..)
            .take_while(|((a, _), _)| a == account)
            .count()
            >= most
        {
            return Err(texts::quota("RolesPerAccount", most));
        }
        state.ids.insert(
            role.id.clone(),
            Principal::Role {
                key: key.clone(),
                arn: role.arn.clone(),
            },
        );
        let slot = Versioned::new(role, now);
        let role = Arc::clone(slot.current());
        state.roles.insert(key, slot);
        Ok(role)
    }

    /// GetRole.
    ///
    /// # Errors
    /// If the role is unknown, or the caller may not.
    pub fn get_role(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: &str,
    ) -> Result<Arc<Role>, ServiceError> {
        check_name("roleName", name, 64)?;
        self.require_entity(
            cloud,
            call,
            EntityKind::Role,
            name,
            "iam:GetRole".into(),
            BTreeMap::new(),
        )?;
        self.role(&call.account, name)
            .ok_or_else(|| texts::no_role(name))
    }

    /// ListRoles, by name.
    ///
    /// # Errors
    /// If the page is not acceptable, or the caller may not.
    pub fn list_roles(
        &self,
        cloud: &Cloud,
        call: &Call,
        path_prefix: Option<&str>,
        page: &PageRequest,
    ) -> Result<Page<Arc<Role>>, ServiceError> {
        let mut constraints = Constraints::iam();
        page.check(&mut constraints);
        constraints.finish()?;
        let prefix = path_prefix.unwrap_or("/");
        let account = &call.account;
        cloud.require(
            call,
            Access {
                action: "iam:ListRoles".into(),
                resource: Arn::new("iam", "", account, format!("role{prefix}")).to_string(),
                resource_account: account.clone(),
                ..Access::default()
            },
        )?;
        let roles = self
            .read()
            .roles
            .range((account.clone(), String::new())..)
            .take_while(|((a, _), _)| a == account)
            .map(|(_, slot)| Arc::clone(slot.current()))
            .filter(|role| role.path.starts_with(prefix))
            .collect::<Vec<_>>();
        let mut roles = roles;
        roles.sort_by(|a, b| a.name.cmp(&b.name));
        page.cut(roles, |role| &role.name)
    }

    /// UpdateRole.
    ///
    /// # Errors
    /// If a parameter is not acceptable, the role unknown, or the caller may not.
    pub fn update_role(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: &str,
        input: UpdateRole,
    ) -> Result<(), ServiceError> {
        let mut constraints = Constraints::iam();
        check_optional(
            &mut constraints,
            input.description.as_deref(),
            input.max_session_seconds,
        );
        constraints.finish()?;
        self.require_entity(
            cloud,
            call,
            EntityKind::Role,
            name,
            "iam:UpdateRole".into(),
            BTreeMap::new(),
        )?;
        self.write()
            .change_role(cloud, &call.account, name, |role| {
                // Docs: what is left out goes back to its default.
                role.description = input.description.filter(|text| !text.is_empty());
                role.max_session_seconds = input
                    .max_session_seconds
                    .unwrap_or(DEFAULT_MAX_SESSION)
                    .unsigned_abs();
            })
            .map(drop)
            .ok_or_else(|| texts::no_role(name))
    }

    /// UpdateRoleDescription: the older call that sets nothing else.
    ///
    /// # Errors
    /// If the description is too long, the role unknown, or the caller may not.
    pub fn update_role_description(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: &str,
        description: &str,
    ) -> Result<Arc<Role>, ServiceError> {
        let mut constraints = Constraints::iam();
        check_optional(&mut constraints, Some(description), None);
        constraints.finish()?;
        self.require_entity(
            cloud,
            call,
            EntityKind::Role,
            name,
            "iam:UpdateRoleDescription".into(),
            BTreeMap::new(),
        )?;
        self.write()
            .change_role(cloud, &call.account, name, |role| {
                role.description = Some(description.into());
            })
            .ok_or_else(|| texts::no_role(name))
    }

    /// UpdateAssumeRolePolicy.
    ///
    /// # Errors
    /// If the trust policy is malformed or too long, the role unknown, or the caller may not.
    pub fn update_trust(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: &str,
        document: &str,
    ) -> Result<(), ServiceError> {
        super::document::check_length("policyDocument", document)?;
        let action = "iam:UpdateAssumeRolePolicy".to_owned();
        self.require_entity(cloud, call, EntityKind::Role, name, action, BTreeMap::new())?;
        if self.role(&call.account, name).is_none() {
            return Err(texts::no_role(name));
        }
        let trust = Arc::new(self.accept_trust(cloud, document)?);
        self.write()
            .change_role(cloud, &call.account, name, |role| role.trust = trust)
            .map(drop)
            .ok_or_else(|| texts::no_role(name))
    }

    /// DeleteRole. Its policies must go first (docs).
    ///
    /// # Errors
    /// If the role is unknown or still has policies, or the caller may not.
    pub fn delete_role(&self, cloud: &Cloud, call: &Call, name: &str) -> Result<(), ServiceError> {
        check_name("roleName", name, 64)?;
        self.require_entity(
            cloud,
            call,
            EntityKind::Role,
            name,
            "iam:DeleteRole".into(),
            BTreeMap::new(),
        )?;
        let mut state = self.write();
        let role = state
            .role(&call.account, name)
            .ok_or_else(|| texts::no_role(name))?
            .current();
        if !role.permissions.attached.is_empty() {
            return Err(texts::must_detach());
        }
        if !role.permissions.inline.is_empty() {
            return Err(texts::must_delete_policies());
        }
        let id = role.id.clone();
        state.ids.remove(&id);
        state
            .roles
            .remove(&(call.account.clone(), name.to_ascii_lowercase()));
        Ok(())
    }
}
