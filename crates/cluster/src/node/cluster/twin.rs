//! Our own agent on a real node: it runs in this process and listens at the agent's addresses inside the node.

use std::{
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use async_trait::async_trait;
use emu_agent::{
    Endpoint, KeySource, ListenerId, NodeKeys, NodeKeysError, SdkSettings, Twin, TwinConfig,
    TwinListener,
};
use emu_core::journal::PodRef;
use tokio::net::TcpStream;

use super::{World, doors::Door};
use crate::{
    cluster::{AgentState, Result},
    fault::FaultPlace,
    kubernetes::token::jwks,
    node::address::{AGENT_IPV4, AGENT_IPV6},
    sandbox::{
        NodeCredentials,
        gate::{Gate, loopback_socket},
        relay::{self, Route, Target, Wire},
    },
};

/// A running twin; dropping it stops it.
pub(super) struct OnNode {
    pub(super) upstream: Gate,
    doors: Vec<Door>,
    ways: Arc<Ways>,
    watch: tokio::task::AbortHandle,
}

impl Drop for OnNode {
    fn drop(&mut self) {
        self.watch.abort();
        self.doors.clear();
    }
}

/// A pod, where it is known, and the agent's address it calls.
type Caller = (Option<PodRef>, &'static str);

/// For each pod a socket of this machine through which its connections reach the twin: so it knows whose they are.
struct Ways {
    twin: Arc<Twin>,
    known: Mutex<HashMap<Caller, (ListenerId, SocketAddr)>>,
}

impl Ways {
    fn to(&self, host: &'static str, pod: Option<&PodRef>) -> io::Result<SocketAddr> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (pod.cloned(), host);
        if let Some((_, address)) = known.get(&key) {
            return Ok(*address);
        }
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = socket.local_addr()?;
        let id = self.twin.add_listener(TwinListener {
            socket,
            address: host.into(),
            pod: pod.cloned(),
        })?;
        known.insert(key, (id, address));
        Ok(address)
    }

    fn forget(&self, pod: &PodRef) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|(of, _), (id, _)| {
            let stays = of.as_ref() != Some(pod);
            if !stays {
                self.twin.remove_listener(*id);
            }
            stays
        });
    }
}

struct To(SocketAddr);

#[async_trait]
impl Target for To {
    async fn serve(&self, wire: Box<dyn Wire>) -> io::Result<()> {
        relay::copy(wire, TcpStream::connect(self.0).await?).await
    }
}

impl OnNode {
    pub(super) fn start(world: &Arc<World>) -> Result<Self> {
        let failed = |message: String| world.agent_failed(&message);
        let config = &world.config;
        let name = world.node.config().name.clone();
        let socket = loopback_socket().map_err(|e| failed(e.to_string()))?;
        let upstream = upstream(world, socket)?;
        let endpoint = Endpoint::Environment(format!("http://{}", upstream.address()));
        let credentials = Arc::new(Keys {
            node: name.clone(),
            source: Arc::clone(&config.node_credentials),
        });
        let mut twin = TwinConfig::new(&config.name, endpoint, credentials);
        twin.sdk = SdkSettings::new(&config.region);
        twin.settings = config.agent.clone();
        twin.clock = config.clock.clone();
        twin.journal = Some(config.journal.clone());
        twin.node = name;
        twin.keys = Some(Arc::new(ClusterKeys(world.node.client())));
        let twin = Arc::new(Twin::start(twin).map_err(|e| failed(e.to_string()))?);
        let ways = Arc::new(Ways {
            twin: Arc::clone(&twin),
            known: Mutex::default(),
        });
        let mut doors = vec![
            open(world, &ways, (AGENT_IPV4, 80).into(), "169.254.170.23")
                .map_err(|e| failed(format!("listening at {AGENT_IPV4}: {e}")))?,
        ];
        // Where the kernel has no IPv6 the node has no such address.
        doors.extend(open(world, &ways, (AGENT_IPV6, 80).into(), "[fd00:ec2::23]").ok());
        let (weak, owner) = (Arc::downgrade(&twin), Arc::downgrade(world));
        drop(twin);
        let watch = tokio::spawn(async move {
            let Some(twin) = weak.upgrade() else { return };
            let words = format!("panic: {}", twin.crashed().await);
            if let Some(world) = owner.upgrade() {
                world.agent_ended(AgentState::Crashed(words));
            }
        });
        Ok(Self {
            upstream,
            doors,
            ways,
            watch: watch.abort_handle(),
        })
    }

    /// Stops it; when this returns, connections to its addresses are refused.
    pub(super) async fn stop(mut self) {
        for door in std::mem::take(&mut self.doors) {
            door.close().await;
        }
    }

    /// A pod is gone.
    pub(super) fn forget(&self, pod: &PodRef) {
        self.ways.forget(pod);
    }
}

/// The agent's way to the emulator, from a bound socket, as open as the faults let it be.
pub(super) fn upstream(world: &Arc<World>, socket: OwnedFd) -> Result<Gate> {
    let places = vec![FaultPlace::AgentToEksAuth(world.node.config().name.clone())];
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
    let open = || {
        let gate = Gate::new(socket, world.config.clock.exchanges(), Arc::new(serve))?;
        gate.set(door)?;
        Ok::<_, io::Error>(gate)
    };
    open().map_err(|e| world.agent_failed(&e.to_string()))
}

fn open(
    world: &Arc<World>,
    ways: &Arc<Ways>,
    address: SocketAddr,
    host: &'static str,
) -> io::Result<Door> {
    let node = world.node.config().name.clone();
    let (ways, faults) = (Arc::clone(ways), Arc::clone(&world.faults));
    let clock = world.config.clock.clone();
    let take = move |stream: TcpStream, pod: Option<PodRef>| {
        let mut places = Vec::new();
        if let Some(pod) = &pod {
            let name = crate::cluster::PodName::new(&pod.namespace, &pod.name);
            places.push(FaultPlace::PodToAgent(name));
        }
        places.push(FaultPlace::NodePodsToAgent(node.clone()));
        let route = Route {
            places,
            faults: Arc::clone(&faults),
            clock: clock.clone(),
        };
        let ways = Arc::clone(&ways);
        tokio::spawn(async move {
            match ways.to(host, pod.as_ref()) {
                Ok(way) => route.carry(stream.into(), &To(way)).await,
                Err(error) => tracing::warn!(%error, "no way to the agent"),
            }
        });
    };
    let listener = world.node.listen(address)?;
    Door::open(listener, Arc::clone(&world.inhabitants), Arc::new(take))
}

/// The node's keys, which a node gets from its metadata.
struct Keys {
    node: String,
    source: Arc<dyn NodeCredentials>,
}

#[async_trait]
impl emu_agent::NodeCredentials for Keys {
    async fn keys(&self) -> std::result::Result<NodeKeys, NodeKeysError> {
        // The text of the SDK's chain; inferred for a node without a role.
        const NO_ROLE: &str = "no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error \
                               StatusCode: 404, request to EC2 IMDS failed";
        let keys = self.source.keys(&self.node).await;
        let keys = keys.ok_or_else(|| NodeKeysError(NO_ROLE.into()))?;
        Ok(NodeKeys {
            access_key_id: keys.access_key_id,
            secret_access_key: keys.secret_access_key,
            session_token: keys.session_token,
        })
    }
}

/// The cluster's public keys, for the profiles that check tokens themselves.
struct ClusterKeys(kube::Client);

#[async_trait]
impl KeySource for ClusterKeys {
    async fn key_set(&self) -> std::result::Result<String, String> {
        let keys = jwks(&self.0).await.map_err(|e| e.to_string())?;
        Ok(keys.to_string())
    }
}
