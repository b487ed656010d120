//! What an external cluster is made of.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use emu_core::{AssociationFeed, Clock, Ids, Journal, settings::AgentSettings};
use serde::{Deserialize, Serialize};

use super::External;
use crate::{
    cluster::{ClusterKind, Result},
    kubernetes::WebhookKind,
    sandbox::{AgentKind, Emulator, NodeCredentials},
};

/// Brings images into every node of a cluster without a registry.
#[async_trait]
pub trait ImageLoader: Send + Sync + 'static {
    /// Loads the images of an OCI archive.
    ///
    /// # Errors
    /// When a node does not take them.
    async fn load(&self, archive: &Path) -> Result<()>;
}

/// Is told what is about to be done, line by line, for a person to read.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;

/// How a cluster is reached again by another process: for `emu down`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// The kubeconfig's files.
    pub kubeconfig: Vec<PathBuf>,
    /// The context in them.
    pub context: String,
}

/// A cluster that is there. [`ExternalConfig::new`] gives one whose images are pulled by it.
#[derive(Clone)]
pub struct ExternalConfig {
    /// Kubeconfig, kind or k3d.
    pub kind: ClusterKind,
    /// What it is called in messages: the context, or the name kind knows it by.
    pub name: String,
    /// An administrator's client.
    pub client: kube::Client,
    /// The address of this machine at which the cluster's API server, nodes and pods reach it.
    pub host: IpAddr,
    /// Where to listen instead, where connections to [`host`](Self::host) are carried to another address: Docker Desktop
    /// carries them to loopback.
    pub listen: Option<IpAddr>,
    /// Brings images into every node; without it the cluster pulls them.
    pub images: Option<Arc<dyn ImageLoader>>,
    /// The reference of emu's own image, for clusters that pull it.
    pub image: Option<String>,
    /// The reference of one of emu's own images that is in every node already.
    pub loaded: Option<String>,
    /// How it is reached again after a crash of this process; without it nothing is remembered.
    pub access: Option<Access>,
    /// The program that is put into emu's own image; this one if absent.
    pub program: Option<PathBuf>,
    /// Is told what is installed before it is.
    pub tell: Tell,
}

impl ExternalConfig {
    /// A cluster that pulls its images and of which nothing is remembered or told.
    pub fn new(
        kind: ClusterKind,
        name: impl Into<String>,
        client: kube::Client,
        host: IpAddr,
    ) -> Self {
        Self {
            kind,
            name: name.into(),
            client,
            host,
            listen: None,
            images: None,
            image: None,
            loaded: None,
            access: None,
            program: None,
            tell: Arc::new(|_| {}),
        }
    }
}

/// One world's cluster on an external one. [`ExternalClusterConfig::new`] gives one with the twin.
#[derive(Clone)]
pub struct ExternalClusterConfig {
    /// Where it is.
    pub external: Arc<External>,
    /// The cluster's name, as EKS knows it.
    pub name: String,
    /// The region; the webhook writes it into pods.
    pub region: String,
    /// The clock everything of ours runs on.
    pub clock: Clock,
    /// Where everything is written down.
    pub journal: Journal,
    /// Where random numbers come from.
    pub ids: Ids,
    /// What the webhook knows of associations.
    pub associations: Arc<dyn AssociationFeed>,
    /// Where the emulator answers: for agents.
    pub emulator: Emulator,
    /// Variables of every container that does not set them itself.
    pub env: BTreeMap<String, String>,
    /// How the twin behaves.
    pub agent: AgentSettings,
    /// Which agent the nodes have.
    pub agent_kind: AgentKind,
    /// The twin runs where an image of Amazon's agent is not to be had.
    pub twin_instead: bool,
    /// Which webhook decides about pods.
    pub webhook_kind: WebhookKind,
    /// Who gives nodes their credentials.
    pub node_credentials: Arc<dyn NodeCredentials>,
    /// The URL of the emulator that pods learn which others make; without it they learn none.
    pub endpoint_in_pods: Option<String>,
    /// Names for its nodes, in the order they joined; those beyond keep their own.
    pub nodes: Vec<String>,
}

impl ExternalClusterConfig {
    /// A cluster with the twin.
    pub fn new(
        external: Arc<External>,
        name: impl Into<String>,
        clock: Clock,
        journal: Journal,
        associations: Arc<dyn AssociationFeed>,
        emulator: Emulator,
        node_credentials: Arc<dyn NodeCredentials>,
    ) -> Self {
        Self {
            external,
            name: name.into(),
            region: "us-east-1".into(),
            clock,
            journal,
            ids: Ids::random(),
            associations,
            emulator,
            env: BTreeMap::new(),
            agent: AgentSettings::default(),
            agent_kind: AgentKind::Twin,
            twin_instead: false,
            webhook_kind: WebhookKind::Emu,
            node_credentials,
            endpoint_in_pods: None,
            nodes: Vec::new(),
        }
    }
}
