//! What a caller brings along: the policies that bear on it now, and its own tags.

use std::sync::{Arc, LazyLock};

use emu_core::journal::CallerKind;
use emu_policy::{Document, DocumentKind, Policy};

use crate::{
    Cloud, Identity,
    iam::{Permissions, Tag},
};

/// The policies and tags of a caller at this moment.
#[derive(Default)]
pub(super) struct Bearer {
    pub(super) identity: Vec<Policy>,
    pub(super) boundary: Option<Policy>,
    pub(super) session: Vec<Policy>,
    /// Tags of the role or user.
    pub(super) tags: Vec<Tag>,
    /// For federated users: the ARN of the user that asked for the session.
    pub(super) user_arn: Option<String>,
}

/// What root hands on to a federated user that it names no policy for: everything, within the session's policies.
static EVERYTHING: LazyLock<Option<Arc<Document>>> = LazyLock::new(|| {
    let text =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"*","Resource":"*"}]}"#;
    Document::parse(text, DocumentKind::Identity)
        .ok()
        .map(Arc::new)
});

impl Cloud {
    /// Looks everything up; no lock is held afterwards.
    pub(super) fn bearer(&self, identity: &Identity) -> Bearer {
        let mut bearer = Bearer::default();
        match (identity.caller.kind, &identity.role_id, &identity.user_name) {
            (_, Some(id), _) => {
                if let Some(role) = self.iam.effective_role(self, id) {
                    self.permissions(&mut bearer, &role.permissions);
                    bearer.tags.clone_from(&role.tags);
                }
            }
            (CallerKind::User | CallerKind::FederatedUser, None, Some(name)) => {
                if let Some(user) = self
                    .iam
                    .effective_user(self, &identity.caller.account, name)
                {
                    self.permissions(&mut bearer, &user.permissions);
                    bearer.tags.clone_from(&user.tags);
                    bearer.user_arn = Some(user.arn.clone());
                }
            }
            (CallerKind::FederatedUser, None, None) => {
                bearer.identity.extend(
                    EVERYTHING
                        .clone()
                        .map(|document| Policy::new("root", document)),
                );
            }
            _ => {}
        }
        self.session_policies(&mut bearer, identity);
        bearer
    }

    fn permissions(&self, bearer: &mut Bearer, permissions: &Permissions) {
        bearer
            .identity
            .reserve(permissions.inline.len() + permissions.attached.len());
        bearer.identity.extend(
            permissions
                .inline
                .iter()
                .map(|(name, document)| Policy::new(name.as_str(), Arc::clone(document))),
        );
        bearer.identity.extend(
            permissions
                .attached
                .iter()
                .filter_map(|arn| self.managed(arn)),
        );
        bearer.boundary = permissions
            .boundary
            .as_deref()
            .and_then(|arn| self.managed(arn));
    }

    fn managed(&self, arn: &str) -> Option<Policy> {
        let policy = self.iam.effective_policy(self, arn)?;
        Some(Policy::new(arn, Arc::clone(policy.document()?)))
    }

    fn session_policies(&self, bearer: &mut Bearer, identity: &Identity) {
        let inline = "session policy";
        if !identity.session_policies.is_empty() {
            let kept = identity
                .caller
                .access_key_id
                .as_deref()
                .and_then(|key| self.sts.session(key));
            match kept {
                Some(kept) => bearer.session.extend(
                    kept.policies
                        .iter()
                        .map(|d| Policy::new(inline, Arc::clone(d))),
                ),
                None => bearer
                    .session
                    .extend(identity.session_policies.iter().filter_map(|text| {
                        Some(Policy::new(
                            inline,
                            self.parsed.get(DocumentKind::Session, text)?,
                        ))
                    })),
            }
        }
        bearer.session.extend(
            identity
                .session_policy_arns
                .iter()
                .filter_map(|arn| self.managed(arn)),
        );
        // Docs: without session policies a federated user may do nothing but what resources grant it.
        if identity.caller.kind == CallerKind::FederatedUser && bearer.session.is_empty() {
            bearer.identity.clear();
        }
    }
}
