//! Images into the container's node: through a folder of this machine that it sees.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use async_trait::async_trait;
use emu_cluster::{ClusterError, external::ImageLoader};
use testcontainers::{
    ContainerAsync, GenericImage,
    core::{CmdWaitFor, ExecCommand},
};

/// Where the container sees the folder.
pub(super) const INSIDE: &str = "/emu-images";

/// Brings images into the one node.
pub(super) struct Loader {
    pub(super) container: Shared,
    pub(super) folder: PathBuf,
}

#[async_trait]
impl ImageLoader for Loader {
    async fn load(&self, archive: &Path) -> Result<(), ClusterError> {
        let failed = |message: String| ClusterError::Kubernetes {
            what: "bringing images into the container".into(),
            message,
        };
        let file = tempfile::Builder::new()
            .suffix(".tar")
            .tempfile_in(&self.folder)
            .map_err(|e| failed(e.to_string()))?;
        std::fs::copy(archive, file.path()).map_err(|e| failed(e.to_string()))?;
        let name = file
            .path()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        let inside = format!("{INSIDE}/{name}");
        run(
            &self.container,
            &["ctr", "--namespace", "k8s.io", "images", "import", &inside],
        )
        .await
        .map(drop)
        .map_err(failed)
    }
}

/// A container that is shared.
pub(super) type Shared = Arc<ContainerAsync<GenericImage>>;

/// Runs a program in the container and gives its output.
pub(super) async fn run(container: &Shared, words: &[&str]) -> Result<String, String> {
    let container = Arc::clone(container);
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let handle = tokio::runtime::Handle::current();
    // What it waits on may not change threads.
    tokio::task::spawn_blocking(move || handle.block_on(run_here(&container, words)))
        .await
        .map_err(|e| e.to_string())?
}

async fn run_here(container: &Shared, words: Vec<String>) -> Result<String, String> {
    let line = words.join(" ");
    let command = ExecCommand::new(words).with_cmd_ready_condition(CmdWaitFor::exit());
    let mut ran = container.exec(command).await.map_err(|e| e.to_string())?;
    let output = ran.stdout_to_vec().await.map_err(|e| e.to_string())?;
    let errors = ran.stderr_to_vec().await.map_err(|e| e.to_string())?;
    match ran.exit_code().await.map_err(|e| e.to_string())? {
        Some(0) => Ok(String::from_utf8_lossy(&output).into_owned()),
        _ => Err(format!(
            "`{line}`: {}",
            String::from_utf8_lossy(&errors).trim()
        )),
    }
}
