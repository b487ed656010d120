//! What must be so after a step.

use std::collections::BTreeMap;

use emu_core::{Span, journal::MutationReason};
use schemars::JsonSchema;
use serde::Deserialize;

use super::Matcher;

/// Headers by name.
pub type HeaderMap = BTreeMap<String, Matcher>;

/// Expectations; all of them must hold.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Expect {
    /// The webhook changed the pod.
    #[serde(rename = "pod.mutated")]
    pub pod_mutated: Option<bool>,
    /// Why the webhook did what it did.
    pub reason: Option<MutationReason>,
    /// Variables of the pod's first container; `null`: must be absent.
    #[serde(rename = "pod.env")]
    pub pod_env: BTreeMap<String, Option<Matcher>>,
    /// Labels of the pod; `null`: must be absent.
    #[serde(rename = "pod.labels")]
    pub pod_labels: BTreeMap<String, Option<Matcher>>,
    /// Volumes the pod must have.
    #[serde(rename = "pod.volumes")]
    pub pod_volumes: Vec<String>,

    /// The role the call ran as: its name, or its ARN. `none`: no credentials were found.
    #[serde(rename = "caller.role")]
    pub caller_role: Option<String>,
    /// The account of that role.
    #[serde(rename = "caller.account")]
    pub caller_account: Option<String>,
    /// The session's name.
    #[serde(rename = "caller.sessionName")]
    pub caller_session_name: Option<Matcher>,
    /// The caller's ARN.
    #[serde(rename = "caller.arn")]
    pub caller_arn: Option<Matcher>,
    /// Where the credentials came from.
    #[serde(rename = "caller.source")]
    pub caller_source: Option<CredentialSource>,
    /// Session tags; `null`: must be absent.
    #[serde(rename = "caller.tags")]
    pub caller_tags: BTreeMap<String, Option<Matcher>>,
    /// How long the credentials live from when they were issued, to within a minute.
    #[serde(rename = "caller.lifetime")]
    pub caller_lifetime: Option<Span>,
    /// The same credentials as in the step of that name.
    #[serde(rename = "caller.sameAs")]
    pub caller_same_as: Option<String>,
    /// Other credentials than in the step of that name.
    #[serde(rename = "caller.differsFrom")]
    pub caller_differs_from: Option<String>,

    /// The agent's status.
    #[serde(rename = "agent.status")]
    pub agent_status: Option<u16>,
    /// The agent's body.
    #[serde(rename = "agent.body")]
    pub agent_body: Option<Matcher>,
    /// The agent's headers.
    #[serde(rename = "agent.headers")]
    pub agent_headers: HeaderMap,

    /// Whether the call succeeded.
    pub allowed: Option<bool>,
    /// The HTTP status of the call.
    pub status: Option<u16>,
    /// The error's name.
    #[serde(rename = "error.code")]
    pub error_code: Option<Matcher>,
    /// The error's message.
    #[serde(rename = "error.message")]
    pub error_message: Option<Matcher>,
    /// What the call answered, as text (JSON where the API speaks JSON).
    pub result: Option<Matcher>,

    /// The exit status of the program.
    pub exit: Option<i32>,
    /// What the program wrote to standard output.
    pub stdout: Option<Matcher>,
    /// What the program wrote to standard error.
    pub stderr: Option<Matcher>,

    /// What the policy engine decided, and what decided it.
    pub verdict: Option<VerdictExpect>,
    /// How many requests this step made.
    pub requests: Option<RequestCounts>,
    /// Lines the agent logged in this step.
    #[serde(rename = "agent.log")]
    pub agent_log: Option<Matcher>,
    /// The explanation of what went wrong.
    pub explain: Option<ExplainExpect>,
    /// Must not be so.
    pub not: Option<Box<Expect>>,
}

/// Where a client found its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CredentialSource {
    /// The agent.
    PodIdentity,
    /// A web identity token and STS.
    Irsa,
    /// Instance metadata: the node's role.
    Imds,
    /// Variables with keys.
    Static,
    /// Nowhere.
    None,
}

impl CredentialSource {
    /// As written in files.
    pub fn word(self) -> &'static str {
        match self {
            Self::PodIdentity => "pod-identity",
            Self::Irsa => "irsa",
            Self::Imds => "imds",
            Self::Static => "static",
            Self::None => "none",
        }
    }
}

/// What the policy engine decided.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct VerdictExpect {
    /// `allow`, `explicit-deny` or `implicit-deny`.
    pub decision: Option<String>,
    /// `trust`, `permission`, `boundary`, `session-policy`, `resource-policy`, `scp` or `rcp`.
    pub decided_by: Option<String>,
    /// The action judged.
    pub action: Option<String>,
    /// The condition key that failed.
    pub condition_key: Option<AllowedKey>,
    /// 1: the association role; 2: the target role.
    pub hop: Option<u8>,
    /// The explanation in words.
    pub says: Option<Matcher>,
}

/// A condition key; case does not matter.
pub type AllowedKey = String;

/// Numbers of requests: exactly, or in bounds such as `>= 2`.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RequestCounts {
    /// To the agent.
    pub agent: Option<Count>,
    /// To EKS Auth.
    pub eks_auth: Option<Count>,
    /// To STS over HTTP.
    pub sts: Option<Count>,
    /// To S3.
    pub s3: Option<Count>,
}

/// A number, or a bound.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a number, or a bound such as \">= 2\"")]
pub enum Count {
    /// Exactly so many.
    Exactly(u64),
    /// `>= n`, `<= n`, `> n`, `< n`.
    Bound(String),
}

impl Count {
    /// Whether a number fits; a bound that cannot be read fits nothing.
    pub fn fits(&self, n: u64) -> bool {
        match self {
            Self::Exactly(wanted) => n == *wanted,
            Self::Bound(text) => {
                let text = text.trim();
                let number = |prefix: &str| {
                    text.strip_prefix(prefix)
                        .and_then(|rest| rest.trim().parse::<u64>().ok())
                };
                if let Some(bound) = number(">=") {
                    n >= bound
                } else if let Some(bound) = number("<=") {
                    n <= bound
                } else if let Some(bound) = number(">") {
                    n > bound
                } else if let Some(bound) = number("<") {
                    n < bound
                } else {
                    false
                }
            }
        }
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exactly(n) => n.fmt(f),
            Self::Bound(text) => text.fmt(f),
        }
    }
}

/// The explanation expected.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ExplainExpect {
    /// The id in the failure catalogue, such as `B2`.
    pub id: Option<String>,
    /// The variant, such as `missing-tagsession`.
    pub variant: Option<String>,
    /// The id of what led to it.
    pub because_of: Option<String>,
    /// The sentence that says why.
    pub why: Option<Matcher>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        assert!(Count::Bound(">= 2".into()).fits(2));
        assert!(!Count::Bound("< 2".into()).fits(2));
        assert!(!Count::Bound("two".into()).fits(2));
        assert!(Count::Exactly(3).fits(3));
    }
}
