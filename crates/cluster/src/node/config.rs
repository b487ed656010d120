//! How a node is to be.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use super::{
    address::Addresses,
    launch::{Direct, Launcher},
    run_dir::default_root,
};

/// How a node is to be. [`Config::new`] gives one that works; everything may be changed.
#[derive(Clone)]
pub struct Config {
    /// The folder with kube-apiserver, kube-controller-manager, kube-scheduler, kubelet and etcd
    /// ([`crate::kubernetes::install`] fills it).
    pub binaries: PathBuf,
    /// The `iss` of the cluster's tokens.
    pub issuer: String,
    /// Where run directories are made.
    pub run_root: PathBuf,
    /// The program that plays the node's first process: any that links this crate; this one if absent.
    pub program: Option<PathBuf>,
    /// What starts the first process: directly, or under virtual time.
    pub launcher: Arc<dyn Launcher>,
    /// The node's name.
    pub name: String,
    /// Its addresses.
    pub addresses: Addresses,
    /// OCI archives to import before the node is called ready; the pause image is always there.
    pub images: Vec<PathBuf>,
    /// Host services that the node and its pods reach at an address inside the node.
    pub inward: Vec<Inward>,
    /// Whether to make the link `pod-id-link0` with the agent's addresses, as the agent's own `initialize` would.
    pub agent_link: bool,
    /// Labels for the Node object.
    pub labels: Vec<(String, String)>,
    /// Further flags for kube-apiserver.
    pub api_server_flags: Vec<String>,
    /// How long a start may take.
    pub deadline: Duration,
}

/// A host service that is reachable inside the node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inward {
    /// Where it is found inside the node; pods reach the node's own address, not its loopback.
    pub inside: SocketAddr,
    /// Where it is on the host.
    pub host: SocketAddr,
}

impl Config {
    /// A node from the binaries in this folder.
    pub fn new(binaries: impl Into<PathBuf>) -> Self {
        Self {
            binaries: binaries.into(),
            issuer: "https://oidc.eks.us-east-1.amazonaws.com/id/EMU".into(),
            run_root: default_root(),
            program: None,
            launcher: Arc::new(Direct),
            name: "node0".into(),
            addresses: Addresses::default(),
            images: Vec::new(),
            inward: Vec::new(),
            agent_link: true,
            labels: Vec::new(),
            api_server_flags: Vec::new(),
            deadline: Duration::from_secs(120),
        }
    }
}

impl std::fmt::Debug for Config {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Config")
            .field("binaries", &self.binaries)
            .field("issuer", &self.issuer)
            .field("run_root", &self.run_root)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
