//! The decision: which layers speak, and whose silence matters.

use std::sync::Arc;

use crate::{
    context::Context,
    document::{Document, DocumentKind},
    principal::{Grant, Principal},
    record,
    statement::{Effect, Statement},
    verdict::{DecidedBy, Decision, Verdict},
};

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Request {
    /// Who asks.
    pub principal: Principal,
    /// `s3:GetObject`; compared without regard to case.
    pub action: String,
    /// An ARN, or `*` where the action has no resource.
    pub resource: String,
    /// The account that owns the resource; for actions without one, the caller's own.
    pub resource_account: String,
    /// Condition keys.
    pub context: Context,
}

/// A document under the name by which explanations call it.
#[derive(Clone, Debug)]
pub struct Policy {
    /// A policy's name or ARN; for a trust policy the role's name, for a bucket policy the bucket's.
    pub id: Arc<str>,
    /// What it says.
    pub document: Arc<Document>,
}

impl Policy {
    /// A policy under a name.
    pub fn new(id: impl Into<Arc<str>>, document: impl Into<Arc<Document>>) -> Self {
        Self {
            id: id.into(),
            document: document.into(),
        }
    }
}

/// Every policy that bears on a request.
#[derive(Clone, Debug, Default)]
pub struct Policies {
    /// The caller's own, inline and attached.
    pub identity: Vec<Policy>,
    /// The caller's permissions boundary.
    pub boundary: Option<Policy>,
    /// Passed with the caller's session; several form a union. Empty: the session is not limited.
    pub session: Vec<Policy>,
    /// The resource's. A [`DocumentKind::Trust`] document is mandatory: without its Allow nothing else counts.
    pub resource: Option<Policy>,
    /// Service control policies of the caller's account, level by level. Empty: no organisation, or its
    /// management account.
    pub scps: Vec<Vec<Policy>>,
    /// Resource control policies of the resource's account, level by level.
    pub rcps: Vec<Vec<Policy>>,
}

/// What one layer says about a request.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    deny: bool,
    allow: Option<Grant>,
}

/// Where a policy hangs, which decides what its `Principal` elements mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reading {
    /// On the caller: it names nobody and speaks of the caller alone.
    OnCaller,
    /// On the resource: only statements that name the caller speak of it.
    OnResource {
        /// The caller has a permissions boundary.
        bounded: bool,
    },
}

impl Reading {
    pub(crate) fn on_resource(policies: &Policies) -> Self {
        Reading::OnResource {
            bounded: policies.boundary.is_some(),
        }
    }
}

/// How closely the statement names the caller; `None` when it does not.
pub(crate) fn named(statement: &Statement, caller: &Principal, reading: Reading) -> Option<Grant> {
    let Reading::OnResource { bounded } = reading else {
        return Some(Grant::Direct);
    };
    // A Deny with NotPrincipal spares nobody who has a permissions boundary (docs).
    let not = statement
        .principals
        .as_ref()
        .is_some_and(|listed| listed.not);
    if bounded && not && statement.effect == Effect::Deny && caller.account().is_some() {
        return Some(Grant::Role);
    }
    statement.grant(caller)
}

/// Does the statement match, and how closely does it name the caller?
pub(crate) fn matching(
    statement: &Statement,
    request: &Request,
    reading: Reading,
) -> Option<Grant> {
    if !statement.covers_action(&request.action) {
        return None;
    }
    let grant = named(statement, &request.principal, reading)?;
    let rest = statement.covers_resource(&request.resource, &request.context)
        && statement.conditions_hold(&request.context);
    rest.then_some(grant)
}

fn listen<'a>(
    policies: impl IntoIterator<Item = &'a Policy>,
    request: &Request,
    reading: Reading,
) -> Voice {
    let mut voice = Voice::default();
    for policy in policies {
        for statement in policy.document.statements() {
            if let Some(grant) = matching(statement, request, reading) {
                match statement.effect {
                    Effect::Deny => voice.deny = true,
                    Effect::Allow => voice.allow = voice.allow.max(Some(grant)),
                }
            }
        }
    }
    voice
}

/// Do organisation policies reach this caller? (docs)
pub(crate) fn under_scps(principal: &Principal) -> bool {
    principal.account().is_some() && !principal.is_service_linked()
}

/// Decides without a record and, in the common case, without allocating.
pub fn evaluate(request: &Request, policies: &Policies) -> (Decision, DecidedBy) {
    let principal = &request.principal;
    let trust = policies
        .resource
        .as_ref()
        .is_some_and(|policy| policy.document.kind() == DocumentKind::Trust);
    let resource_layer = if trust {
        DecidedBy::Trust
    } else {
        DecidedBy::ResourcePolicy
    };
    // Services, web identities and nobody have no policies of their own.
    let has_policies = principal.account().is_some();

    let on_resource = Reading::on_resource(policies);
    let resource = listen(&policies.resource, request, on_resource);
    let (mut identity, mut boundary, mut session) =
        (Voice::default(), Voice::default(), Voice::default());
    if has_policies {
        identity = listen(&policies.identity, request, Reading::OnCaller);
        boundary = listen(&policies.boundary, request, Reading::OnCaller);
        session = listen(&policies.session, request, Reading::OnCaller);
    }

    let mut scp = Voice {
        deny: false,
        allow: Some(Grant::Direct),
    };
    if under_scps(principal) {
        scp = levels(&policies.scps, request, Reading::OnCaller);
    }
    let mut rcp = Voice {
        deny: false,
        allow: Some(Grant::Direct),
    };
    if !principal.is_service_linked() {
        rcp = levels(&policies.rcps, request, on_resource);
    }

    // 1: an explicit deny anywhere; which one AWS names is not documented.
    let denied = [
        (scp, DecidedBy::Scp),
        (rcp, DecidedBy::Rcp),
        (resource, resource_layer),
        (identity, DecidedBy::Permission),
        (boundary, DecidedBy::Boundary),
        (session, DecidedBy::SessionPolicy),
    ]
    .into_iter()
    .find(|(voice, _)| voice.deny);
    if let Some((_, layer)) = denied {
        return (Decision::ExplicitDeny, layer);
    }

    // 3 and 4: every level of the organisations must allow.
    if scp.allow.is_none() {
        return (Decision::ImplicitDeny, DecidedBy::Scp);
    }
    if rcp.allow.is_none() {
        return (Decision::ImplicitDeny, DecidedBy::Rcp);
    }

    let is_root = matches!(principal, Principal::Root { .. });
    let same_account = principal.account() == Some(request.resource_account.as_str());
    let needs_resource = trust || !same_account;
    if needs_resource && resource.allow.is_none() {
        return (Decision::ImplicitDeny, resource_layer);
    }
    // 6: the resource's policy alone decides.
    if !has_policies {
        return (Decision::Allow, resource_layer);
    }
    let granted_by =
        if resource.allow.is_some() && (needs_resource || resource.allow > Some(Grant::Account)) {
            resource_layer
        } else {
            DecidedBy::Permission
        };
    // 2: the root user needs no identity policy; 5a to 5c: what a grant by the resource spares.
    let spared = if same_account { resource.allow } else { None };
    if spared == Some(Grant::Direct) {
        return (Decision::Allow, granted_by);
    }
    if !is_root && spared != Some(Grant::Role) && identity.allow.is_none() {
        return (Decision::ImplicitDeny, DecidedBy::Permission);
    }
    if policies.boundary.is_some() && boundary.allow.is_none() {
        return (Decision::ImplicitDeny, DecidedBy::Boundary);
    }
    if !policies.session.is_empty() && session.allow.is_none() {
        return (Decision::ImplicitDeny, DecidedBy::SessionPolicy);
    }
    (Decision::Allow, granted_by)
}

fn levels(levels: &[Vec<Policy>], request: &Request, reading: Reading) -> Voice {
    let mut all = Voice {
        deny: false,
        allow: Some(Grant::Direct),
    };
    for level in levels {
        let voice = listen(level, request, reading);
        all.deny |= voice.deny;
        all.allow = all.allow.min(voice.allow);
    }
    all
}

/// Decides and records what matched and what nearly did.
pub fn decide(request: &Request, policies: &Policies) -> Verdict {
    let (decision, decided_by) = evaluate(request, policies);
    record::verdict(request, policies, decision, decided_by)
}
