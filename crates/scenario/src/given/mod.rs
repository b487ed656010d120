//! The nouns: the world before the first step. One file a noun.

mod account;
mod addon;
mod agent;
mod association;
mod bucket;
mod client;
mod cluster;
mod node;
mod pod;
mod role;
mod service_account;

use emu_core::{Settings, settings::Propagation};
use schemars::JsonSchema;
use serde::Deserialize;

pub use account::Account;
pub use addon::Addon;
pub use agent::{AbsentWord, Agent, AgentOr};
pub use association::Association;
pub use bucket::Bucket;
pub use client::{Client, ClientModel, CredentialRefresh, TokenRead};
pub use cluster::Cluster;
pub use node::{Imds, Node};
pub use pod::{Container, EnvVar, Pod};
pub use role::Role;
pub use service_account::ServiceAccount;

/// The world before the first step. Whatever is not given is as usual: one account, one cluster, one node with an agent.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Given {
    /// Knobs that differ from the default.
    pub settings: Option<Settings>,
    /// Propagation delays; the same as `settings.propagation`.
    pub propagation: Option<Propagation>,
    /// The seed of everything random.
    pub seed: Option<u64>,
    /// The agent of every node that does not name its own.
    pub agent: Option<Agent>,
    /// Accounts beside the default one.
    pub accounts: Vec<Account>,
    /// Clusters; one named `demo` if none is given.
    pub clusters: Vec<Cluster>,
    /// Nodes; one named `node-1` if none is given.
    pub nodes: Vec<Node>,
    /// Roles.
    pub roles: Vec<Role>,
    /// Service accounts beside those that pods name.
    pub service_accounts: Vec<ServiceAccount>,
    /// Associations.
    pub associations: Vec<Association>,
    /// Add-ons.
    pub addons: Vec<Addon>,
    /// Buckets.
    pub buckets: Vec<Bucket>,
    /// Pods, created after everything else.
    pub pods: Vec<Pod>,
    /// Clients with a behaviour of their own.
    pub clients: Vec<Client>,
}
