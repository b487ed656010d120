//! Nodes.

use schemars::JsonSchema;
use serde::Deserialize;

use super::AgentOr;
use crate::file::Located;

/// A node.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Node {
    /// Its name.
    pub name: Located<String>,
    /// The cluster; the first one if absent.
    pub cluster: Option<Located<String>>,
    /// Its agent, or `absent`.
    pub agent: Option<AgentOr>,
    /// Its role, from `roles`; one with AmazonEKSWorkerNodePolicy if absent.
    pub role: Option<Located<String>>,
    /// It has IPv6. True if absent.
    pub ipv6: Option<bool>,
    /// By how much its clock is off, such as `-10m`.
    pub clock_offset: Option<Located<String>>,
    /// Its instance metadata; none if absent.
    pub imds: Option<Imds>,
}

/// Instance metadata.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Imds {
    /// Whether it answers. True if absent.
    pub enabled: Option<bool>,
    /// 1 reaches the node only, 2 its pods too. 2 if absent.
    pub hop_limit: Option<u8>,
    /// The node's role, from `roles`; the same as the node's `role`.
    pub node_role: Option<Located<String>>,
}
