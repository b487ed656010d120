//! What every kind of cluster can be asked.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use emu_core::ServiceAccountRef;
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use serde::{Deserialize, Serialize};

use crate::{
    fault::{FaultPlace, NetworkFault, WebhookFault},
    fetch::{FetchRequest, FetchResponse},
    program::{Program, ProgramOutput, Running},
    token::{IssuedToken, TokenFault},
};

/// A result with a [`ClusterError`].
pub type Result<T> = std::result::Result<T, ClusterError>;

/// A place where pods run. One interface for the sandbox, a node, kind, k3d and a cluster that is already there.
#[async_trait]
pub trait Cluster: Send + Sync + 'static {
    /// Which kind it is.
    fn kind(&self) -> ClusterKind;

    /// Its name, as EKS knows it.
    fn name(&self) -> &str;

    /// What it can do beyond running pods. A scenario's `requires` is compared with this.
    fn capabilities(&self) -> Capabilities;

    /// The names of its nodes, in the order they joined.
    async fn nodes(&self) -> Result<Vec<String>>;

    /// Creates a service account, or replaces one of the same name and keeps its uid. The namespace comes into being
    /// with it.
    async fn apply_service_account(&self, account: ServiceAccount) -> Result<ServiceAccount>;

    /// Deletes a service account. Pods that use it stay.
    async fn delete_service_account(&self, account: &ServiceAccountRef) -> Result<()>;

    /// Creates a pod: it goes through admission, is bound to `node` (or any), gets its tokens, and can run programs when
    /// this returns. Gives the pod as it was stored.
    async fn create_pod(&self, pod: Pod, node: Option<&str>) -> Result<Pod>;

    /// A pod as it is stored.
    async fn pod(&self, pod: &PodName) -> Result<Pod>;

    /// Deletes a pod and ends its programs.
    async fn delete_pod(&self, pod: &PodName) -> Result<()>;

    /// Restarts a pod's containers: its programs end, the pod and what admission made of it stay as they are.
    async fn restart_pod(&self, pod: &PodName) -> Result<()>;

    /// Deletes a pod and creates it again as it was submitted: a new uid, a new admission, on the same node.
    async fn recreate_pod(&self, pod: &PodName) -> Result<Pod>;

    /// Starts a program in a pod.
    async fn start(&self, pod: &PodName, program: Program) -> Result<Box<dyn Running>>;

    /// Runs a program in a pod to its end.
    async fn exec(&self, pod: &PodName, program: Program) -> Result<ProgramOutput> {
        self.start(pod, program).await?.wait().await
    }

    /// What a pod's token file holds now, for the first projected token of `audience`. A secret.
    async fn read_token(&self, pod: &PodName, audience: &str) -> Result<String>;

    /// Replaces a pod's projected tokens now, as if they had become old.
    async fn rotate_tokens(&self, pod: &PodName) -> Result<()>;

    /// Makes a pod's projected token files go wrong, or right again.
    async fn set_token_fault(&self, pod: &PodName, fault: Option<TokenFault>) -> Result<()>;

    /// Mints a token by hand, as `kubectl create token` does, bound to a pod if one is named.
    async fn mint_token(&self, request: MintRequest) -> Result<IssuedToken>;

    /// Starts, stops or restarts a node's agent.
    async fn agent(&self, node: &str, action: AgentAction) -> Result<()>;

    /// What a node's agent is doing.
    async fn agent_state(&self, node: &str) -> Result<AgentState>;

    /// One HTTP request from within a pod, by default to the agent; nothing is added to it but `Host`, `Content-Length`
    /// and `Connection: close`, each only if absent.
    async fn fetch(&self, pod: &PodName, request: FetchRequest) -> Result<FetchResponse>;

    /// Puts a fault on a piece of the network, or takes it away.
    async fn set_fault(&self, place: FaultPlace, fault: Option<NetworkFault>) -> Result<()>;

    /// Makes the webhook fail for pods created from now on, or work again.
    async fn set_webhook_fault(&self, fault: Option<WebhookFault>) -> Result<()> {
        let _ = fault;
        Err(self.unsupported("make the webhook fail", "it is not ours"))
    }

    /// An administrator's kubeconfig, where there is an API server.
    fn kubeconfig(&self) -> Option<PathBuf> {
        None
    }

    /// Brings the images of an archive (`docker save`, or an OCI layout in a tar) onto the nodes, as no registry is
    /// needed then; gives their names.
    async fn load_images(&self, archive: &Path) -> Result<Vec<String>> {
        let _ = archive;
        Err(self.unsupported("load images", "its pods run none"))
    }

    /// An error that says this cluster cannot do something.
    fn unsupported(&self, what: &str, why: &str) -> ClusterError {
        ClusterError::Unsupported {
            kind: self.kind(),
            what: what.to_owned(),
            why: why.to_owned(),
        }
    }

    /// Ends every program and takes everything away. Dropping the cluster does the same without waiting.
    async fn teardown(&self) -> Result<()>;
}

/// A cluster that is shared.
pub type SharedCluster = Arc<dyn Cluster>;

/// The kinds of cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClusterKind {
    /// A node in a box, with nothing installed.
    Sandbox,
    /// A real Kubernetes node started here.
    Node,
    /// kind: a cluster in Docker.
    Kind,
    /// k3d: another cluster in Docker.
    K3d,
    /// A cluster that is already there.
    Kubeconfig,
}

impl std::fmt::Display for ClusterKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sandbox => "sandbox",
            Self::Node => "node",
            Self::Kind => "kind",
            Self::K3d => "k3d",
            Self::Kubeconfig => "kubeconfig",
        })
    }
}

/// What a cluster can do beyond running pods.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Capabilities {
    /// Programs and agents follow the emulator's clock when it is moved.
    pub virtual_time: bool,
    /// Network faults can be injected.
    pub network_faults: bool,
    /// Token files can be tampered with.
    pub token_faults: bool,
    /// Each pod has the true addresses and paths; otherwise variables point elsewhere.
    pub true_addresses: bool,
    /// Pods can run as users of their own (`runAsUser`).
    pub users: bool,
    /// Agents can be started and stopped node by node.
    pub agent_control: bool,
    /// Programs come from this machine; otherwise from the pod's image.
    pub local_programs: bool,
    /// Instance metadata is played for each node.
    pub imds: bool,
}

/// A pod by namespace and name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PodName {
    /// The namespace.
    pub namespace: String,
    /// The name.
    pub name: String,
}

impl PodName {
    /// Names a pod.
    pub fn new(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl std::fmt::Display for PodName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

/// What to do with a node's agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AgentAction {
    /// Start it, if it does not run.
    Start,
    /// Stop it: connections are refused. What it had cached is lost.
    Stop,
    /// Stop and start.
    Restart,
}

/// What a node's agent is doing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state", content = "reason")]
pub enum AgentState {
    /// The node has none.
    Absent,
    /// It answers.
    Running,
    /// It was stopped.
    Stopped,
    /// It ended by itself; its last words.
    Crashed(String),
}

/// A token asked for by hand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintRequest {
    /// For which service account.
    pub service_account: ServiceAccountRef,
    /// The audiences.
    pub audiences: Vec<String>,
    /// How long it lives, in seconds. At least 600 on a real cluster.
    pub seconds: i64,
    /// The pod it is bound to.
    pub pod: Option<PodName>,
}

/// Why a cluster did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// This kind of cluster cannot do it, or not on this machine.
    #[error("a {kind} cluster cannot {what}: {why}")]
    Unsupported {
        /// The kind.
        kind: ClusterKind,
        /// What was asked, as a verb phrase.
        what: String,
        /// Why not.
        why: String,
    },
    /// There is no such thing.
    #[error("there is no {what} {name}")]
    NotFound {
        /// `pod`, `node`, `service account`, ...
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// There is such a thing already.
    #[error("there is already a {what} {name}")]
    Exists {
        /// `pod`, `node`, ...
        what: &'static str,
        /// Its name.
        name: String,
    },
    /// The API server (or what plays it) refused the object.
    #[error("{message}")]
    Refused {
        /// In Kubernetes's words.
        message: String,
    },
    /// A program could not be started.
    #[error("`{program}` could not be started in pod {pod}: {source}")]
    Program {
        /// The pod.
        pod: PodName,
        /// The command line's first word.
        program: String,
        /// Why.
        source: std::io::Error,
    },
    /// The agent could not be started.
    #[error("the agent of node {node} could not be started: {message}")]
    Agent {
        /// The node.
        node: String,
        /// Why.
        message: String,
    },
    /// A request from within a pod got no answer.
    #[error("no answer from {target} in pod {pod}: {source}")]
    Fetch {
        /// The pod.
        pod: PodName,
        /// The address.
        target: String,
        /// Why.
        source: std::io::Error,
    },
    /// A token could not be minted.
    #[error(transparent)]
    Token(#[from] crate::token::TokenError),
    /// The system did not do its part.
    #[error("could not {what}: {source}")]
    System {
        /// What was tried, as a verb phrase.
        what: String,
        /// Why not.
        source: std::io::Error,
    },
    /// A real cluster's API or tool answered with an error.
    #[error("{what}: {message}")]
    Kubernetes {
        /// What was tried.
        what: String,
        /// The answer.
        message: String,
    },
}

impl ClusterError {
    /// Wraps an error of the system; `what` is a verb phrase.
    pub fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    pub(crate) fn no_pod(pod: &PodName) -> Self {
        Self::NotFound {
            what: "pod",
            name: pod.to_string(),
        }
    }

    pub(crate) fn no_node(node: &str) -> Self {
        Self::NotFound {
            what: "node",
            name: node.to_owned(),
        }
    }
}
