//! A verdict in words: AWS's suffix, and ours.

use std::fmt;

use crate::{
    context::ContextValue,
    statement::Effect,
    verdict::{
        ConditionTrace, DecidedBy, Decision, Failure, LayerRecord, Matched, NearMiss, Verdict,
    },
};

/// At most so many statements in one explanation.
const STATEMENTS: usize = 3;

impl Verdict {
    /// AWS's reason, appended to `User: ... is not authorized to perform: ...` (docs); empty when allowed.
    pub fn reason_text(&self) -> String {
        let explicit = match self.decided_by {
            DecidedBy::Trust => "with an explicit deny in the role trust policy",
            DecidedBy::Permission => "with an explicit deny in an identity-based policy",
            DecidedBy::Boundary => "with an explicit deny in a permissions boundary",
            DecidedBy::SessionPolicy => "with an explicit deny in a session policy",
            DecidedBy::ResourcePolicy => "with an explicit deny in a resource-based policy",
            DecidedBy::Scp => "with an explicit deny in a service control policy",
            DecidedBy::Rcp => "with an explicit deny in a resource control policy",
        };
        let silent = match self.decided_by {
            DecidedBy::Trust => "role trust policy",
            DecidedBy::Permission => "identity-based policy",
            DecidedBy::Boundary => "permissions boundary",
            DecidedBy::SessionPolicy => "session policy",
            DecidedBy::ResourcePolicy => "resource-based policy",
            DecidedBy::Scp => "service control policy",
            // AWS has no wording for silence here (docs).
            DecidedBy::Rcp => {
                return if self.is_allowed() {
                    String::new()
                } else {
                    explicit.into()
                };
            }
        };
        match self.decision {
            Decision::Allow => String::new(),
            Decision::ExplicitDeny => explicit.into(),
            Decision::ImplicitDeny => {
                format!("because no {silent} allows the {} action", self.action)
            }
        }
    }

    /// Why it was decided so, in plain sentences, the most telling first.
    pub fn explain(&self) -> Vec<String> {
        let mut sentences = match self.decision {
            Decision::Allow => self.explain_matches(Effect::Allow),
            Decision::ExplicitDeny => self.explain_matches(Effect::Deny),
            Decision::ImplicitDeny => self.explain_silence(),
        };
        sentences.extend(self.warnings.iter().cloned());
        sentences
    }

    fn explain_matches(&self, effect: Effect) -> Vec<String> {
        let Some(record) = self.deciding_layer() else {
            return vec![format!(
                "{} may do everything in its account",
                self.principal
            )];
        };
        let matched: Vec<&Matched> = record
            .matched
            .iter()
            .filter(|matched| matched.effect == effect)
            .collect();
        if matched.is_empty() {
            return vec![format!(
                "{} may do everything in its account",
                self.principal
            )];
        }
        matched
            .into_iter()
            .take(STATEMENTS)
            .map(|matched| {
                let place = place(record.layer, &matched.policy);
                let statement = statement(matched.statement, matched.sid.as_deref());
                match effect {
                    Effect::Allow => format!("{place}: {statement} allows {}", self.action),
                    Effect::Deny => {
                        let because: Vec<String> = matched.conditions.iter().map(held).collect();
                        let because = if because.is_empty() {
                            String::new()
                        } else {
                            format!(": {}", because.join(" and "))
                        };
                        format!(
                            "{place}: {statement} denies {} explicitly{because}",
                            self.action
                        )
                    }
                }
            })
            .collect()
    }

    fn explain_silence(&self) -> Vec<String> {
        let Some(record) = self
            .deciding_layer()
            .filter(|record| !record.policies.is_empty())
        else {
            return vec![self.explain_absence()];
        };
        let misses: Vec<&NearMiss> = record
            .near_misses
            .iter()
            .filter(|miss| miss.effect == Effect::Allow)
            .take(STATEMENTS)
            .collect();
        if misses.is_empty() {
            let places: Vec<String> = record
                .policies
                .iter()
                .take(STATEMENTS)
                .map(|id| place(record.layer, id))
                .collect();
            return vec![format!(
                "{}: no statement allows {}",
                places.join(", "),
                self.action
            )];
        }
        misses
            .into_iter()
            .flat_map(|miss| self.explain_miss(record, miss))
            .collect()
    }

    fn explain_absence(&self) -> String {
        match self.decided_by {
            DecidedBy::ResourcePolicy => {
                format!(
                    "{} has no policy, and only such a policy lets {} in",
                    self.resource, self.principal
                )
            }
            DecidedBy::Trust => format!("{} has no trust policy", self.resource),
            DecidedBy::Scp | DecidedBy::Rcp => {
                "a level of the organisation has no policy that allows anything".into()
            }
            DecidedBy::Permission | DecidedBy::Boundary | DecidedBy::SessionPolicy => {
                format!("{} has no {}", self.principal, noun(self.decided_by))
            }
        }
    }

    fn explain_miss(&self, record: &LayerRecord, miss: &NearMiss) -> Vec<String> {
        let place = place(record.layer, &miss.policy);
        let statement = statement(miss.statement, miss.sid.as_deref());
        miss.failures
            .iter()
            .map(|failure| match failure {
                Failure::Principal { named, caller, not: false } => {
                    let verb = if record.layer == DecidedBy::Trust { "trusts" } else { "names" };
                    format!(
                        "{place}: {statement}: principal: the statement {verb} {}, the caller is {caller}",
                        list(named)
                    )
                }
                Failure::Principal { named, caller, not: true } => {
                    format!("{place}: {statement}: principal: NotPrincipal {} leaves out the caller, {caller}", list(named))
                }
                Failure::Action { listed, not: false } => {
                    format!("{place}: {statement} would allow {}, but it lists only {}", self.action, list(listed))
                }
                Failure::Action { listed, not: true } => {
                    format!("{place}: {statement} would allow {}, but its NotAction lists {}", self.action, list(listed))
                }
                Failure::Resource { listed, not: false } => format!(
                    "{place}: {statement} allows {}, but only on {}; the request is for {}",
                    self.action,
                    list(listed),
                    self.resource
                ),
                Failure::Resource { listed, not: true } => format!(
                    "{place}: {statement} allows {}, but its NotResource {} covers {}",
                    self.action,
                    list(listed),
                    self.resource
                ),
                Failure::Condition(trace) => format!("{place}: {statement}: {trace}"),
            })
            .collect()
    }
}

/// The sentences of [`Verdict::explain`], joined.
impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.explain().join("; "))
    }
}

/// `condition StringEquals aws:RequestTag/x wants ["shop"], the request carried "default"`
impl fmt::Display for ConditionTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ConditionTrace {
            operator,
            key,
            wanted,
            ..
        } = self;
        write!(
            f,
            "condition {operator} {key} wants {wanted:?}, {}",
            carried(self)
        )
    }
}

fn carried(trace: &ConditionTrace) -> String {
    match &trace.request {
        None => "the request did not carry the key".into(),
        Some(ContextValue::One(value)) => format!("the request carried {value:?}"),
        Some(ContextValue::Many(values)) => format!("the request carried {values:?}"),
    }
}

fn held(trace: &ConditionTrace) -> String {
    format!(
        "condition {} {} {:?} holds, {}",
        trace.operator,
        trace.key,
        trace.wanted,
        carried(trace)
    )
}

fn list(entries: &[String]) -> String {
    if entries.is_empty() {
        "nobody".into()
    } else {
        entries.join(", ")
    }
}

fn statement(index: usize, sid: Option<&str>) -> String {
    match sid {
        Some(sid) => format!("statement {sid:?}"),
        None => format!("statement {index}"),
    }
}

fn noun(layer: DecidedBy) -> &'static str {
    match layer {
        DecidedBy::Trust => "trust policy",
        DecidedBy::Permission => "identity policy",
        DecidedBy::Boundary => "permissions boundary",
        DecidedBy::SessionPolicy => "session policy",
        DecidedBy::ResourcePolicy => "resource policy",
        DecidedBy::Scp => "service control policy",
        DecidedBy::Rcp => "resource control policy",
    }
}

fn place(layer: DecidedBy, id: &str) -> String {
    match layer {
        DecidedBy::Trust => format!("trust policy of role {id}"),
        DecidedBy::ResourcePolicy => format!("resource policy of {id}"),
        _ => format!("{} {id}", noun(layer)),
    }
}
