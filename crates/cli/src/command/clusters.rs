//! What `emu up` says of its clusters, and what may be brought into them.

use std::path::PathBuf;

use emu_cluster::SharedCluster;
use emu_scenario::file::Located;
use serde::Deserialize;
use serde_json::{Value, json};

use super::up::Shared;

/// The clusters: name, kind, and a kubeconfig where there is an API server.
pub(super) async fn list(world: &Shared) -> Value {
    let world = world.lock().await;
    let clusters: Vec<Value> = world
        .clusters()
        .map(|cluster| {
            json!({
                "name": cluster.name(), "kind": cluster.kind(), "kubeconfig": cluster.kubeconfig(),
            })
        })
        .collect();
    json!({ "clusters": clusters })
}

#[derive(Deserialize)]
struct Load {
    archive: PathBuf,
    cluster: Option<String>,
}

/// Brings the images of an archive onto a cluster's nodes.
pub(super) async fn load(world: &Shared, body: &[u8]) -> Result<Value, String> {
    let load: Load = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let name = load.cluster.as_deref().map(Located::from);
    let cluster: SharedCluster = world
        .lock()
        .await
        .cluster(name.as_ref())
        .map_err(|t| t.message)?;
    let images = cluster
        .load_images(&load.archive)
        .await
        .map_err(|e| e.to_string())?;
    Ok(json!({ "cluster": cluster.name(), "images": images }))
}
