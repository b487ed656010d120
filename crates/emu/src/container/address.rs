//! Where a container reaches this machine, and this machine a container.
//!
//! A container reaches this machine at the gateway of its default route where that is an address of this machine, otherwise at the
//! engine's name for it. This machine reaches a port that a container publishes where `testcontainers` says, which in a container is
//! the gateway of Docker's bridge; an engine may publish on loopback alone.

use std::{
    net::{IpAddr, Ipv4Addr, TcpListener},
    time::Duration,
};

use tokio::{net::TcpStream, time::timeout};

/// How long a connection to a port that is published may take.
const CONNECT: Duration = Duration::from_secs(2);

/// The first of these that takes a connection.
pub(super) async fn answering(places: &[(String, u16)]) -> Option<&(String, u16)> {
    for place in places {
        let (host, port) = place;
        if let Ok(Ok(_)) = timeout(CONNECT, TcpStream::connect((host.as_str(), *port))).await {
            return Some(place);
        }
    }
    None
}

/// The engine's name of this machine, which the container is given.
pub(super) const NAME: &str = "host.docker.internal";

/// The address for containers, and the one to listen on for that.
pub(super) fn host(route: &str, hosts: &str) -> Option<(IpAddr, IpAddr)> {
    let ours = |ip: &IpAddr| TcpListener::bind((*ip, 0)).is_ok();
    if let Some(gateway) = gateway(route).filter(ours) {
        return Some((gateway, gateway));
    }
    let named = hosts
        .lines()
        .filter(|line| line.split_whitespace().skip(1).any(|name| name == NAME))
        .find_map(|line| line.split_whitespace().next()?.parse().ok())?;
    if ours(&named) {
        return Some((named, named));
    }
    Some((named, Ipv4Addr::LOCALHOST.into()))
}

/// The gateway of the default route in the text of `/proc/net/route`: addresses are numbers in the machine's own byte order.
fn gateway(route: &str) -> Option<IpAddr> {
    route.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        (destination == "00000000" && gateway != 0)
            .then(|| Ipv4Addr::from(gateway.to_ne_bytes()).into())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_takes_a_connection_counts() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        // Nothing listens at the second address.
        let places = ["127.0.0.2", "127.0.0.1"].map(|host| (host.to_owned(), port));
        assert_eq!(answering(&places).await, Some(&places[1]));
        drop(listener);
        assert_eq!(answering(&places).await, None);
    }

    const ROUTE: &str = "Iface\tDestination\tGateway \tFlags\n\
        eth0\t000011AC\t00000000\t0001\neth0\t00000000\t010011AC\t0003\n";

    #[test]
    fn the_gateway_is_read() {
        assert_eq!(gateway(ROUTE).unwrap().to_string(), "172.17.0.1");
        assert_eq!(gateway("Iface\n"), None);
        assert_eq!(gateway("x\ny 00000000 zz\n"), None);
    }

    #[test]
    fn elsewhere_the_engines_name_counts() {
        let hosts = "127.0.0.1 localhost\n192.0.2.7\thost.docker.internal\n";
        let route = ROUTE.replace("010011AC", "010200C0");
        let (reached, listen) = host(&route, hosts).unwrap();
        assert_eq!(reached.to_string(), "192.0.2.7");
        assert_eq!(listen.to_string(), "127.0.0.1");
        assert_eq!(host(&route, ""), None);
        let (reached, listen) = host("", "127.0.0.1 host.docker.internal").unwrap();
        assert_eq!(reached, listen);
    }
}
