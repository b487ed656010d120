//! How a world is made.

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use emu_agent::AgentChoice;
use emu_cluster::{ClusterKind, external::External, kubernetes::WebhookKind};
use emu_core::Settings;

/// How a world is made; the default is a sandbox on a free port.
#[derive(Clone, Debug)]
pub struct WorldOptions {
    /// Where the gateway listens; a free port of loopback if absent.
    pub address: Option<SocketAddr>,
    /// The port under which pods find the emulator.
    pub port_in_pods: u16,
    /// The kind of cluster.
    pub kind: ClusterKind,
    /// The cluster that somebody else runs, opened; worlds are on it one after another. Whoever opened it closes it.
    pub external: Option<Arc<External>>,
    /// Which agent nodes run.
    pub agent: AgentChoice,
    /// Which webhook decides about pods, on a real cluster.
    pub webhook: WebhookKind,
    /// The knobs before a scenario turns them.
    pub settings: Settings,
    /// The seed of everything random; random itself if absent.
    pub seed: Option<u64>,
    /// Programs and real agents follow the clock.
    pub virtual_time: bool,
    /// Pods that others make on a real cluster learn the emulator's address too.
    pub endpoint_in_pods: bool,
    /// Folders of this machine that pods see besides the system's: where their programs lie.
    pub folders: Vec<PathBuf>,
    /// The program `emu`, where it is not this process: for clusters that run it in containers.
    pub program: Option<PathBuf>,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self {
            address: None,
            port_in_pods: 4566,
            kind: ClusterKind::Sandbox,
            external: None,
            agent: AgentChoice::Auto,
            webhook: WebhookKind::Emu,
            settings: Settings::default(),
            seed: None,
            virtual_time: true,
            endpoint_in_pods: false,
            folders: Vec::new(),
            program: None,
        }
    }
}
