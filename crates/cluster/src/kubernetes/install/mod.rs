//! Obtaining the Kubernetes binaries.

use std::path::PathBuf;

/// The binaries that a node needs.
pub const REQUIRED: [&str; 6] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kubectl",
    "etcd",
];

/// Emu's cache folder: `EMU_CACHE`, else `emu` in `XDG_CACHE_HOME` or `~/.cache`.
pub fn cache_folder() -> PathBuf {
    let variable = |name| {
        std::env::var_os(name)
            .filter(|v| !v.is_empty())
            .map(PathBuf::from)
    };
    variable("EMU_CACHE").unwrap_or_else(|| {
        variable("XDG_CACHE_HOME")
            .or_else(|| variable("HOME").map(|home| home.join(".cache")))
            .unwrap_or_else(std::env::temp_dir)
            .join("emu")
    })
}

/// The folder with the binaries of a version (`1.34.4`).
pub fn folder(version: &str) -> PathBuf {
    cache_folder().join("kubernetes").join(version)
}

/// The folders of complete versions, oldest version first.
pub fn installed() -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(cache_folder().join("kubernetes"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| REQUIRED.iter().all(|name| path.join(name).exists()))
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let version = name
                .split('.')
                .map(str::parse)
                .collect::<Result<_, _>>()
                .ok()?;
            Some((version, path))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, path)| path).collect()
}
