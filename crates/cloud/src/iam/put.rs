//! The short way for programs: a role with all that belongs to it, in one step.

use std::{collections::BTreeMap, sync::Arc};

use emu_policy::DocumentKind;

use super::{
    CreateRole, EntityKind, Iam, Permissions, Role, Tag, document, entity::check_name, inline,
    texts,
};
use crate::{Call, Cloud, ServiceError};

/// A role as a scenario or a test describes it.
#[derive(Clone, Debug, Default)]
pub struct NewRole {
    /// The name.
    pub name: String,
    /// `/` if absent.
    pub path: Option<String>,
    /// The trust policy.
    pub trust: String,
    /// Inline policies: names and documents.
    pub inline: Vec<(String, String)>,
    /// ARNs of managed policies to attach.
    pub managed: Vec<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// 3600 to 43200 seconds; 3600 if absent.
    pub max_session_seconds: Option<i32>,
    /// The ARN of the permissions boundary.
    pub boundary: Option<String>,
}

impl Iam {
    /// Creates a role, or gives an existing one of that name these policies, this trust and these tags. Everything is
    /// checked as in the calls of the API. A new role has its policies from the first moment on; changes of an existing one
    /// are seen after `propagation.iam.policy`.
    ///
    /// # Errors
    /// As CreateRole, PutRolePolicy and AttachRolePolicy.
    pub fn put_role(
        &self,
        cloud: &Cloud,
        account: &str,
        new: NewRole,
    ) -> Result<Arc<Role>, ServiceError> {
        let call = Call::administrator(cloud, account);
        let mut inline = BTreeMap::new();
        for (name, text) in new.inline {
            check_name("policyName", &name, 128)?;
            document::check_length("policyDocument", &text)?;
            inline.insert(
                name,
                Arc::new(document::parse(&text, DocumentKind::Inline)?),
            );
        }
        let size = inline.values().map(|d| d.size()).sum();
        inline::check_size(&cloud.settings(), EntityKind::Role, &new.name, size)?;
        for arn in &new.managed {
            super::attach::check_policy_arn(arn)?;
            if self.policy(arn).is_none() {
                return Err(texts::not_attachable(arn));
            }
        }
        let most = cloud.settings().quotas.managed_policies_per_role;
        if new.managed.len() > most {
            return Err(texts::quota("PoliciesPerRole", most));
        }
        let permissions = Permissions {
            inline,
            attached: new.managed,
            boundary: None,
        };
        if self.role(account, &new.name).is_none() {
            let input = CreateRole {
                name: new.name,
                trust: new.trust,
                path: new.path,
                description: None,
                max_session_seconds: new.max_session_seconds,
                boundary: new.boundary,
                tags: new.tags,
            };
            return self.create_role_with(cloud, &call, input, permissions);
        }
        super::tags::check_unique(&new.tags, false)?;
        if let Some(boundary) = &new.boundary {
            self.check_boundary(account, boundary)?;
        }
        let trust = Arc::new(self.accept_trust(cloud, &new.trust)?);
        self.write()
            .change_role(cloud, account, &new.name, |role| {
                role.trust = trust;
                role.permissions = Permissions {
                    boundary: new.boundary,
                    ..permissions
                };
                role.tags = new.tags;
                if let Some(seconds) = new.max_session_seconds {
                    role.max_session_seconds = seconds.unsigned_abs();
                }
            })
            .ok_or_else(|| texts::no_role(&new.name))
    }

    /// Removes a role with its policies. Nothing happens if there is none.
    pub fn remove_role(&self, account: &str, name: &str) {
        let mut state = self.write();
        let Some(id) = state
            .role(account, name)
            .map(|role| role.current().id.clone())
        else {
            return;
        };
        state.ids.remove(&id);
        state
            .roles
            .remove(&(account.to_owned(), name.to_ascii_lowercase()));
    }
}
