//! What a node cluster is made of.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use emu_core::{AssociationFeed, Clock, Ids, Journal, settings::AgentSettings};

use crate::{
    kubernetes::WebhookKind,
    node::Config,
    sandbox::{AgentKind, Emulator, Imds, NodeCredentials},
};

/// What a node cluster is made of. [`ClusterConfig::new`] gives one with the twin.
#[derive(Clone)]
pub struct ClusterConfig {
    /// The node itself.
    pub node: Config,
    /// The cluster's name, as EKS knows it.
    pub name: String,
    /// The region; the webhook writes it into pods.
    pub region: String,
    /// The clock everything runs on.
    pub clock: Clock,
    /// Where everything is written down.
    pub journal: Journal,
    /// Where random numbers come from.
    pub ids: Ids,
    /// What the webhook knows of associations.
    pub associations: Arc<dyn AssociationFeed>,
    /// Where the emulator answers.
    pub emulator: Emulator,
    /// The port at which pods find it, on the node's address.
    pub emulator_port: u16,
    /// Variables of every container that does not set them itself.
    pub env: BTreeMap<String, String>,
    /// Pods that are not made through this crate learn the emulator's address too, by a webhook of ours.
    pub endpoint_in_pods: bool,
    /// How the twin behaves.
    pub agent: AgentSettings,
    /// Which agent the node has.
    pub agent_kind: AgentKind,
    /// Whether it is started with the node.
    pub agent_started: bool,
    /// Which webhook decides about pods; none that is an image, as the node pulls none.
    pub webhook_kind: WebhookKind,
    /// Who gives the node its credentials.
    pub node_credentials: Arc<dyn NodeCredentials>,
    /// Its instance metadata service.
    pub imds: Imds,
    /// Folders of this machine that pods without an image see; found out if absent.
    pub program_folders: Option<Vec<PathBuf>>,
    /// Folders that they see besides.
    pub more_folders: Vec<PathBuf>,
    /// The whole node follows the clock when it is moved, where the system allows it.
    pub virtual_time: bool,
}

impl ClusterConfig {
    /// A cluster with the twin.
    pub fn new(
        node: Config,
        name: impl Into<String>,
        clock: Clock,
        journal: Journal,
        associations: Arc<dyn AssociationFeed>,
        emulator: Emulator,
        node_credentials: Arc<dyn NodeCredentials>,
    ) -> Self {
        Self {
            node,
            name: name.into(),
            region: "us-east-1".into(),
            clock,
            journal,
            ids: Ids::random(),
            associations,
            emulator,
            emulator_port: 4566,
            env: BTreeMap::new(),
            endpoint_in_pods: false,
            agent: AgentSettings::default(),
            agent_kind: AgentKind::Twin,
            agent_started: true,
            webhook_kind: WebhookKind::Emu,
            node_credentials,
            imds: Imds::default(),
            program_folders: None,
            more_folders: Vec::new(),
            virtual_time: false,
        }
    }
}
