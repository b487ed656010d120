//! A real Kubernetes of one node, made of plain processes in private namespaces: etcd, the control plane, containerd and a
//! kubelet. Ready in seconds, several at once, gone without a trace.
//!
//! - [`Config`] says how it is to be, [`Node::start`] starts it, [`Node::stop`] or dropping ends it, [`sweep`] removes what
//!   a killed owner left.
//! - [`Node::client`] and [`Node::kubeconfig`] reach the API server from the host; [`Config::inward`] and
//!   [`Node::listen`] let the node reach the host.

pub mod address;
pub mod cgroup;
mod cluster;
mod config;
mod entry;
mod error;
mod forward;
mod init;
pub mod launch;
mod link;
pub mod netns;
pub mod pki;
pub mod platform;
mod processes;
pub mod protocol;
mod run_dir;
mod start;
mod teardown;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

pub use cluster::{ClusterConfig, NodeCluster};
pub use config::{Config, Inward};
pub use error::Error;
pub use forward::{Forward, LinkFault};
pub use link::Process;
pub use processes::PAUSE_IMAGE;
pub use run_dir::{default_root, sweep};
pub use start::Timings;

/// A running node.
pub struct Node {
    config: Config,
    link: Arc<link::Link>,
    inside: netns::Inside,
    api: Forward,
    inward: Vec<Forward>,
    kubeconfig: PathBuf,
    client: kube::Client,
    pki: pki::Pki,
    timings: Timings,
    imported: std::sync::atomic::AtomicUsize,
    run: PathBuf,
    built: std::sync::Mutex<Option<start::Built>>,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl Node {
    fn from_parts(parts: start::Parts, built: start::Built) -> Self {
        let run = built
            .run
            .as_ref()
            .map(|run| run.path().to_owned())
            .unwrap_or_default();
        Self {
            config: parts.config,
            link: parts.link,
            inside: parts.inside,
            api: parts.api,
            inward: parts.inward,
            kubeconfig: parts.kubeconfig,
            client: parts.client,
            pki: parts.pki,
            timings: parts.timings,
            imported: std::sync::atomic::AtomicUsize::new(0),
            run,
            built: std::sync::Mutex::new(Some(built)),
        }
    }

    /// An administrator's client.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// The path of an administrator's kubeconfig that works from the host for as long as this node lives.
    pub fn kubeconfig(&self) -> &Path {
        &self.kubeconfig
    }

    /// The API server's address on the host's loopback.
    pub fn api_address(&self) -> SocketAddr {
        self.api.address()
    }

    /// The configuration it was started with.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The certificates it was started with.
    pub fn pki(&self) -> &pki::Pki {
        &self.pki
    }

    /// How long the start took.
    pub fn timings(&self) -> &Timings {
        &self.timings
    }

    /// The run directory; logs are in its folder `log`.
    pub fn run_dir(&self) -> &Path {
        &self.run
    }

    /// The kubelet's folder, by a path that leads there from outside of the node.
    pub(crate) fn kubelet_folder(&self) -> PathBuf {
        let folder = self.run.join("kubelet");
        let inside = folder.strip_prefix("/").unwrap_or(&folder);
        Path::new(&format!("/proc/{}/root", self.link.pid)).join(inside)
    }

    /// The kind of link that carries the node's address: `dummy`, `ifb` or `lo`.
    pub fn link_kind(&self) -> &str {
        &self.link.kind
    }

    /// The node's network, to make sockets or run programs in.
    pub fn inside(&self) -> &netns::Inside {
        &self.inside
    }

    /// A listener at an address inside the node, for a server of the host: hand it to the server as it is.
    ///
    /// # Errors
    /// Those of binding.
    pub fn listen(&self, address: SocketAddr) -> io::Result<std::net::TcpListener> {
        self.inside.listen(address)
    }

    /// Lets the node reach a host service from now on; dropping the result ends it.
    ///
    /// # Errors
    /// Those of binding.
    pub fn forward(&self, inward: Inward) -> io::Result<Forward> {
        Forward::start(
            self.listen(inward.inside)?,
            forward::Target::Host(inward.host),
        )
    }

    /// The forwarders of [`Config::inward`], in its order.
    pub fn inward(&self) -> &[Forward] {
        &self.inward
    }

    /// Imports the images of an archive (`docker save`, or an OCI layout in a tar); gives their full names.
    ///
    /// # Errors
    /// When containerd refuses.
    pub async fn import(&self, archive: &Path) -> Result<Vec<String>, Error> {
        let number = self
            .imported
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let processes = processes::Processes {
            config: &self.config,
            run: &self.run,
            pki: &self.run.join("pki"),
        };
        let mut spawn = processes.import(&format!("later-import-{number}"), archive);
        spawn.log.set_file_name(format!("import-{number}.log"));
        let log = spawn.log.clone();
        self.link.run(spawn).await?;
        let said = std::fs::read_to_string(&log).map_err(Error::file("reading", &log))?;
        // `unpacking NAME (sha256:...)...done`
        let named = |line: &str| {
            let name = line.strip_prefix("unpacking ")?.split(' ').next()?;
            Some(name.to_owned())
        };
        Ok(said.lines().filter_map(named).collect())
    }

    /// Kills a container's first process, by the container's id at containerd.
    ///
    /// # Errors
    /// When containerd refuses.
    pub async fn kill_container(&self, id: &str) -> Result<(), Error> {
        let processes = processes::Processes {
            config: &self.config,
            run: &self.run,
            pki: &self.run.join("pki"),
        };
        let number = self
            .imported
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let spawn = processes.kill_container(&format!("kill-{number}"), id);
        self.link.run(spawn).await
    }

    /// What is known of a process of the node: `etcd`, `kube-apiserver`, `kubelet` and so on.
    pub fn process(&self, name: &str) -> Option<Process> {
        self.link.state(name)
    }

    /// Kills a process of the node (SIGKILL) and waits until it is gone.
    ///
    /// # Errors
    /// When the node is gone.
    pub async fn kill(&self, name: &str) -> Result<(), Error> {
        self.link
            .signal(name, nix::sys::signal::Signal::SIGKILL as i32)
            .await?;
        self.link.exited(name).await.map(drop)
    }

    /// Starts a killed process again, with the same settings.
    ///
    /// # Errors
    /// When it cannot be started.
    pub async fn restart(&self, name: &str) -> Result<(), Error> {
        self.link.respawn(name).await
    }

    /// Resolves when an essential process ends by itself, with what is known about it.
    pub async fn failed(&self) -> Error {
        self.link.any_ends(&start::ESSENTIAL).await
    }

    /// Waits until the node is Ready again, for example after a restart.
    ///
    /// # Errors
    /// When it is not within `limit`.
    pub async fn ready(&self, limit: Duration) -> Result<(), Error> {
        let wait = async {
            crate::kubernetes::node_ready(&self.client, &self.config.name)
                .await
                .map_err(Error::from)
        };
        link::within(
            limit,
            "the node's readiness",
            &self.link.log("kubelet"),
            wait,
        )
        .await
    }
}
