//! What a sandbox is made of.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf, sync::Arc};

use async_trait::async_trait;
use emu_core::{
    AssociationFeed, Clock, Ids, Journal, Span, Timestamp, exchanges::Served, journal::PodRef,
    settings::AgentSettings,
};

use super::Isolation;
use crate::token::TokenIssuer;

/// What a sandbox is made of. [`SandboxConfig::new`] gives one node with the twin.
#[derive(Clone)]
pub struct SandboxConfig {
    /// The cluster's name, as EKS knows it.
    pub name: String,
    /// The region; the webhook writes it into pods.
    pub region: String,
    /// The clock everything runs on.
    pub clock: Clock,
    /// Where everything is written down.
    pub journal: Journal,
    /// Where uids come from.
    pub ids: Ids,
    /// Who signs service account tokens.
    pub issuer: Arc<TokenIssuer>,
    /// By how much the API server's clock is off, in nanoseconds: the times in tokens (catalogue C9).
    pub api_server_skew: i64,
    /// What the webhook knows of associations.
    pub associations: Arc<dyn AssociationFeed>,
    /// How long a new service account takes to become known to the webhook (catalogue F3).
    pub webhook_account_lag: Span,
    /// Where the emulator answers.
    pub emulator: Emulator,
    /// Where pods reach it. `127.0.0.1:4566` by default.
    pub emulator_in_pods: SocketAddr,
    /// Variables of every program beside those of its container; these lose against the container's.
    pub env: BTreeMap<String, String>,
    /// How the twins behave.
    pub agent: AgentSettings,
    /// The nodes there are at first.
    pub nodes: Vec<NodeSpec>,
    /// Who gives nodes their credentials.
    pub node_credentials: Arc<dyn NodeCredentials>,
    /// How pods are set apart; found out if absent.
    pub isolation: Option<Isolation>,
    /// Programs and real agents follow the clock when it is moved, where the system allows it.
    pub virtual_time: bool,
}

impl SandboxConfig {
    /// A sandbox of one node with the twin.
    pub fn new(
        name: impl Into<String>,
        clock: Clock,
        journal: Journal,
        issuer: Arc<TokenIssuer>,
        associations: Arc<dyn AssociationFeed>,
        emulator: Emulator,
        node_credentials: Arc<dyn NodeCredentials>,
    ) -> Self {
        Self {
            name: name.into(),
            region: "us-east-1".into(),
            clock,
            journal,
            ids: Ids::random(),
            issuer,
            api_server_skew: 0,
            associations,
            webhook_account_lag: Span::ZERO,
            emulator,
            emulator_in_pods: SocketAddr::from(([127, 0, 0, 1], 4566)),
            env: BTreeMap::new(),
            agent: AgentSettings::default(),
            nodes: vec![NodeSpec::default()],
            node_credentials,
            isolation: None,
            virtual_time: false,
        }
    }
}

/// Where the emulator answers.
#[derive(Clone)]
pub struct Emulator {
    /// Its address on this machine.
    pub address: SocketAddr,
    /// Takes connections that come from a pod, together with the pod; without it they are passed to the address.
    pub serve: Option<ServeConnection>,
}

/// Takes a connection that comes from a pod.
pub type ServeConnection = Arc<dyn Fn(Served, PodRef) + Send + Sync>;

impl Emulator {
    /// An emulator that is reached by its address alone.
    pub fn at(address: SocketAddr) -> Self {
        Self {
            address,
            serve: None,
        }
    }
}

/// A node.
#[derive(Clone, Debug, PartialEq)]
pub struct NodeSpec {
    /// Its name.
    pub name: String,
    /// Its agent.
    pub agent: AgentSpec,
    /// Whether the node has IPv6, and with it `fd00:ec2::23`. An agent that wants to bind it dies where there is none
    /// (catalogue D3).
    pub ipv6: bool,
    /// By how much the node's clock is off, in nanoseconds.
    pub clock_offset: i64,
    /// Its instance metadata service; without one the address leads nowhere.
    pub imds: Option<Imds>,
}

impl Default for NodeSpec {
    fn default() -> Self {
        Self::new("node-1")
    }
}

impl NodeSpec {
    /// A node with the twin, with IPv6 and without instance metadata.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            agent: AgentSpec::default(),
            ipv6: true,
            clock_offset: 0,
            imds: None,
        }
    }
}

/// A node's agent.
#[derive(Clone, Debug, PartialEq)]
pub struct AgentSpec {
    /// Which.
    pub kind: AgentKind,
    /// Whether it runs from the start.
    pub started: bool,
    /// The hosts it binds (`--bind-hosts`); its own default if empty: both addresses.
    pub bind_hosts: Vec<String>,
    /// The port it binds. 80 by default.
    pub port: u16,
    /// Further arguments of the real agent.
    pub args: Vec<String>,
    /// Further variables of the real agent.
    pub env: BTreeMap<String, String>,
    /// How the twin of this node behaves, if otherwise than the others.
    pub settings: Option<AgentSettings>,
}

impl Default for AgentSpec {
    fn default() -> Self {
        Self {
            kind: AgentKind::Twin,
            started: true,
            bind_hosts: Vec::new(),
            port: 80,
            args: Vec::new(),
            env: BTreeMap::new(),
            settings: None,
        }
    }
}

impl AgentSpec {
    /// No agent.
    pub fn absent() -> Self {
        Self {
            kind: AgentKind::Absent,
            ..Self::default()
        }
    }

    /// Amazon's own, by its path.
    pub fn real(binary: impl Into<PathBuf>) -> Self {
        Self {
            kind: AgentKind::Real(binary.into()),
            ..Self::default()
        }
    }
}

/// Which agent a node has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AgentKind {
    /// None: connections are refused (catalogue D1).
    Absent,
    /// Our own.
    #[default]
    Twin,
    /// Amazon's own, by its path.
    Real(PathBuf),
    /// Amazon's own, as an image that the cluster pulls. On clusters that others run.
    Image(String),
}

/// The instance metadata service of a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Imds {
    /// Whether it answers. AWS docs: 403 if it is turned off.
    pub enabled: bool,
    /// How far its answers to token requests travel: 1 reaches the node only, 2 its pods too.
    pub hop_limit: u8,
}

impl Default for Imds {
    fn default() -> Self {
        Self {
            enabled: true,
            hop_limit: 2,
        }
    }
}

/// Who gives nodes their credentials.
#[async_trait]
pub trait NodeCredentials: Send + Sync + 'static {
    /// The keys of a node's role at this moment; none for a node without.
    async fn keys(&self, node: &str) -> Option<NodeKeys>;
}

/// Keys of a node's role. A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeKeys {
    /// The role's name, as instance metadata lists it.
    pub role: String,
    /// The access key id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: Option<String>,
    /// When they expire, if they do.
    pub expires_at: Option<Timestamp>,
}

impl std::fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeKeys")
            .field("role", &self.role)
            .field("access_key_id", &self.access_key_id)
            .finish_non_exhaustive()
    }
}
