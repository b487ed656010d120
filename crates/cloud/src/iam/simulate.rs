//! SimulatePrincipalPolicy: what a role or user may do, asked of the same policy engine (F.7 of the reference).
//!
//! Docs, thread: trust policies are not looked at, a resource's policy only if it is given, session policies not at all.

use std::{collections::BTreeSet, sync::Arc};

use emu_core::Arn;
use emu_policy::{
    Context, ContextValue, DecidedBy, Decision, DocumentKind, Effect, Policies, Policy, Principal,
    Request, Verdict, decide,
};

use super::{EntityKind, Iam, Permissions, document, texts};
use crate::{Access, Call, Cloud, ServiceError, constraint::Constraints};

/// The parameters of SimulatePrincipalPolicy.
#[derive(Clone, Debug, Default)]
pub struct Simulation {
    /// The role or user.
    pub source_arn: String,
    /// What it would do.
    pub actions: Vec<String>,
    /// To what; `*` if there is none.
    pub resources: Vec<String>,
    /// Identity policies it would have beside its own.
    pub policies: Vec<String>,
    /// Boundaries instead of its own.
    pub boundaries: Vec<String>,
    /// The resource's policy.
    pub resource_policy: Option<String>,
    /// The account of the resource, as an ARN of its root or twelve digits.
    pub resource_owner: Option<String>,
    /// Condition keys: name and values.
    pub context: Vec<(String, Vec<String>)>,
}

/// What came out for one action on one resource, or on all of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    /// The action.
    pub action: String,
    /// The resource.
    pub resource: String,
    /// `allowed`, `implicitDeny` or `explicitDeny`.
    pub decision: &'static str,
    /// The statements that matched.
    pub matched: Vec<MatchedStatement>,
    /// Condition keys the policies ask for and nobody gave.
    pub missing: Vec<String>,
    /// What the boundary said, if there is one.
    pub boundary_allows: Option<bool>,
    /// With several resources: each by itself.
    pub by_resource: Vec<Simulated>,
}

/// A statement that matched, with its place in the policy's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MatchedStatement {
    /// The policy's name or ARN.
    pub policy: String,
    /// Line and column of its beginning.
    pub start: (usize, usize),
    /// Line and column of its end.
    pub end: (usize, usize),
}

impl Iam {
    /// SimulatePrincipalPolicy.
    ///
    /// # Errors
    /// If a parameter is not acceptable, the source unknown, or the caller may not.
    pub fn simulate(
        &self,
        cloud: &Cloud,
        call: &Call,
        input: Simulation,
    ) -> Result<Vec<Simulated>, ServiceError> {
        let mut constraints = Constraints::iam();
        constraints.length("policySourceArn", &input.source_arn, 20, 2_048);
        for (n, action) in input.actions.iter().enumerate() {
            constraints.length(&format!("actionNames.{}.member", n + 1), action, 3, 128);
        }
        constraints.finish()?;
        cloud.require(
            call,
            Access {
                action: "iam:SimulatePrincipalPolicy".into(),
                resource: input.source_arn.clone(),
                resource_account: call.account.clone(),
                ..Access::default()
            },
        )?;
        let (principal, policies) = self.source(call, &input)?;
        let resources = if input.resources.is_empty() {
            vec!["*".to_owned()]
        } else {
            input.resources
        };
        let owner = input.resource_owner.as_deref().map(|owner| {
            owner
                .parse::<Arn>()
                .map_or(owner.to_owned(), |arn| arn.account)
        });
        let context: Context = input
            .context
            .into_iter()
            .map(|(name, mut values)| {
                let one = values.len() == 1;
                let value = if one {
                    ContextValue::One(values.remove(0))
                } else {
                    ContextValue::Many(values)
                };
                (name, value)
            })
            .collect();
        let missing = missing_keys(&policies, &context);
        let one = |action: &str, resource: &str| {
            let request = Request {
                principal: principal.clone(),
                action: action.into(),
                resource: resource.into(),
                resource_account: owner.clone().unwrap_or_else(|| call.account.clone()),
                context: context.clone(),
            };
            simulated(&decide(&request, &policies), &policies, &missing)
        };
        Ok(input
            .actions
            .iter()
            .map(|action| match resources.as_slice() {
                [resource] => one(action, resource),
                several => together(
                    several
                        .iter()
                        .map(|resource| one(action, resource))
                        .collect(),
                ),
            })
            .collect())
    }

    /// The role or user as a principal, with its policies and those of the request.
    fn source(
        &self,
        call: &Call,
        input: &Simulation,
    ) -> Result<(Principal, Policies), ServiceError> {
        let text = &input.source_arn;
        let arn: Arn = text.parse().map_err(|_| texts::bad_source(text))?;
        if arn.account != call.account {
            return Err(texts::bad_source(text));
        }
        let (principal, permissions) = match arn.kind_and_rest() {
            Some(("role", _)) => {
                let role = self
                    .role_by_arn(text)
                    .ok_or_else(|| EntityKind::Role.unknown(arn.name()))?;
                let principal = Principal::RoleSession {
                    role_arn: role.arn.clone(),
                    role_id: role.id.clone(),
                    session_arn: role.arn.clone(),
                };
                (principal, role.permissions.clone())
            }
            Some(("user", _)) => {
                let user = self
                    .user(&arn.account, arn.name())
                    .ok_or_else(|| EntityKind::User.unknown(arn.name()))?;
                (
                    Principal::User {
                        arn: user.arn.clone(),
                        id: user.id.clone(),
                    },
                    user.permissions.clone(),
                )
            }
            _ => return Err(texts::bad_source(text)),
        };
        Ok((principal, self.given(&permissions, input)?))
    }

    fn given(
        &self,
        permissions: &Permissions,
        input: &Simulation,
    ) -> Result<Policies, ServiceError> {
        let managed = |arn: &String| {
            Some(Policy::new(
                arn.as_str(),
                Arc::clone(self.policy(arn)?.document()?),
            ))
        };
        let parsed = |name: String, text: &String, kind| {
            Ok::<_, ServiceError>(Policy::new(name, document::parse(text, kind)?))
        };
        let mut identity: Vec<Policy> = permissions
            .inline
            .iter()
            .map(|(name, d)| Policy::new(name.as_str(), Arc::clone(d)))
            .collect();
        identity.extend(permissions.attached.iter().filter_map(managed));
        for (n, text) in input.policies.iter().enumerate() {
            identity.push(parsed(
                format!("PolicyInputList.{}", n + 1),
                text,
                DocumentKind::Inline,
            )?);
        }
        let boundary = match input.boundaries.first() {
            Some(text) => Some(parsed(
                "PermissionsBoundaryPolicyInputList.1".into(),
                text,
                DocumentKind::Boundary,
            )?),
            None => permissions.boundary.as_ref().and_then(managed),
        };
        let resource = match &input.resource_policy {
            Some(text) => Some(parsed(
                "ResourcePolicy".into(),
                text,
                DocumentKind::Resource,
            )?),
            None => None,
        };
        Ok(Policies {
            identity,
            boundary,
            resource,
            ..Policies::default()
        })
    }
}

fn simulated(verdict: &Verdict, policies: &Policies, missing: &[String]) -> Simulated {
    let wanted = if verdict.decision == Decision::ExplicitDeny {
        Effect::Deny
    } else {
        Effect::Allow
    };
    let matched = verdict
        .layers
        .iter()
        .flat_map(|layer| &layer.matched)
        .filter(|matched| matched.effect == wanted)
        .filter_map(|matched| {
            let all = policies
                .identity
                .iter()
                .chain(&policies.boundary)
                .chain(&policies.resource);
            let policy = all
                .into_iter()
                .find(|policy| *policy.id == *matched.policy)?;
            let (start, end) = policy.document.statement_place(matched.statement)?;
            Some(MatchedStatement {
                policy: matched.policy.clone(),
                start: (start.line, start.column),
                end: (end.line, end.column),
            })
        })
        .collect();
    Simulated {
        action: verdict.action.clone(),
        resource: verdict.resource.clone(),
        decision: word(verdict.decision),
        matched,
        missing: missing.to_vec(),
        boundary_allows: verdict
            .layer(DecidedBy::Boundary)
            .map(|layer| layer.decision == Decision::Allow),
        by_resource: Vec::new(),
    }
}

/// Docs: one result for each action; with several resources each also by itself.
fn together(by_resource: Vec<Simulated>) -> Simulated {
    let has = |decision: Decision| by_resource.iter().any(|one| one.decision == word(decision));
    let worst = [Decision::ExplicitDeny, Decision::ImplicitDeny]
        .into_iter()
        .find(|d| has(*d))
        .unwrap_or(Decision::Allow);
    let first = &by_resource[0];
    let mut matched: Vec<MatchedStatement> = Vec::new();
    for statement in by_resource
        .iter()
        .filter(|one| one.decision == word(worst))
        .flat_map(|one| &one.matched)
    {
        if !matched.contains(statement) {
            matched.push(statement.clone());
        }
    }
    Simulated {
        action: first.action.clone(),
        resource: first.resource.clone(),
        decision: word(worst),
        matched,
        missing: first.missing.clone(),
        boundary_allows: first.boundary_allows,
        by_resource,
    }
}

const fn word(decision: Decision) -> &'static str {
    match decision {
        Decision::Allow => "allowed",
        Decision::ImplicitDeny => "implicitDeny",
        Decision::ExplicitDeny => "explicitDeny",
    }
}

/// Condition keys and variables of the policies that the context does not have.
fn missing_keys(policies: &Policies, context: &Context) -> Vec<String> {
    let mut keys = BTreeSet::new();
    for policy in policies
        .identity
        .iter()
        .chain(&policies.boundary)
        .chain(&policies.resource)
    {
        let Ok(value) = serde_json::from_str::<serde_json::Value>(policy.document.text()) else {
            continue;
        };
        let statements = match &value["Statement"] {
            serde_json::Value::Array(list) => list.iter().collect(),
            one => vec![one],
        };
        for operator in statements
            .iter()
            .filter_map(|s| s["Condition"].as_object())
            .flat_map(|c| c.values())
        {
            keys.extend(
                operator
                    .as_object()
                    .into_iter()
                    .flatten()
                    .map(|(key, _)| key.clone()),
            );
        }
        for variable in policy
            .document
            .text()
            .split("${")
            .skip(1)
            .filter_map(|rest| rest.split('}').next())
        {
            let key = variable.split(',').next().unwrap_or_default().trim();
            if !matches!(key, "*" | "?" | "$" | "") {
                keys.insert(key.to_owned());
            }
        }
    }
    keys.into_iter()
        .filter(|key| context.get(key).is_none())
        .collect()
}
