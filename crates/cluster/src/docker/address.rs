//! The address at which nodes reach this machine.
//!
//! With Docker on the same Linux it is the gateway of the nodes' network: an address of a bridge on this machine. Where Docker runs in a
//! virtual machine (Docker Desktop, on Linux and WSL too), no gateway is an address of this machine; there nodes have a name for it,
//! behind which connections end at this machine's loopback.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use tokio::net::TcpListener;

use super::{Error, IpFamily, Provider, command::Commands, engine::Container, k3d, kind};

/// How long a node may take to connect.
const DIAL: Duration = Duration::from_secs(10);

/// How this machine is reached from nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HostAddress {
    /// The address nodes and pods connect to.
    pub reached: IpAddr,
    /// The address to listen on for that.
    pub listen: IpAddr,
}

impl HostAddress {
    fn direct(address: IpAddr) -> Self {
        Self {
            reached: address,
            listen: address,
        }
    }
}

/// Finds the address and tries it from a node.
pub(super) async fn find(
    commands: &Commands,
    provider: Provider,
    family: IpFamily,
    node: &str,
    container: &Container,
) -> Result<HostAddress, Error> {
    let fits = |ip: &IpAddr| ip.is_ipv6() == (family == IpFamily::Ipv6);
    let gateways: Vec<IpAddr> = container
        .gateways
        .values()
        .flatten()
        .copied()
        .filter(fits)
        .collect();
    for gateway in &gateways {
        if let Ok(listener) = TcpListener::bind((*gateway, 0)).await {
            let host = HostAddress::direct(*gateway);
            attempt(commands, provider, node, &host, listener).await?;
            return Ok(host);
        }
    }
    let words = match provider {
        Provider::Kind => kind::host_in_node(node),
        Provider::K3d => k3d::host_in_node(node),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let answer = commands.ask(&words).await?;
    let reached = answer
        .stdout
        .lines()
        .filter_map(|line| line.split_whitespace().next()?.parse().ok())
        .find(fits);
    let Some(reached) = reached.filter(|_| answer.success) else {
        let gateways: Vec<String> = gateways.iter().map(ToString::to_string).collect();
        return Err(Error::NoRoute {
            node: node.to_owned(),
            address: match gateways.as_slice() {
                [] => "any address".into(),
                _ => format!("{}, its gateway", gateways.join(", ")),
            },
            said: "no gateway of its networks is an address of this machine, and it has no name for the machine either".into(),
        });
    };
    let listen: IpAddr = if reached.is_ipv6() {
        Ipv6Addr::LOCALHOST.into()
    } else {
        Ipv4Addr::LOCALHOST.into()
    };
    let listener = TcpListener::bind((listen, 0))
        .await
        .map_err(Error::file("a port of loopback"))?;
    let host = HostAddress { reached, listen };
    attempt(commands, provider, node, &host, listener).await?;
    Ok(host)
}

/// Has a node connect, and sees whether it arrives: what is in between may accept by itself.
async fn attempt(
    commands: &Commands,
    provider: Provider,
    node: &str,
    host: &HostAddress,
    listener: TcpListener,
) -> Result<(), Error> {
    let port = listener.local_addr().map_err(Error::file("a port"))?.port();
    let address = SocketAddr::new(host.reached, port);
    let words = match provider {
        Provider::Kind => kind::dial(node, address),
        Provider::K3d => k3d::dial(node, address),
    };
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let no = |said: String| Error::NoRoute {
        node: node.to_owned(),
        address: address.to_string(),
        said,
    };
    let mut ignored = |_: &str| {};
    let dialled = commands.run(&words, DIAL, &mut ignored);
    tokio::pin!(dialled);
    tokio::select! {
        accepted = listener.accept() => {
            accepted.map_err(Error::file("a port"))?;
            Ok(())
        }
        answer = &mut dialled => match answer {
            // It ended before we looked.
            Ok(answer) if answer.success => tokio::time::timeout(Duration::from_secs(1), listener.accept())
                .await
                .map(drop)
                .map_err(|_| no("it connected to something else".into())),
            Ok(answer) => Err(no(match answer.stderr.trim() {
                "" => "no connection within 5 s".into(),
                said => said.lines().last().unwrap_or(said).to_owned(),
            })),
            Err(Error::Limit { limit, .. }) => Err(no(format!("no connection within {} s", limit.as_secs()))),
            Err(other) => Err(other),
        },
    }
}
