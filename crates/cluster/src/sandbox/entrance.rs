//! The way into a pod for another process of the same user.

use std::{collections::BTreeMap, path::PathBuf};

pub use emu_vtime::Invitation;
use serde::{Deserialize, Serialize};

use super::Sandbox;
use crate::cluster::{PodName, Result};

/// What a process without threads does to become a program of the pod: enter these namespaces, in this order, and take on
/// these variables. Good as long as this process and the pod live.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entrance {
    /// The user namespace, the network, the mounts; each only where the pod has one of its own.
    pub namespaces: Vec<PathBuf>,
    /// The pod's variables, those of its first container and the emulator's address among them.
    pub env: BTreeMap<String, String>,
}

impl Sandbox {
    /// Onto the pod's clock for a program from outside; nothing where programs keep real time.
    ///
    /// # Errors
    /// When there is no such pod, or its programs cannot be put under virtual time.
    pub async fn invitation(&self, pod: &PodName) -> Result<Option<Invitation>> {
        let offset = self.world.pod(pod)?.node.spec.clock_offset;
        let group = self.world.group(offset).await?;
        Ok(group.map(|group| group.invitation()))
    }

    /// The way into a pod.
    ///
    /// # Errors
    /// When there is no such pod.
    pub fn entrance(&self, pod: &PodName) -> Result<Entrance> {
        let env = self
            .program_env(pod, None)?
            .into_iter()
            .filter(|(name, _)| name.starts_with("AWS_") || name == "HOSTNAME")
            .collect();
        Ok(Entrance {
            namespaces: self.world.pod(pod)?.namespace_files(),
            env,
        })
    }
}
