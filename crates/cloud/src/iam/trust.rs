//! Trust policies: their principals are bound to the entities that bore the names when the policy was written.

use std::sync::Arc;

use emu_core::{Arn, Timestamp};
use emu_policy::{Document, DocumentKind, NamedPrincipal, PrincipalType};

use super::{
    Iam, document, service_principals,
    state::{State, horizon},
    texts,
};
use crate::{Cloud, ServiceError};

/// A trust policy with its principals resolved.
///
/// Docs, snapshots: a role or user named by ARN is stored as its unique id and printed as ARN while it lives, as `AROA…` or
/// `AIDA…` afterwards; another of the same name does not inherit the trust.
#[derive(Clone, Debug)]
pub struct Trust(Arc<Document>);

impl Trust {
    /// The text as it was given.
    pub fn text(&self) -> &str {
        self.0.text()
    }

    /// The policy as the policy engine takes it.
    pub fn document(&self) -> &Arc<Document> {
        &self.0
    }

    /// The text as IAM prints it now.
    pub fn printed(&self, iam: &Iam) -> String {
        self.0.text_with_principals(|principal| {
            let id = id_of(principal)?;
            match (iam.arn_of_id(id), principal.id.is_some()) {
                (None, true) => Some(id.to_owned()),
                (Some(arn), false) => Some(arn),
                _ => None,
            }
        })
    }
}

/// The unique id a principal was bound to or given as.
fn id_of(principal: &NamedPrincipal) -> Option<&str> {
    let given = principal.kind == PrincipalType::Aws && is_unique_id(&principal.value);
    principal
        .id
        .as_deref()
        .or(given.then_some(principal.value.as_str()))
}

fn is_unique_id(text: &str) -> bool {
    text.starts_with("AROA") || text.starts_with("AIDA")
}

impl Iam {
    /// Checks a trust policy and binds its principals.
    pub(super) fn accept_trust(&self, cloud: &Cloud, text: &str) -> Result<Trust, ServiceError> {
        let parsed = document::parse(text, DocumentKind::Trust)?;
        let settings = cloud.settings();
        let seen = horizon(cloud.now(), settings.propagation.iam_role);
        let state = self.read();
        for principal in parsed.principals() {
            let known = match principal.kind {
                PrincipalType::Aws => match principal.role_or_user_arn() {
                    Some(arn) => id_of_arn(&state, arn, seen).is_some(),
                    None => {
                        !is_unique_id(&principal.value) || state.ids.contains_key(&principal.value)
                    }
                },
                PrincipalType::Service => service_principals::is_known(&principal.value),
                _ => true,
            };
            if !known {
                return Err(texts::malformed(principal.invalid_text())
                    .because(format!("there is no {}", principal.value)));
            }
        }
        let most = settings.quotas.trust_policy_characters;
        if parsed.size() > most {
            return Err(texts::quota("ACLSizePerRole", most));
        }
        Ok(Trust(Arc::new(
            parsed.pin_principals(|arn| id_of_arn(&state, arn, seen)),
        )))
    }
}

/// The unique id of a role or user, once it is known everywhere.
fn id_of_arn(state: &State, text: &str, seen: Timestamp) -> Option<String> {
    let arn: Arn = text.parse().ok()?;
    if arn.resource.starts_with("role/") {
        let role = state.role_by_arn(text)?.current();
        return (role.created_at <= seen).then(|| role.id.clone());
    }
    let user = state.user(&arn.account, arn.name())?.current();
    (user.arn == text && user.created_at <= seen).then(|| user.id.clone())
}
