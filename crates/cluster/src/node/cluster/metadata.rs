//! The node's instance metadata service, at its true address inside the node.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    process::Command,
    sync::Arc,
};

use emu_core::exchanges::Arrival;

use super::{World, doors::Door};
use crate::{
    node::platform::PATH,
    sandbox::{
        imds::{Metadata, MetadataView},
        relay::Target as _,
    },
};

/// Its address. Source: AWS docs.
const ADDRESS: Ipv4Addr = Ipv4Addr::new(169, 254, 169, 254);

/// Opens it: pods are two hops away, the node's own network one.
pub(super) fn open(world: &Arc<World>) -> io::Result<Door> {
    let config = &world.config;
    let mut command = Command::new("ip");
    command
        .args(["addr", "add", &format!("{ADDRESS}/32"), "dev", "lo"])
        .env("PATH", PATH);
    let status = world.node.inside().spawn(command)?.wait()?;
    if !status.success() {
        return Err(io::Error::other(format!("ip addr add {ADDRESS}: {status}")));
    }
    let metadata = Arc::new(Metadata::new(
        &world.node.config().name,
        &config.region,
        config.clock.clone(),
        config.ids.clone(),
        Arc::clone(&config.node_credentials),
    ));
    let imds = config.imds;
    let take = move |arrival: Arrival, pod: Option<_>| {
        let view = MetadataView {
            metadata: Arc::clone(&metadata),
            imds,
            hops: if pod.is_some() { 2 } else { 1 },
        };
        tokio::spawn(async move { view.serve(Box::new(arrival.serve())).await });
    };
    let listener = world.node.listen(SocketAddr::from((ADDRESS, 80)))?;
    Door::open(
        listener,
        config.clock.exchanges(),
        Arc::clone(&world.inhabitants),
        Arc::new(take),
    )
}
