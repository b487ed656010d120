//! One world's cluster on an external one.

use std::net::SocketAddr;

use super::config::ExternalClusterConfig;
use crate::cluster::{ClusterError, Result};

/// One world's cluster on an external one.
pub struct ExternalCluster {
    config: ExternalClusterConfig,
}

impl ExternalCluster {
    /// Installs what is not there yet, and waits until it works.
    ///
    /// # Errors
    /// When something does not come up, or the cluster does not reach this machine.
    pub async fn start(config: ExternalClusterConfig) -> Result<Self> {
        Err(ClusterError::Unsupported {
            kind: config.external.config().kind,
            what: "be used".into(),
            why: "not in this version".into(),
        })
    }

    /// Where pods find the emulator.
    pub fn emulator_in_pods(&self) -> SocketAddr {
        self.config.emulator.address
    }
}
