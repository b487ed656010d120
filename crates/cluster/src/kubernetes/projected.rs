//! Where a pod's projected tokens are.

use std::path::{Path, PathBuf};

use k8s_openapi::api::core::v1::Pod;

/// A projected token that names an audience.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TokenPlace {
    pub(crate) audience: String,
    /// The first container that has it.
    pub(crate) container: String,
    /// The volume.
    pub(crate) volume: String,
    /// Its file in that container.
    pub(crate) file: PathBuf,
}

/// The projected tokens of a pod that name an audience.
pub(crate) fn token_places(pod: &Pod) -> Vec<TokenPlace> {
    let Some(spec) = &pod.spec else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for volume in spec.volumes.iter().flatten() {
        let sources = volume
            .projected
            .iter()
            .flat_map(|p| p.sources.iter().flatten());
        for token in sources.filter_map(|s| s.service_account_token.as_ref()) {
            let Some(audience) = &token.audience else {
                continue;
            };
            let mounted = spec.containers.iter().find_map(|container| {
                let mounts = container.volume_mounts.iter().flatten();
                let mount = mounts.into_iter().find(|m| m.name == volume.name)?;
                Some(TokenPlace {
                    audience: audience.clone(),
                    container: container.name.clone(),
                    volume: volume.name.clone(),
                    file: Path::new(&mount.mount_path).join(&token.path),
                })
            });
            found.extend(mounted);
        }
    }
    found
}
