//! A pod of the sandbox.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    net::{IpAddr, SocketAddr},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use emu_core::{exchanges::Arrival, journal::PodRef};
use k8s_openapi::api::core::v1::{Container, Pod};
use tokio::{net::TcpStream, task::AbortHandle};

use super::{
    agent::Family,
    config::{Emulator, SandboxConfig},
    dial::Dialer,
    env,
    faults::Faults,
    gate::{Door, Gate, loopback_socket},
    imds::MetadataView,
    isolation::Isolation,
    node::Node,
    programs::{Programs, Spawner, Start, end_all_in},
    rehost::Rehosted,
    relay::{self, Route, Target, Wire},
    space::{self, Entry, Shown, Space, SpacePlan, User},
    tokens::{PodTokens, volume_directory},
};
use crate::{
    cluster::{ClusterError, PodName, Result},
    fault::FaultPlace,
    program::Program,
};

/// The address of instance metadata. Source: AWS docs.
pub(super) const METADATA: std::net::Ipv4Addr = std::net::Ipv4Addr::new(169, 254, 169, 254);

/// What making a pod needs of its sandbox.
pub(super) struct Surroundings<'a> {
    pub(super) config: &'a SandboxConfig,
    pub(super) isolation: &'a Isolation,
    pub(super) faults: &'a Arc<Faults>,
    /// An empty directory.
    pub(super) empty: &'a Path,
}

/// A pod that exists.
pub(super) struct PodRecord {
    pub(super) name: PodName,
    pub(super) reference: PodRef,
    /// As it was handed in.
    pub(super) submitted: Pod,
    /// As it was stored.
    pub(super) stored: Pod,
    pub(super) node: Arc<Node>,
    pub(super) tokens: Arc<PodTokens>,
    pub(super) programs: Programs,
    dialer: Dialer,
    directory: PathBuf,
    empty: PathBuf,
    rotation: AbortHandle,
    space: Option<Arc<Space>>,
    net_inode: Option<u64>,
    containers: tokio::sync::Mutex<HashMap<String, Option<Arc<Space>>>>,
    agent: Vec<(Family, Gate)>,
    metadata: Option<Gate>,
    emulator: Option<Gate>,
    places: Vec<FaultPlace>,
    faults: Arc<Faults>,
}

/// Passes connections on to an address of this machine.
pub(super) struct Passed(pub(super) SocketAddr);

#[async_trait::async_trait]
impl Target for Passed {
    async fn serve(&self, wire: Box<dyn Wire>) -> io::Result<()> {
        relay::copy(wire, TcpStream::connect(self.0).await?).await
    }
}

/// What a new pod is made of.
pub(super) struct Parts {
    pub(super) name: PodName,
    pub(super) reference: PodRef,
    pub(super) submitted: Pod,
    pub(super) stored: Pod,
    pub(super) node: Arc<Node>,
    pub(super) tokens: Arc<PodTokens>,
    /// Where the pod's volumes lie.
    pub(super) directory: PathBuf,
}

impl PodRecord {
    /// Makes the pod's namespaces and opens its gates. Its tokens have been written.
    pub(super) async fn create(parts: Parts, around: Surroundings<'_>) -> Result<Arc<Self>> {
        let Parts {
            name,
            reference,
            submitted,
            stored,
            node,
            tokens,
            directory,
        } = parts;
        let sockets = make_space(&stored, &node, &directory, &around)
            .await
            .map_err(ClusterError::system(format!("set up pod {name}")))?;
        let places = vec![
            FaultPlace::PodToAgent(name.clone()),
            FaultPlace::NodePodsToAgent(node.spec.name.clone()),
        ];
        let record = Self {
            dialer: Dialer::new(sockets.space.clone()),
            rotation: tokio::spawn(Arc::clone(&tokens).keep_fresh(around.config.clock.busy()))
                .abort_handle(),
            net_inode: sockets.space.as_ref().and_then(|s| s.net_inode().ok()),
            containers: tokio::sync::Mutex::new(HashMap::from_iter(
                first_container(&stored).map(|c| (c.name.clone(), sockets.space.clone())),
            )),
            space: sockets.space,
            agent: Vec::new(),
            metadata: None,
            emulator: None,
            faults: Arc::clone(around.faults),
            empty: around.empty.to_owned(),
            programs: Programs::default(),
            places,
            name,
            reference,
            submitted,
            stored,
            node,
            tokens,
            directory,
        };
        record
            .with_gates(sockets.gates, around.config)
            .map(Arc::new)
            .map_err(ClusterError::system("open a pod's sockets"))
    }

    fn with_gates(
        mut self,
        sockets: Vec<(Use, OwnedFd)>,
        config: &SandboxConfig,
    ) -> io::Result<Self> {
        let exchanges = config.clock.exchanges();
        for (used, socket) in sockets {
            match used {
                Use::Agent(family) => {
                    let called = match self.space {
                        Some(_) => None,
                        None => {
                            Some(std::net::TcpListener::from(socket.try_clone()?).local_addr()?)
                        }
                    };
                    let gate = Gate::new(socket, exchanges, self.to_agent(family, called, config))?;
                    self.agent.push((family, gate));
                }
                Use::Emulator => {
                    let gate = Gate::new(socket, exchanges, self.to_emulator(&config.emulator))?;
                    gate.set(Door::Open)?;
                    self.emulator = Some(gate);
                }
                Use::Metadata(view) => {
                    let view = Arc::new(view);
                    let serve = move |arrival: Arrival| {
                        let view = Arc::clone(&view);
                        tokio::spawn(async move { view.serve(Box::new(arrival.serve())).await });
                    };
                    let gate = Gate::new(socket, exchanges, Arc::new(serve))?;
                    gate.set(Door::Open)?;
                    self.metadata = Some(gate);
                }
            }
        }
        self.refresh()?;
        Ok(self)
    }

    fn to_agent(
        &self,
        family: Family,
        called: Option<SocketAddr>,
        config: &SandboxConfig,
    ) -> super::gate::Serve {
        let route = Arc::new(Route {
            places: self.places.clone(),
            faults: Arc::clone(&self.faults),
            clock: config.clock.clone(),
        });
        let node = Arc::clone(&self.node);
        let pod = self.reference.clone();
        Arc::new(move |arrival| {
            let (route, node, pod) = (Arc::clone(&route), Arc::clone(&node), pod.clone());
            tokio::spawn(async move {
                let target = node.agent_target(family, &pod).await;
                let target = target.map(|target| match called {
                    Some(called) => Arc::new(Rehosted { target, called }),
                    None => target,
                });
                match target {
                    Some(target) => route.carry(arrival, target.as_ref()).await,
                    None => drop(relay::reset(&arrival.stream)),
                }
            });
        })
    }

    fn to_emulator(&self, emulator: &Emulator) -> super::gate::Serve {
        let (emulator, pod) = (emulator.clone(), self.reference.clone());
        Arc::new(move |arrival| match &emulator.serve {
            Some(serve) => serve(arrival.serve(), pod.clone()),
            None => {
                let target = Passed(emulator.address);
                tokio::spawn(async move { target.serve(Box::new(arrival.serve())).await });
            }
        })
    }

    /// Opens and shuts the pod's doors to the agent as the agent and the faults demand.
    pub(super) fn refresh(&self) -> io::Result<()> {
        for (family, gate) in &self.agent {
            let door = match self.faults.door(&self.places) {
                Door::Open if !self.node.answers(*family) => Door::Refuse,
                door => door,
            };
            gate.set(door)?;
        }
        Ok(())
    }

    /// Starts a program.
    pub(super) async fn start(
        &self,
        program: Program,
        spawner: &Spawner,
        config: &SandboxConfig,
        group: Option<Arc<emu_vtime::Group>>,
    ) -> Result<crate::child::ChildProgram> {
        let first = program.argv.first().cloned().unwrap_or_default();
        let failed = |source| ClusterError::Program {
            pod: self.name.clone(),
            program: first.clone(),
            source,
        };
        let container = self.container(program.container.as_deref())?;
        let space = self.space_of(container).await.map_err(failed)?;
        let here = match &program.directory {
            Some(directory) => directory.clone(),
            None => std::env::current_dir().unwrap_or_else(|_| "/".into()),
        };
        let mut entry = Entry::new(space, &here).map_err(failed)?;
        entry.user = self.user_of(container);
        let mut env = self.env(container, config);
        env.extend(program.env.clone());
        for name in &program.unset {
            env.remove(name);
        }
        let start = Start {
            program,
            env,
            entry,
            group,
            pod: self.reference.clone(),
            journal: config.journal.clone(),
        };
        self.programs.start(spawner, start).await.map_err(failed)
    }

    /// The files by which this process holds the pod's namespaces.
    pub(super) fn namespace_files(&self) -> Vec<PathBuf> {
        self.space
            .as_ref()
            .map(|space| space.files())
            .unwrap_or_default()
    }

    /// The variables a program of a container gets.
    pub(super) fn env(
        &self,
        container: &Container,
        config: &SandboxConfig,
    ) -> BTreeMap<String, String> {
        let mut env = env::inherited();
        let emulator = match (&self.space, &self.emulator) {
            (Some(_), Some(gate)) => gate.address(),
            _ => config.emulator.address,
        };
        env.insert("AWS_ENDPOINT_URL".into(), format!("http://{emulator}"));
        env.insert("HOSTNAME".into(), self.name.name.clone());
        env.extend(config.env.clone());
        env.extend(env::of_container(&self.stored, container));
        if self.space.is_none() {
            let detour = env::Detour {
                agent: self.agent.first().map(|(_, gate)| gate.address()),
                metadata: self.metadata.as_ref().map(Gate::address),
                shown: &self.shown(container),
            };
            detour.apply(&mut env);
        }
        env
    }

    /// A container by name; the first without.
    pub(super) fn container(&self, name: Option<&str>) -> Result<&Container> {
        let spec = self.stored.spec.as_ref();
        let mut all = spec.into_iter().flat_map(|s| {
            s.containers
                .iter()
                .chain(s.init_containers.iter().flatten())
        });
        match name {
            Some(name) => all.find(|c| c.name == name),
            None => all.next(),
        }
        .ok_or_else(|| ClusterError::NotFound {
            what: "container",
            name: format!("{} in pod {}", name.unwrap_or_default(), self.name),
        })
    }

    async fn space_of(&self, container: &Container) -> io::Result<Option<Arc<Space>>> {
        let mut containers = self.containers.lock().await;
        if let Some(space) = containers.get(&container.name) {
            return Ok(space.clone());
        }
        let space = match &self.space {
            Some(space) => {
                let shown = self.shown(container);
                let space = Arc::clone(space);
                let made = tokio::task::spawn_blocking(move || space.with_mounts(&shown));
                Some(Arc::new(made.await??))
            }
            None => None,
        };
        containers.insert(container.name.clone(), space.clone());
        Ok(space)
    }

    fn shown(&self, container: &Container) -> Vec<Shown> {
        shown(&self.stored, container, &self.directory, &self.empty)
    }

    fn user_of(&self, container: &Container) -> Option<User> {
        let of_pod = self.stored.spec.as_ref()?.security_context.as_ref();
        let own = container.security_context.as_ref();
        let number = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
        let uid = own
            .and_then(|c| c.run_as_user)
            .or(of_pod.and_then(|c| c.run_as_user));
        let gid = own
            .and_then(|c| c.run_as_group)
            .or(of_pod.and_then(|c| c.run_as_group));
        let group = of_pod.and_then(|c| c.fs_group);
        // Only root can become somebody else.
        if !nix::unistd::geteuid().is_root() {
            return None;
        }
        Some(User {
            uid: number(uid)?,
            gid: number(gid).unwrap_or(0),
            extra: number(group),
        })
    }

    /// Connects from within the pod.
    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.dialer.connect(self.detour(address)).await
    }

    /// Where an address really is when there are no namespaces.
    fn detour(&self, address: SocketAddr) -> SocketAddr {
        if self.space.is_some() {
            return address;
        }
        let agent = [
            IpAddr::from(super::agent::V4),
            IpAddr::from(super::agent::V6),
        ];
        let found = if agent.contains(&address.ip()) {
            self.agent.first().map(|(_, gate)| gate.address())
        } else if address.ip() == IpAddr::from(METADATA) {
            self.metadata.as_ref().map(Gate::address)
        } else {
            None
        };
        found.unwrap_or(address)
    }

    /// Shuts the pod's doors and ends what runs in it; it is about to go.
    pub(super) fn close(&self) {
        self.rotation.abort();
        let gates = self.agent.iter().map(|(_, gate)| gate);
        for gate in gates.chain(&self.metadata).chain(&self.emulator) {
            let _ = gate.set(Door::Refuse);
        }
        self.end_programs();
    }

    /// Ends every program of the pod.
    pub(super) fn end_programs(&self) {
        self.programs.end_all();
        if let Some(inode) = self.net_inode {
            end_all_in(inode);
        }
    }
}

impl Drop for PodRecord {
    fn drop(&mut self) {
        self.rotation.abort();
        self.end_programs();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

fn first_container(pod: &Pod) -> Option<&Container> {
    pod.spec.as_ref()?.containers.first()
}

/// What a container sees where: its volumes that hold files here, and nothing of the user's own AWS files.
fn shown(pod: &Pod, container: &Container, directory: &Path, empty: &Path) -> Vec<Shown> {
    let volumes = pod.spec.iter().flat_map(|s| s.volumes.iter().flatten());
    let here: HashMap<&str, bool> = volumes
        .filter(|v| v.projected.is_some() || v.empty_dir.is_some())
        .map(|v| (v.name.as_str(), v.projected.is_some()))
        .collect();
    let mut out: Vec<Shown> = container
        .volume_mounts
        .iter()
        .flatten()
        .filter_map(|mount| {
            let projected = here.get(mount.name.as_str())?;
            Some(Shown {
                source: volume_directory(directory, &mount.name),
                target: PathBuf::from(&mount.mount_path),
                read_only: *projected || mount.read_only.unwrap_or(false),
            })
        })
        .collect();
    if let Some(home) = std::env::home_dir() {
        let files = home.join(".aws");
        if files.is_dir() {
            out.push(Shown {
                source: empty.to_owned(),
                target: files,
                read_only: true,
            });
        }
    }
    out
}

/// What a socket of a pod is for.
enum Use {
    Agent(Family),
    Emulator,
    Metadata(MetadataView),
}

struct Sockets {
    space: Option<Arc<Space>>,
    gates: Vec<(Use, OwnedFd)>,
}

async fn make_space(
    pod: &Pod,
    node: &Node,
    directory: &Path,
    around: &Surroundings<'_>,
) -> io::Result<Sockets> {
    let host_network = pod
        .spec
        .as_ref()
        .and_then(|s| s.host_network)
        .unwrap_or(false);
    for volume in pod.spec.iter().flat_map(|s| s.volumes.iter().flatten()) {
        if volume.projected.is_some() || volume.empty_dir.is_some() {
            std::fs::create_dir_all(volume_directory(directory, &volume.name))?;
        }
    }
    let port = node.spec.agent.port;
    let ipv6 = node.spec.ipv6 && space::has_ipv6();
    let mut uses = vec![(Use::Agent(Family::V4), Family::V4.address(port))];
    if ipv6 && around.isolation.is_true() {
        uses.push((Use::Agent(Family::V6), Family::V6.address(port)));
    }
    if let Some(imds) = node.spec.imds {
        let view = MetadataView {
            metadata: Arc::clone(&node.metadata),
            imds,
            hops: if host_network { 1 } else { 2 },
        };
        uses.push((Use::Metadata(view), (METADATA, 80).into()));
    }
    if !around.isolation.is_true() {
        let mut gates = Vec::new();
        for (used, _) in uses {
            gates.push((used, loopback_socket()?));
        }
        return Ok(Sockets { space: None, gates });
    }
    uses.push((Use::Emulator, around.config.emulator_in_pods));
    let plan = SpacePlan {
        addresses: uses
            .iter()
            .map(|(_, address)| address.ip())
            .filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
            .collect(),
        bind: uses.iter().map(|(_, address)| *address).collect(),
        shown: first_container(pod)
            .map(|c| shown(pod, c, directory, around.empty))
            .unwrap_or_default(),
    };
    let isolation = around.isolation.clone();
    let (space, sockets) =
        tokio::task::spawn_blocking(move || Space::create(&isolation, &plan)).await??;
    Ok(Sockets {
        space: Some(Arc::new(space)),
        gates: uses
            .into_iter()
            .map(|(used, _)| used)
            .zip(sockets)
            .collect(),
    })
}
