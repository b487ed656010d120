//! From what was seen to a cause and a fix. Ids are those of the failure catalogue.

mod agent;
mod association;
mod identity;
mod permission;
mod trust;

use serde::Serialize;

use crate::run::Observation;

/// Why something went as it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The id in the failure catalogue, such as `B2`.
    pub id: &'static str,
    /// The entry's name, such as `role-does-not-trust-pods`.
    pub name: &'static str,
    /// Which of its variants.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
    /// The id of what led to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because_of: Option<String>,
    /// Why, in a sentence or two.
    pub why: String,
    /// What to do.
    pub fix: String,
}

impl Explanation {
    fn new(
        id: &'static str,
        name: &'static str,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            id,
            name,
            variant: None,
            because_of: None,
            why: why.into(),
            fix: fix.into(),
        }
    }

    fn variant(mut self, variant: impl Into<String>) -> Self {
        self.variant = Some(variant.into());
        self
    }

    fn because_of(mut self, id: impl Into<String>) -> Self {
        self.because_of = Some(id.into());
        self
    }
}

/// A rule: from an observation to an explanation, if it applies.
type Rule = fn(&Observation) -> Option<Explanation>;

/// In the order of the road: what is refused first, explains what follows.
const RULES: &[Rule] = &[
    identity::node_role,
    trust::refused,
    association::absent,
    agent::token_expired,
    agent::token_from_the_future,
    agent::token_missing,
    agent::token_refused,
    agent::throttled,
    agent::wrong_host,
    agent::host_refused_by_client,
    agent::nobody_listens,
    identity::no_credentials,
    identity::web_identity,
    permission::denied,
    association::exists,
    association::role_refused,
];

/// Explanations that fit what was seen, the most telling first.
pub fn explain(seen: &Observation) -> Vec<Explanation> {
    RULES.iter().filter_map(|rule| rule(seen)).collect()
}

/// All that was said to the client: bodies, messages, output.
fn said(seen: &Observation) -> String {
    let mut text = String::new();
    let mut add = |part: Option<&str>| {
        if let Some(part) = part {
            text.push_str(part);
            text.push('\n');
        }
    };
    add(seen.agent.as_ref().map(|a| a.body.as_str()));
    add(seen.error.as_ref().map(|e| e.code.as_str()));
    add(seen.error.as_ref().map(|e| e.message.as_str()));
    add(seen.program.as_ref().map(|p| p.stderr.as_str()));
    add(seen.program.as_ref().map(|p| p.stdout.as_str()));
    text
}
