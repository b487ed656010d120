//! The record of a decision: statements that matched, and those that came close.

use crate::{
    decide::{Policies, Policy, Reading, Request, matching, named, under_scps},
    document::DocumentKind,
    statement::{Effect, Statement},
    verdict::{
        ConditionTrace, DecidedBy, Decision, Failure, LayerRecord, Matched, NearMiss, Verdict,
    },
};

/// At most so many near misses a layer.
const NEAR_MISSES: usize = 8;

pub(crate) fn verdict(
    request: &Request,
    policies: &Policies,
    decision: Decision,
    decided_by: DecidedBy,
) -> Verdict {
    let on_resource = Reading::on_resource(policies);
    let mut layers = Vec::new();
    let mut warnings = Vec::new();
    let mut add = |layer, policies: &mut dyn Iterator<Item = &Policy>, levels| {
        let record = layer_record(layer, on_resource, policies, levels, request, &mut warnings);
        layers.push(record);
    };
    if let Some(policy) = &policies.resource {
        let trust = policy.document.kind() == DocumentKind::Trust;
        let layer = if trust {
            DecidedBy::Trust
        } else {
            DecidedBy::ResourcePolicy
        };
        add(layer, &mut std::iter::once(policy), &[]);
    }
    if request.principal.account().is_some() {
        add(DecidedBy::Permission, &mut policies.identity.iter(), &[]);
        if policies.boundary.is_some() {
            add(DecidedBy::Boundary, &mut policies.boundary.iter(), &[]);
        }
        if !policies.session.is_empty() {
            add(DecidedBy::SessionPolicy, &mut policies.session.iter(), &[]);
        }
    }
    if under_scps(&request.principal) && !policies.scps.is_empty() {
        add(
            DecidedBy::Scp,
            &mut policies.scps.iter().flatten(),
            &policies.scps,
        );
    }
    if !request.principal.is_service_linked() && !policies.rcps.is_empty() {
        add(
            DecidedBy::Rcp,
            &mut policies.rcps.iter().flatten(),
            &policies.rcps,
        );
    }
    Verdict {
        decision,
        decided_by,
        principal: request.principal.name(),
        action: request.action.clone(),
        resource: request.resource.clone(),
        layers,
        warnings,
    }
}

fn layer_record(
    layer: DecidedBy,
    on_resource: Reading,
    policies: &mut dyn Iterator<Item = &Policy>,
    levels: &[Vec<Policy>],
    request: &Request,
    warnings: &mut Vec<String>,
) -> LayerRecord {
    let reading = match layer {
        DecidedBy::Trust | DecidedBy::ResourcePolicy | DecidedBy::Rcp => on_resource,
        _ => Reading::OnCaller,
    };
    let mut record = LayerRecord {
        layer,
        decision: Decision::ImplicitDeny,
        policies: Vec::new(),
        matched: Vec::new(),
        near_misses: Vec::new(),
    };
    let mut close = Vec::new();
    for policy in policies {
        record.policies.push(policy.id.to_string());
        for statement in policy.document.statements() {
            let trace = |undefined: bool| {
                let conditions = statement.conditions.iter();
                conditions
                    .filter(|condition| !undefined || condition.is_undefined(&request.context))
                    .map(|condition| trace(condition, request))
                    .collect::<Vec<_>>()
            };
            if matching(statement, request, reading).is_some() {
                for condition in trace(true) {
                    warnings.push(format!(
                        "{}: {} compares the multivalued key {} without ForAllValues or ForAnyValue; AWS does not define the outcome",
                        policy.id, condition.operator, condition.key
                    ));
                }
                record.matched.push(Matched {
                    policy: policy.id.to_string(),
                    statement: statement.index,
                    sid: statement.sid.as_deref().map(str::to_owned),
                    effect: statement.effect,
                    conditions: trace(false),
                });
            } else if let Some(miss) = near_miss(statement, policy, request, reading) {
                close.push(miss);
            }
        }
    }
    let allows = |matched: &Matched| matched.effect == Effect::Allow;
    record.decision = if record
        .matched
        .iter()
        .any(|matched| matched.effect == Effect::Deny)
    {
        Decision::ExplicitDeny
    } else if levels.is_empty() && record.matched.iter().any(allows)
        || all_levels_allow(levels, request, reading)
    {
        Decision::Allow
    } else {
        Decision::ImplicitDeny
    };
    record.near_misses = nearest(close);
    record
}

fn all_levels_allow(levels: &[Vec<Policy>], request: &Request, reading: Reading) -> bool {
    !levels.is_empty()
        && levels.iter().all(|level| {
            level
                .iter()
                .flat_map(|policy| policy.document.statements())
                .any(|statement| {
                    statement.effect == Effect::Allow
                        && matching(statement, request, reading).is_some()
                })
        })
}

/// A miss with its distance, the number of kinds of part that failed, and whether it speaks of the service.
struct Scored {
    distance: usize,
    kinds: usize,
    miss: NearMiss,
}

fn near_miss(
    statement: &Statement,
    policy: &Policy,
    request: &Request,
    reading: Reading,
) -> Option<Scored> {
    let mut failures = Vec::new();
    let (mut distance, mut kinds) = (0, 0);
    if named(statement, &request.principal, reading).is_none() {
        // The heaviest part: a statement for someone else is hardly meant for this caller.
        distance += 8;
        kinds += 1;
        failures.push(Failure::Principal {
            named: statement
                .principals
                .iter()
                .flat_map(|listed| listed.entries.iter().map(|entry| entry.described()))
                .collect(),
            caller: request.principal.described(),
            not: statement
                .principals
                .as_ref()
                .is_some_and(|listed| listed.not),
        });
    }
    if !statement.covers_action(&request.action) {
        // An identity policy full of other services is no near miss.
        if reading == Reading::OnCaller
            && !statement.actions.not
            && !speaks_of_service(statement, &request.action)
        {
            return None;
        }
        distance += 4;
        kinds += 1;
        failures.push(Failure::Action {
            listed: statement
                .actions
                .entries
                .iter()
                .map(|entry| entry.text.to_string())
                .collect(),
            not: statement.actions.not,
        });
    }
    if !statement.covers_resource(&request.resource, &request.context) {
        distance += 2;
        kinds += 1;
        failures.push(Failure::Resource {
            listed: statement
                .resources
                .iter()
                .flat_map(|listed| listed.entries.iter().map(|entry| entry.text.to_string()))
                .collect(),
            not: statement
                .resources
                .as_ref()
                .is_some_and(|listed| listed.not),
        });
    }
    let failed: Vec<_> = statement
        .conditions
        .iter()
        .filter(|condition| !condition.holds(&request.context))
        .collect();
    if !failed.is_empty() {
        distance += 1;
        kinds += 1;
        failures.extend(
            failed
                .into_iter()
                .map(|condition| Failure::Condition(trace(condition, request))),
        );
    }
    Some(Scored {
        distance,
        kinds,
        miss: NearMiss {
            policy: policy.id.to_string(),
            statement: statement.index,
            sid: statement.sid.as_deref().map(str::to_owned),
            effect: statement.effect,
            failures,
        },
    })
}

fn speaks_of_service(statement: &Statement, action: &str) -> bool {
    let service = action.split(':').next().unwrap_or(action);
    statement.actions.entries.iter().any(|entry| {
        entry
            .text
            .split(':')
            .next()
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(service))
    })
}

/// The statements that failed on one part; where none did, the closest three.
fn nearest(mut close: Vec<Scored>) -> Vec<NearMiss> {
    close.sort_by_key(|scored| scored.distance);
    let of_allow = |scored: &&Scored| scored.kinds == 1 && scored.miss.effect == Effect::Allow;
    let alone = close.iter().any(|scored| of_allow(&scored));
    let mut spare = 3;
    close
        .into_iter()
        .filter(|scored| {
            if scored.kinds == 1 {
                return true;
            }
            // Of several failed parts, only statements that would have helped are worth a word.
            let keep = !alone && scored.miss.effect == Effect::Allow && spare > 0;
            spare -= usize::from(keep);
            keep
        })
        .take(NEAR_MISSES)
        .map(|scored| scored.miss)
        .collect()
}

fn trace(condition: &crate::condition::Condition, request: &Request) -> ConditionTrace {
    ConditionTrace {
        operator: condition.operator_name.to_string(),
        key: condition.key.to_string(),
        wanted: condition.values.to_vec(),
        request: condition.carried(&request.context).cloned(),
    }
}
