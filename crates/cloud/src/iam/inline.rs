//! Inline policies of roles and users.

use std::{collections::BTreeMap, sync::Arc};

use emu_core::Settings;
use emu_policy::DocumentKind;

use super::{Document, EntityKind, Iam, Page, PageRequest, document, entity::check_name, texts};
use crate::{Call, Cloud, ServiceError, constraint::Constraints};

/// Characters of all inline policies of a user together (docs).
const USER_CHARACTERS: usize = 2_048;

impl Iam {
    /// PutRolePolicy, PutUserPolicy: adds or replaces.
    ///
    /// # Errors
    /// If the entity is unknown, the document malformed or too long, or the caller may not.
    pub fn put_inline_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        entity: &str,
        policy: &str,
        text: &str,
    ) -> Result<(), ServiceError> {
        check_name("policyName", policy, 128)?;
        document::check_length("policyDocument", text)?;
        self.require_entity(
            cloud,
            call,
            kind,
            entity,
            format!("iam:Put{}Policy", kind.title()),
            BTreeMap::new(),
        )?;
        // From another emulator: an unknown role wins over a malformed document.
        if self.read().entity(kind, &call.account, entity).is_none() {
            return Err(kind.unknown(entity));
        }
        let document = Arc::new(document::parse(text, DocumentKind::Inline)?);
        let mut state = self.write();
        let (permissions, ..) = state
            .entity(kind, &call.account, entity)
            .ok_or_else(|| kind.unknown(entity))?;
        let others = permissions
            .inline
            .iter()
            .filter(|(name, _)| *name != policy);
        let size: usize = others.map(|(_, d)| d.size()).sum::<usize>() + document.size();
        check_size(&cloud.settings(), kind, entity, size)?;
        state.change_entity(cloud, kind, &call.account, entity, |permissions, _| {
            permissions.inline.insert(policy.into(), document);
        })
    }

    /// GetRolePolicy, GetUserPolicy.
    ///
    /// # Errors
    /// If entity or policy are unknown, or the caller may not.
    pub fn inline_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        entity: &str,
        policy: &str,
    ) -> Result<Arc<Document>, ServiceError> {
        self.require_entity(
            cloud,
            call,
            kind,
            entity,
            format!("iam:Get{}Policy", kind.title()),
            BTreeMap::new(),
        )?;
        let state = self.read();
        let (permissions, ..) = state
            .entity(kind, &call.account, entity)
            .ok_or_else(|| kind.unknown(entity))?;
        let document = permissions.inline.get(policy);
        document
            .cloned()
            .ok_or_else(|| texts::no_inline_policy(kind.word(), policy))
    }

    /// DeleteRolePolicy, DeleteUserPolicy. A second time is an error (model).
    ///
    /// # Errors
    /// If entity or policy are unknown, or the caller may not.
    pub fn delete_inline_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        entity: &str,
        policy: &str,
    ) -> Result<(), ServiceError> {
        self.require_entity(
            cloud,
            call,
            kind,
            entity,
            format!("iam:Delete{}Policy", kind.title()),
            BTreeMap::new(),
        )?;
        let mut state = self.write();
        let (permissions, ..) = state
            .entity(kind, &call.account, entity)
            .ok_or_else(|| kind.unknown(entity))?;
        if !permissions.inline.contains_key(policy) {
            return Err(texts::no_inline_policy(kind.word(), policy));
        }
        state.change_entity(cloud, kind, &call.account, entity, |permissions, _| {
            permissions.inline.remove(policy);
        })
    }

    /// ListRolePolicies, ListUserPolicies: the names.
    ///
    /// # Errors
    /// If the entity is unknown, or the caller may not.
    pub fn inline_policies(
        &self,
        cloud: &Cloud,
        call: &Call,
        kind: EntityKind,
        entity: &str,
        page: &PageRequest,
    ) -> Result<Page<String>, ServiceError> {
        let mut constraints = Constraints::iam();
        page.check(&mut constraints);
        constraints.finish()?;
        self.require_entity(
            cloud,
            call,
            kind,
            entity,
            format!("iam:List{}Policies", kind.title()),
            BTreeMap::new(),
        )?;
        let state = self.read();
        let (permissions, ..) = state
            .entity(kind, &call.account, entity)
            .ok_or_else(|| kind.unknown(entity))?;
        page.cut(permissions.inline.keys().cloned().collect(), String::as_str)
    }
}

/// Docs: all inline policies of an entity together, white space not counted.
pub(super) fn check_size(
    settings: &Settings,
    kind: EntityKind,
    entity: &str,
    size: usize,
) -> Result<(), ServiceError> {
    let most = match kind {
        EntityKind::Role => settings.quotas.inline_policy_characters,
        EntityKind::User => USER_CHARACTERS,
    };
    if size > most {
        Err(texts::inline_size(kind.word(), entity, most))
    } else {
        Ok(())
    }
}
