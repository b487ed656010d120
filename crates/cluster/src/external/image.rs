//! Emu's own image on the cluster's nodes.

use std::path::PathBuf;

use super::{nodes::Nodes, place::External};
use crate::{
    cluster::{ClusterError, Result},
    image,
};

/// An image as a pod names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pulled {
    pub(super) reference: String,
    /// `Never` for one that was loaded.
    pub(super) policy: &'static str,
}

fn failed(error: impl std::fmt::Display) -> ClusterError {
    ClusterError::Kubernetes {
        what: "emu's own image could not be brought to the nodes".into(),
        message: error.to_string(),
    }
}

impl External {
    /// Emu's own image, loaded if it must be.
    pub(super) async fn emu_image(&self, nodes: &Nodes) -> Result<Pulled> {
        let found = self.image.get_or_try_init(|| async {
            match (&self.config.images, &self.config.image) {
                (Some(_), _) => self.load_emu(nodes).await,
                (None, Some(reference)) => Ok(Pulled {
                    reference: reference.clone(),
                    policy: "IfNotPresent",
                }),
                (None, None) => Err(ClusterError::Kubernetes {
                    what: "emu's own image".into(),
                    message: "the cluster pulls its images and was given no reference: push what \
                              `emu image -o FILE` writes to where it pulls from, and name that \
                              with --image"
                        .into(),
                }),
            }
        });
        found.await.cloned()
    }

    async fn load_emu(&self, nodes: &Nodes) -> Result<Pulled> {
        let loaded = |reference| Pulled {
            reference,
            policy: "Never",
        };
        if let Some(reference) = &self.config.loaded {
            return Ok(loaded(reference.clone()));
        }
        let program = match &self.config.program {
            Some(program) => program.clone(),
            None => std::env::current_exe().map_err(failed)?,
        };
        let reading = program.clone();
        let reference = blocking(move || image::emu_reference(&reading)).await?;
        if !nodes.have_image(&reference) {
            let named = reference.clone();
            self.load(move |path| image::emu(&named, &program)?.write_archive(&path))
                .await?;
        }
        Ok(loaded(reference))
    }

    /// Loads an image that is written for it.
    pub(super) async fn load(
        &self,
        write: impl FnOnce(PathBuf) -> std::result::Result<(), image::Error> + Send + 'static,
    ) -> Result<()> {
        let Some(loader) = &self.config.images else {
            return Err(failed("the cluster pulls its images"));
        };
        let folder = tempfile::tempdir().map_err(failed)?;
        let archive = folder.path().join("image.tar");
        let path = archive.clone();
        blocking(move || write(path)).await?;
        loader.load(&archive).await
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> std::result::Result<T, image::Error> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(failed)?
        .map_err(failed)
}
