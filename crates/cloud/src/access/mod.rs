//! May this caller do this? The one way from a call to the policy engine.

mod bearer;
mod context;
mod parsed;
mod refusal;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use emu_core::journal::CallerKind;
use emu_policy::{Decision, DocumentKind, Policies, Policy, Request, Verdict, decide, evaluate};

use crate::{Call, Cloud, ServiceError, iam::Role};

pub(crate) use parsed::Parsed;
pub(crate) use refusal::in_words;

/// What is to be done to what. Everything the caller carries is added from the [`crate::Call`].
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// The IAM action, such as `s3:ListBucket`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// The account that owns the resource; if empty, the caller's.
    pub resource_account: String,
    /// Context keys of this request beyond the global ones: `s3:prefix`, `aws:RequestTag/…`, `iam:PassedToService`.
    pub context: BTreeMap<String, Vec<String>>,
    /// Tags of the resource: `aws:ResourceTag/…`.
    pub resource_tags: BTreeMap<String, String>,
    /// The resource's own policy, as text, with the name to show for it.
    pub resource_policy: Option<(String, String)>,
}

/// Whether a text may serve as a session policy.
///
/// # Errors
/// What is wrong with it, and where.
pub fn check_session_policy(text: &str) -> Result<(), String> {
    emu_policy::Document::parse(text, DocumentKind::Session)
        .map(drop)
        .map_err(|error| error.developer_text())
}

impl Cloud {
    /// Asks the policy engine, with all the caller's present policies.
    ///
    /// # Errors
    /// The verdict, if it is not to allow.
    // Either way it is the same value, and callers look at it at once.
    #[allow(clippy::result_large_err)]
    pub fn authorize(&self, call: &Call, access: Access) -> Result<Verdict, Verdict> {
        let resource = self.resource_policy(&access);
        let (request, policies) = self.question(call, &access, resource);
        let verdict = decide(&request, &policies);
        if verdict.is_allowed() {
            Ok(verdict)
        } else {
            Err(verdict)
        }
    }

    /// As [`Cloud::authorize`], with the answer AWS gives.
    ///
    /// # Errors
    /// `AccessDenied` or `AccessDeniedException`, worded as the service words it, with the verdict attached.
    pub fn require(&self, call: &Call, access: Access) -> Result<(), ServiceError> {
        refusal::session_token(call, &access)?;
        // Nobody records why something was allowed: the short way decides, the long one explains refusals.
        let resource = self.resource_policy(&access);
        let (request, policies) = self.question(call, &access, resource);
        match evaluate(&request, &policies) {
            (Decision::Allow, _) => Ok(()),
            _ => Err(refusal::refuse(call, &access, &decide(&request, &policies))),
        }
    }

    /// Asks whether a trust policy lets the caller do one of the assume actions.
    pub(crate) fn evaluate_trust(&self, call: &Call, access: &Access, role: &Role) -> Verdict {
        let trust = Policy::new(role.name.as_str(), Arc::clone(role.trust.document()));
        let (request, policies) = self.question(call, access, Some(trust));
        decide(&request, &policies)
    }

    fn resource_policy(&self, access: &Access) -> Option<Policy> {
        let (name, text) = access.resource_policy.as_ref()?;
        Some(Policy::new(
            name.as_str(),
            self.parsed.get(DocumentKind::Resource, text)?,
        ))
    }

    fn question(
        &self,
        call: &Call,
        access: &Access,
        resource: Option<Policy>,
    ) -> (Request, Policies) {
        let bearer = self.bearer(&call.identity);
        let own = &call.identity.caller.account;
        let account = if access.resource_account.is_empty() {
            own
        } else {
            &access.resource_account
        };
        let request = Request {
            principal: context::principal(&call.identity, bearer.user_arn),
            action: access.action.clone(),
            resource: access.resource.clone(),
            resource_account: account.clone(),
            context: context::context(self, call, access, &bearer.tags),
        };
        let policies = Policies {
            identity: bearer.identity,
            boundary: bearer.boundary,
            session: bearer.session,
            resource,
            ..Policies::default()
        };
        (request, policies)
    }
}

/// Root and users by their own keys, and sessions that GetSessionToken made of them.
fn is_long_term_kind(kind: CallerKind) -> bool {
    matches!(kind, CallerKind::Root | CallerKind::User)
}
