//! The agent of a node, whichever it is.

use std::{io, net::SocketAddr, sync::Arc};

use async_trait::async_trait;
use emu_core::journal::PodRef;

use super::relay::Target;

/// The agent's addresses. Source: agent 0.1.37.
pub(super) const V4: std::net::Ipv4Addr = std::net::Ipv4Addr::new(169, 254, 170, 23);
pub(super) const V6: std::net::Ipv6Addr =
    std::net::Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);

/// Which of the agent's listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Family {
    V4,
    V6,
}

impl Family {
    pub(super) fn address(self, port: u16) -> SocketAddr {
        match self {
            Self::V4 => (V4, port).into(),
            Self::V6 => (V6, port).into(),
        }
    }

    /// As `--bind-hosts` writes it.
    pub(super) fn host(self) -> &'static str {
        match self {
            Self::V4 => "169.254.170.23",
            Self::V6 => "[fd00:ec2::23]",
        }
    }
}

/// An agent that runs.
#[async_trait]
pub(super) trait Agent: Send + Sync {
    /// Whether it listens there.
    fn answers(&self, family: Family) -> bool;

    /// Takes a pod's connections.
    async fn target(&self, family: Family, pod: &PodRef) -> io::Result<Arc<dyn Target>>;

    /// A pod is gone: what was kept for it can go.
    fn forget(&self, pod: &PodRef);

    /// Ends it.
    async fn stop(&self);
}

/// An agent that did not come up, or went down, with its last words.
#[derive(Clone, Debug)]
pub(super) struct LastWords(pub(super) String);

/// The hosts an agent binds; its own default if none are named.
pub(super) fn bound(hosts: &[String]) -> Vec<Family> {
    let all = [Family::V4, Family::V6];
    if hosts.is_empty() {
        return all.to_vec();
    }
    all.into_iter()
        .filter(|f| hosts.iter().any(|h| h == f.host()))
        .collect()
}
