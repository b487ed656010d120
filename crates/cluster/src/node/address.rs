//! The addresses inside a node. They live in its own network namespace, so every node has the same ones.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};

use serde::{Deserialize, Serialize};

/// The address at which pods find the agent. Source: Amazon's agent and webhook.
pub const AGENT_IPV4: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 23);
/// The same for IPv6.
pub const AGENT_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);

/// Addresses of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Addresses {
    /// The node's own.
    pub node: Ipv4Addr,
    /// The pods' network, in CIDR notation.
    pub pods: String,
    /// The services' network, in CIDR notation.
    pub services: String,
    /// The first address of the services' network: the API server's.
    pub kubernetes: Ipv4Addr,
}

impl Default for Addresses {
    fn default() -> Self {
        Self {
            node: Ipv4Addr::new(10, 99, 0, 2),
            pods: "10.244.0.0/24".into(),
            services: "10.96.0.0/16".into(),
            kubernetes: Ipv4Addr::new(10, 96, 0, 1),
        }
    }
}

impl Addresses {
    /// Where the API server listens, inside the node.
    pub fn api_server(&self) -> SocketAddr {
        SocketAddr::from((self.node, 6443))
    }
}
