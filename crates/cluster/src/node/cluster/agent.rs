//! The agent of a real node: a DaemonSet on the node's network. Amazon's is put into an image from a local binary; the twin is
//! a program of this machine, which its container sees as pods see theirs.

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;
use emu_core::{Event, exchanges::Arrival};
use tokio::net::TcpStream;

use super::{World, doors::Door};
use crate::{
    cluster::{ClusterError, Result},
    fault::FaultPlace,
    image::Image,
    kubernetes::{
        AgentInstall, agent_events,
        agent_set::AgentSet,
        agent_words::{behaviour, environment, server_words},
        library_folders,
    },
    node::{PAUSE_IMAGE, address::AGENT_IPV6},
    sandbox::{
        AgentKind,
        gate::{Gate, loopback_socket},
        relay::{self, Route, Target, Wire},
    },
};

/// The image's name: one for each binary of a run.
const IMAGE: &str = "emu.local/eks-pod-identity-agent:local";
/// How long it may take to be ready, in real time.
const START: Duration = Duration::from_secs(60);

/// The installed agent.
pub(super) struct Agent {
    pub(super) upstream: Gate,
    set: AgentSet,
    /// Where the twin tells what it did.
    _events: Option<Door>,
    log: Option<tokio::task::AbortHandle>,
}

impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(log) = &self.log {
            log.abort();
        }
    }
}

fn failed(world: &World, message: impl ToString) -> ClusterError {
    world.agent_failed(&message.to_string())
}

impl Agent {
    pub(super) async fn start(world: &Arc<World>) -> Result<Self> {
        let config = &world.config;
        let upstream = upstream(world).map_err(|e| failed(world, e))?;
        let set = AgentSet::new(world.node.client());
        let (install, events, kind, version) = match &config.agent_kind {
            AgentKind::Real(binary) => {
                world.bring_image(binary).await?;
                let version = emu_agent::asked_version(binary).await.unwrap_or_default();
                (install(world, upstream.address()), None, "real", version)
            }
            AgentKind::Twin => {
                let (events, address) = listen_for_events(world).map_err(|e| failed(world, e))?;
                let install = twin(world, upstream.address(), address)?;
                (install, Some(events), "twin", config.agent.profile.clone())
            }
            AgentKind::Absent => return Err(failed(world, "the node has none")),
            AgentKind::Image(_) => return Err(failed(world, "the node pulls no images")),
        };
        set.apply(&install).await.map_err(|e| failed(world, e))?;
        let node = config.node.name.clone();
        let log = events.is_none().then(|| {
            let named = node.clone();
            let following = set
                .clone()
                .follow_logs(config.journal.clone(), Arc::new(move |_| named.clone()));
            tokio::spawn(following).abort_handle()
        });
        let agent = Self {
            upstream,
            set,
            _events: events,
            log,
        };
        let ready = agent.set.ready(std::slice::from_ref(&node), START).await;
        ready.map_err(|e| failed(world, e))?;
        config.journal.record(Event::AgentStarted {
            node,
            kind: kind.into(),
            version,
        });
        Ok(agent)
    }

    /// Removes it and waits until its pod is gone.
    pub(super) async fn stop(self, world: &World) -> Result<()> {
        self.set.remove().await.map_err(|e| failed(world, e))
    }
}

struct To(SocketAddr);

#[async_trait]
impl Target for To {
    async fn serve(&self, wire: Box<dyn Wire>) -> io::Result<()> {
        relay::copy(wire, TcpStream::connect(self.0).await?).await
    }
}

/// The agent's way to the emulator, on the node's own loopback, which a pod on the node's network shares; as open as the
/// faults let it be.
fn upstream(world: &Arc<World>) -> io::Result<Gate> {
    let socket = world.node.inside().run(loopback_socket)?;
    let places = vec![FaultPlace::AgentToEksAuth(world.config.node.name.clone())];
    let door = world.faults.door(&places);
    let route = Arc::new(Route {
        places,
        faults: Arc::clone(&world.faults),
        clock: world.config.clock.clone(),
    });
    let address = world.config.emulator.address;
    let serve = move |stream| {
        let route = Arc::clone(&route);
        tokio::spawn(async move { route.carry(stream, &To(address)).await });
    };
    let gate = Gate::new(socket, world.config.clock.exchanges(), Arc::new(serve))?;
    gate.set(door)?;
    Ok(gate)
}

/// A listener on the node's loopback for what the twin tells.
fn listen_for_events(world: &Arc<World>) -> io::Result<(Door, SocketAddr)> {
    let listener = world.node.listen(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    let address = listener.local_addr()?;
    let (journal, node) = (world.config.journal.clone(), world.config.node.name.clone());
    let take = move |arrival: Arrival, _| {
        let (journal, node) = (journal.clone(), node.clone());
        tokio::spawn(async move {
            agent_events::record(arrival.into_stream(), &journal, |_| node.clone()).await;
        });
    };
    let exchanges = world.config.clock.exchanges();
    let inhabitants = Arc::clone(&world.inhabitants);
    let door = Door::open(listener, exchanges, inhabitants, Arc::new(take))?;
    Ok((door, address))
}

fn install(world: &World, upstream: SocketAddr) -> AgentInstall {
    let config = &world.config;
    // Where the kernel has no IPv6 the node has no such address.
    let ipv6 = world
        .node
        .inside()
        .run(|| std::net::UdpSocket::bind((AGENT_IPV6, 0)).map(drop));
    let mut arguments = server_words(&config.name, ipv6.is_ok());
    arguments.extend(behaviour(&config.agent));
    let mut env = vec![
        ("AWS_REGION".into(), config.region.clone()),
        (
            "AWS_ENDPOINT_URL_EKS_AUTH".into(),
            format!("http://{upstream}"),
        ),
    ];
    env.extend(environment(&config.agent));
    AgentInstall {
        image: IMAGE.into(),
        command: Vec::new(),
        arguments,
        env,
        // The node has the link already; where it is of another kind, the agent's own `initialize` adopts it as well.
        init: None,
        makes_link: false,
        folders: Vec::new(),
        node_variable: None,
        token: config.agent.profile.starts_with("0.2"),
        stopped: Vec::new(),
        probe_port: 2703,
        pull_policy: "Never".into(),
    }
}

/// The twin: this program, or the one that stands in for it.
fn twin(world: &World, upstream: SocketAddr, events: SocketAddr) -> Result<AgentInstall> {
    let config = &world.config;
    let program: PathBuf = match &config.node.program {
        Some(program) => program.clone(),
        None => std::env::current_exe()
            .map_err(ClusterError::system("find the program that is the twin"))?,
    };
    let mut install = install(world, upstream);
    install.image = PAUSE_IMAGE.into();
    install.command = vec![program.to_string_lossy().into_owned(), "agent".into()];
    let profile = ["--profile".into(), config.agent.profile.clone()];
    install.arguments.extend(profile);
    install.folders = library_folders();
    if !install
        .folders
        .iter()
        .any(|folder| program.starts_with(folder))
    {
        install.folders.push(program);
    }
    let api_server = config.node.addresses.api_server();
    install.env.extend([
        (agent_events::WHERE.into(), events.to_string()),
        // There is no kube-proxy to find the service by.
        (
            "KUBERNETES_SERVICE_HOST".into(),
            api_server.ip().to_string(),
        ),
        (
            "KUBERNETES_SERVICE_PORT".into(),
            api_server.port().to_string(),
        ),
    ]);
    install.node_variable = Some(agent_events::NODE.into());
    Ok(install)
}

impl World {
    async fn bring_image(&self, binary: &Path) -> Result<()> {
        let archive = self.node.run_dir().join("agent.tar");
        let (path, binary) = (archive.clone(), binary.to_owned());
        tokio::task::spawn_blocking(move || {
            Image::new(IMAGE)
                .program(&binary, "/eks-pod-identity-agent")?
                .entrypoint(["/eks-pod-identity-agent"])
                .write_archive(&path)
        })
        .await
        .map_err(|e| failed(self, e))?
        .map_err(|e| failed(self, e))?;
        self.node
            .import(&archive)
            .await
            .map(drop)
            .map_err(|e| failed(self, e))
    }
}
