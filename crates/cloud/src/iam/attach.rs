//! Attaching managed policies to roles and users, and setting boundaries.

use std::collections::BTreeMap;

use emu_core::Arn;

use super::{EntityKind, Iam, Page, PageRequest, aws_managed, texts};
use crate::{Call, Cloud, ServiceError, constraint::Constraints};

/// Managed policies a user may have (docs).
const PER_USER: usize = 10;

impl Iam {
    /// AttachRolePolicy, AttachUserPolicy. Attaching twice is no error (snapshot).
    ///
    /// # Errors
    /// If entity or policy are unknown, too many are attached, or the caller may not.
    pub fn attach_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        entity: &str,
        arn: &str,
    ) -> Result<(), ServiceError> {
        check_policy_arn(arn)?;
        self.require_entity(
            cloud,
            call,
            kind,
            entity,
            format!("iam:Attach{}Policy", kind.title()),
            policy_arn(arn),
        )?;
        let mut state = self.write();
        let (permissions, ..) = state
            .entity(kind, &call.account, entity)
            .ok_or_else(|| kind.unknown(entity))?;
        let known = aws_managed::find(arn).is_some()
            || (state.policies.contains_key(arn) && account_of(arn) == call.account);
        if !known {
            return Err(texts::not_attachable(arn));
        }
        if permissions.attached.iter().any(|a| a == arn) {
            return Ok(());
        }
        let (quota, most) = match kind {
            EntityKind::Role => (
                "PoliciesPerRole",
                cloud.settings().quotas.managed_policies_per_role,
            ),
            EntityKind::User => ("PoliciesPerUser", PER_USER),
        };
        if permissions.attached.len() >= most {
            return Err(texts::quota(quota, most));
        }
        state.change_entity(cloud, kind, &call.account, entity, |permissions, _| {
            permissions.attached.push(arn.into());
        })
    }

    /// DetachRolePolicy, DetachUserPolicy.
    ///
    /// # Errors
    /// If the entity is unknown, the policy is not attached, or the caller may not.
    pub fn detach_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        entity: &str,
        arn: &str,
    ) -> Result<(), ServiceError> {
        check_policy_arn(arn)?;
        self.require_entity(
            cloud,
            call,
            kind,
            entity,
            format!("iam:Detach{}Policy", kind.title()),
            policy_arn(arn),
        )?;
        let mut state = self.write();
        let (permissions, ..) = state
            .entity(kind, &call.account, entity)
            .ok_or_else(|| kind.unknown(entity))?;
        if !permissions.attached.iter().any(|a| a == arn) {
            return Err(texts::no_policy(arn));
        }
        state.change_entity(cloud, kind, &call.account, entity, |permissions, _| {
            permissions.attached.retain(|a| a != arn);
        })
    }

    /// ListAttachedRolePolicies, ListAttachedUserPolicies: names and ARNs.
    ///
    /// # Errors
    /// If the entity is unknown, or the caller may not.
    pub fn attached_policies(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        entity: &str,
        page: &PageRequest,
    ) -> Result<Page<(String, String)>, ServiceError> {
        let mut constraints = Constraints::iam();
        page.check(&mut constraints);
        constraints.finish()?;
        let action = format!("iam:ListAttached{}Policies", kind.title());
        self.require_entity(cloud, call, kind, entity, action, BTreeMap::new())?;
        let state = self.read();
        let (permissions, ..) = state
            .entity(kind, &call.account, entity)
            .ok_or_else(|| kind.unknown(entity))?;
        let mut attached: Vec<(String, String)> = permissions
            .attached
            .iter()
            .map(|arn| {
                (
                    arn.rsplit('/').next().unwrap_or(arn).to_owned(),
                    arn.clone(),
                )
            })
            .collect();
        attached.sort();
        page.cut(attached, |(name, _)| name)
    }

    /// PutRolePermissionsBoundary, PutUserPermissionsBoundary; without an ARN: DeleteRolePermissionsBoundary, ….
    ///
    /// # Errors
    /// If entity or policy are unknown, or the caller may not.
    pub fn set_boundary(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        entity: &str,
        arn: Option<&str>,
    ) -> Result<(), ServiceError> {
        let verb = if arn.is_some() { "Put" } else { "Delete" };
        let context = arn.map(boundary_context).unwrap_or_default();
        let action = format!("iam:{verb}{}PermissionsBoundary", kind.title());
        self.require_entity(cloud, call, kind, entity, action, context)?;
        if self.read().entity(kind, &call.account, entity).is_none() {
            return Err(kind.unknown(entity));
        }
        if let Some(arn) = arn {
            self.check_boundary(&call.account, arn)?;
        }
        self.write()
            .change_entity(cloud, kind, &call.account, entity, |permissions, _| {
                permissions.boundary = arn.map(str::to_owned);
            })
    }

    /// A boundary must be a managed policy of the account or of AWS.
    pub(super) fn check_boundary(&self, account: &str, arn: &str) -> Result<(), ServiceError> {
        match arn.parse::<Arn>() {
            Ok(parsed) if parsed.service == "iam" && parsed.resource.starts_with("policy/") => {}
            _ => return Err(texts::boundary_arn(arn)),
        }
        let known = aws_managed::find(arn).is_some()
            || (account_of(arn) == account && self.read().policies.contains_key(arn));
        if known {
            Ok(())
        } else {
            Err(texts::no_boundary(arn))
        }
    }
}

/// `iam:PermissionsBoundary`.
pub(super) fn boundary_context(arn: &str) -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([("iam:PermissionsBoundary".to_owned(), vec![arn.to_owned()])])
}

fn policy_arn(arn: &str) -> BTreeMap<String, Vec<String>> {
    BTreeMap::from([("iam:PolicyARN".to_owned(), vec![arn.to_owned()])])
}

fn account_of(arn: &str) -> String {
    arn.parse::<Arn>()
        .map(|arn| arn.account)
        .unwrap_or_default()
}

/// Model: 20 to 2048 characters. The text for what is no policy ARN: snapshot.
pub(super) fn check_policy_arn(arn: &str) -> Result<(), ServiceError> {
    let mut constraints = Constraints::iam();
    constraints.length("policyArn", arn, 20, 2_048);
    constraints.finish()?;
    match arn.parse::<Arn>() {
        Ok(parsed) if parsed.service == "iam" && parsed.resource.starts_with("policy/") => Ok(()),
        _ => Err(texts::policy_arn(arn)),
    }
}
