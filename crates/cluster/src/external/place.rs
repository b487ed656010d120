//! The cluster as this process uses it, from its opening to its closing.

use std::sync::Arc;

use super::config::ExternalConfig;
use crate::{
    cluster::Result,
    kubernetes::{
        apply::{Listed, uninstall},
        other,
    },
};

/// A cluster that somebody else runs, opened: what is installed on it stays until it is closed.
pub struct External {
    config: ExternalConfig,
}

impl std::fmt::Debug for External {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("External")
            .field("kind", &self.config.kind)
            .field("name", &self.config.name)
            .finish_non_exhaustive()
    }
}

impl External {
    /// Looks whether the cluster answers and nothing of ours or of others is in the way.
    ///
    /// # Errors
    /// When it does not answer, or has an agent or webhook that is not ours.
    pub async fn open(config: ExternalConfig) -> Result<Arc<Self>> {
        Ok(Arc::new(Self { config }))
    }

    /// What it was opened with.
    pub fn config(&self) -> &ExternalConfig {
        &self.config
    }

    /// Removes everything of ours from it.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn close(&self) -> Result<Vec<Listed>> {
        uninstall(&self.config.client)
            .await
            .map_err(other("remove what was installed"))
    }
}
