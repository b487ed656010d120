//! Every knob of the emulator, as data: the same names in YAML, in the control API and in Rust.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Span;

/// All knobs. Unknown names are refused.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Settings {
    /// The region the emulator plays.
    pub region: String,
    /// The account of the administrator's key and of whatever does not name one.
    pub account: String,
    /// How long a change takes to be seen where it matters.
    pub propagation: Propagation,
    /// Limits on what can be stored.
    pub quotas: Quotas,
    /// How long things live.
    pub lifetimes: Lifetimes,
    /// Request rates beyond which services throttle. Absent: never.
    pub throttles: Throttles,
    /// How far a signature's date may be from now.
    pub clock_skew: Span,
    /// The token of a deleted pod is good until it expires. Whether AWS asks is not documented; without it the token is
    /// refused, as the cluster's own API server does.
    pub tokens_outlive_pods: bool,
    /// Roles that do not exist may be named in associations, and the root user may assume roles. For outside suites only.
    pub lenient_roles: bool,
    /// Answers to give instead of the built-in ones where AWS's real text is not known, by the name of the situation
    /// (for example `eks-auth.no-association`).
    pub texts: BTreeMap<String, TextOverride>,
    /// The behaviour of the node agent.
    pub agent: AgentSettings,
    /// The largest request body accepted, in bytes. STS accepts 10,000,000 (snapshots).
    pub max_body_bytes: usize,
    /// How many journal entries are kept; the oldest go first.
    pub journal_entries: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            region: "us-east-1".into(),
            account: "000000000000".into(),
            propagation: Propagation::default(),
            quotas: Quotas::default(),
            lifetimes: Lifetimes::default(),
            throttles: Throttles::default(),
            clock_skew: Span::seconds(900),
            tokens_outlive_pods: false,
            lenient_roles: false,
            texts: BTreeMap::new(),
            agent: AgentSettings::default(),
            max_body_bytes: 10_000_000,
            journal_entries: 100_000,
        }
    }
}

/// Propagation delays; all zero by default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Propagation {
    /// From the EKS API to the webhook's list.
    #[serde(rename = "association.webhook")]
    pub association_webhook: Span,
    /// From the EKS API to EKS Auth.
    #[serde(rename = "association.auth")]
    pub association_auth: Span,
    /// How long a deleted association still counts as a duplicate.
    #[serde(rename = "association.delete")]
    pub association_delete: Span,
    /// From IAM to whoever names a role (EKS, STS).
    #[serde(rename = "iam.role")]
    pub iam_role: Span,
    /// From IAM to the evaluation of a changed policy or trust policy.
    #[serde(rename = "iam.policy")]
    pub iam_policy: Span,
}

/// Quotas, with AWS's defaults.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Quotas {
    /// Associations a cluster may have. AWS docs: 1000 in December 2024.
    pub associations_per_cluster: usize,
    /// Characters of a trust policy, white space not counted. AWS docs.
    pub trust_policy_characters: usize,
    /// Characters of all inline policies of a role together. AWS docs.
    pub inline_policy_characters: usize,
    /// Characters of a managed policy. AWS docs.
    pub managed_policy_characters: usize,
    /// Managed policies attached to one role. AWS docs.
    pub managed_policies_per_role: usize,
    /// Roles in an account. AWS docs.
    pub roles: usize,
    /// How many bytes of packed session policy and tags make 100 %. The real formula is not public; this value gives
    /// the 55 to 74 % that users report for the six tags alone.
    pub packed_policy_bytes: usize,
}

impl Default for Quotas {
    fn default() -> Self {
        Self {
            associations_per_cluster: 1_000,
            trust_policy_characters: 2_048,
            inline_policy_characters: 10_240,
            managed_policy_characters: 6_144,
            managed_policies_per_role: 10,
            roles: 1_000,
            packed_policy_bytes: 600,
        }
    }
}

/// Lifetimes, with AWS's values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Lifetimes {
    /// Credentials of an association without a target role. AWS docs: 6 hours.
    pub credentials: Span,
    /// Credentials of an association with a target role. AWS docs: 59 minutes.
    pub target_credentials: Span,
    /// Add-ons and clusters stay in CREATING or DELETING this long.
    pub transition: Span,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            credentials: Span::seconds(6 * 3_600),
            target_credentials: Span::seconds(59 * 60),
            transition: Span::ZERO,
        }
    }
}

/// Token buckets a service throttles with.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Throttles {
    /// EKS Auth, for each account. The real rate is not published.
    pub eks_auth: Option<Throttle>,
    /// STS, for each account.
    pub sts: Option<Throttle>,
}

/// A token bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Throttle {
    /// Requests a second in the long run.
    pub rate: f64,
    /// Requests at once.
    pub burst: u32,
}

/// An answer to give instead of the built-in one.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct TextOverride {
    /// The error's name, such as `ResourceNotFoundException`.
    pub code: Option<String>,
    /// The HTTP status.
    pub status: Option<u16>,
    /// The message. `{}` stands where the built-in text has its variable parts.
    pub message: Option<String>,
}

/// The behaviour of the node agent's twin.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct AgentSettings {
    /// The release whose behaviour it has: `0.1.37` or `0.2`.
    pub profile: String,
    /// How long cached credentials are kept before they are renewed.
    pub max_credential_retention_before_renewal: Span,
    /// How many credentials are cached; 0 disables the cache.
    pub max_cache_size: usize,
    /// How many background renewals a second.
    pub max_service_qps: i64,
    /// How often it asks EKS Auth for one set of credentials at most: `AWS_MAX_ATTEMPTS` in its environment.
    pub max_attempts: u32,
}

impl Default for AgentSettings {
    fn default() -> Self {
        Self {
            profile: "0.1.37".into(),
            max_credential_retention_before_renewal: Span::seconds(3 * 3_600),
            max_cache_size: 2_000,
            max_service_qps: 3,
            max_attempts: 3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_catalogue() {
        let settings: Settings = serde_json::from_value(serde_json::json!({
            "propagation": { "association.webhook": "8s", "association.auth": "2s" },
            "agent": { "profile": "0.2" },
            "texts": { "eks-auth.no-association": { "code": "AccessDeniedException", "status": 400 } },
        }))
        .unwrap();
        assert_eq!(settings.propagation.association_webhook, Span::seconds(8));
        assert_eq!(settings.lifetimes.credentials, Span::seconds(21_600));
    }

    #[test]
    fn a_misspelt_knob_is_refused() {
        let wrong = serde_json::json!({ "propagation": { "association.webhok": "8s" } });
        assert!(serde_json::from_value::<Settings>(wrong).is_err());
    }
}
