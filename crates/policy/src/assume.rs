//! What the assume family of calls needs to be allowed, and in which order it is asked.

use crate::{
    decide::{Policies, Request, decide},
    verdict::Verdict,
};

/// Which call assumes the role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AssumeKind {
    /// `sts:AssumeRole`, by a user, a session or a service.
    AssumeRole,
    /// `sts:AssumeRoleWithWebIdentity`.
    WebIdentity,
    /// `sts:AssumeRoleWithSAML`.
    Saml,
}

impl AssumeKind {
    /// The action's name.
    pub fn action(self) -> &'static str {
        match self {
            AssumeKind::AssumeRole => "sts:AssumeRole",
            AssumeKind::WebIdentity => "sts:AssumeRoleWithWebIdentity",
            AssumeKind::Saml => "sts:AssumeRoleWithSAML",
        }
    }
}

/// The actions that must all be allowed, in the order in which a refusal names them: the extra permissions
/// come first (recorded for source identities, thread for tags; their order among each other is inferred).
///
/// `source_identity` and `tags` say whether one was passed or inherited.
pub fn assume_actions(
    kind: AssumeKind,
    source_identity: bool,
    tags: bool,
) -> impl Iterator<Item = &'static str> {
    let extra = [
        source_identity.then_some("sts:SetSourceIdentity"),
        tags.then_some("sts:TagSession"),
        Some(kind.action()),
    ];
    extra.into_iter().flatten()
}

/// Decides one action after the other on the same request and stops at the first refusal.
///
/// Returns every verdict made; the last one is the outcome. `actions` must not be empty, or nothing is returned.
pub fn decide_all<'a>(
    mut request: Request,
    policies: &Policies,
    actions: impl IntoIterator<Item = &'a str>,
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for action in actions {
        request.action = action.to_owned();
        let verdict = decide(&request, policies);
        let refused = !verdict.is_allowed();
        verdicts.push(verdict);
        if refused {
            break;
        }
    }
    verdicts
}
