//! The way that pods' connections to the agent take while faults strike some of them: the node's packet filter sends them to
//! a listener of ours, which does to each what its fault says and carries the others on.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use emu_core::{exchanges::Arrival, journal::PodRef};
use tokio::net::TcpStream;

use super::{World, doors::Door};
use crate::{
    cluster::PodName,
    fault::FaultPlace,
    node::{address::AGENT_IPV4, netns::Inside},
    sandbox::relay::{self, Route, Target, Wire},
};

/// Its port, on the node's address.
const PORT: u16 = 9980;
/// How long the agent may take to accept, in real time.
const CONNECT: Duration = Duration::from_secs(5);

/// Where the packet filter sends connections.
pub(super) fn address(world: &World) -> SocketAddr {
    (world.config.node.addresses.node, PORT).into()
}

/// Opens it.
pub(super) fn open(world: &World) -> io::Result<Door> {
    let node = world.config.node.name.clone();
    let (faults, clock) = (Arc::clone(&world.faults), world.config.clock.clone());
    let inside = world.node.inside().clone();
    let take = move |arrival: Arrival, pod: Option<PodRef>| {
        let pod = pod.map(|pod| FaultPlace::PodToAgent(PodName::new(pod.namespace, pod.name)));
        let every = FaultPlace::NodePodsToAgent(node.clone());
        let route = Route {
            places: pod.into_iter().chain([every]).collect(),
            faults: Arc::clone(&faults),
            clock: clock.clone(),
        };
        let agent = Agent(inside.clone());
        tokio::spawn(async move { route.carry(arrival, &agent).await });
    };
    let listener = world.node.listen(address(world))?;
    let exchanges = world.config.clock.exchanges();
    Door::open(
        listener,
        exchanges,
        Arc::clone(&world.inhabitants),
        Arc::new(take),
    )
}

/// The agent, from the node's own network.
struct Agent(Inside);

#[async_trait]
impl Target for Agent {
    async fn serve(&self, wire: Box<dyn Wire>) -> io::Result<()> {
        let inside = self.0.clone();
        let connecting = move || inside.connect((AGENT_IPV4, 80).into(), CONNECT);
        let stream = tokio::task::spawn_blocking(connecting)
            .await
            .map_err(io::Error::other)??;
        stream.set_nonblocking(true)?;
        relay::copy(wire, TcpStream::from_std(stream)?).await
    }
}
