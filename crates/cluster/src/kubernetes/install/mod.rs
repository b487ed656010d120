//! Obtaining the Kubernetes binaries: built from their Go modules, or downloaded as the project releases them.
//!
//! Both end in the same folder, one for each version, in emu's cache: [`folder`]. What is there and right is left alone.

mod download;
mod go;
mod release;
mod version;

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

pub use release::ReleaseSites;
pub use version::{VERSIONS, Version, find};

use crate::node::platform::Missing;

/// The binaries that a node needs.
pub const REQUIRED: [&str; 6] = [
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "kubectl",
    "etcd",
];

/// Why binaries could not be obtained.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The version is not one of ours.
    #[error("Kubernetes {asked} is not known; known are {}", known())]
    Version {
        /// What was asked for.
        asked: String,
    },
    /// There is no Go, or one that does not work.
    #[error(
        "Go is needed to build Kubernetes ({why}); install Go 1.24 or later, or use --from release"
    )]
    Go {
        /// What was tried, and how it failed.
        why: String,
    },
    /// A build failed.
    #[error("building {binary} failed:\n{output}")]
    Build {
        /// Which binary.
        binary: String,
        /// The end of what the compiler said.
        output: String,
    },
    /// A download failed.
    #[error("downloading {url}: {why}")]
    Download {
        /// From where.
        url: String,
        /// Why.
        why: String,
    },
    /// A download is not what its checksum says.
    #[error("{url} has the SHA-256 {found}, but {expected} was announced")]
    Checksum {
        /// From where.
        url: String,
        /// The announced digest.
        expected: String,
        /// The digest of what came.
        found: String,
    },
    /// A binary is not the version that it should be.
    #[error("{} is not {version}: {found}", path.display())]
    Wrong {
        /// The binary.
        path: PathBuf,
        /// The version that it should be.
        version: String,
        /// What it says.
        found: String,
    },
    /// A file could not be written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}

fn known() -> String {
    let names: Vec<&str> = VERSIONS.iter().map(|v| v.number).collect();
    names.join(", ")
}

/// Where binaries come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Built here from their Go modules, with the versions and checksums that we pin.
    Go,
    /// Downloaded from the project's release sites.
    Release(ReleaseSites),
}

/// What happens during an installation; each one is a line for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// A binary is there and right.
    Present(String),
    /// Work on a binary begins.
    Begun {
        /// Which.
        binary: String,
        /// Whether it is built, rather than downloaded.
        build: bool,
    },
    /// A binary is ready.
    Done {
        /// Which.
        binary: String,
        /// How long it took.
        took: Duration,
    },
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Present(binary) => write!(f, "{binary}: present"),
            Self::Begun {
                binary,
                build: true,
            } => write!(f, "{binary}: building"),
            Self::Begun { binary, .. } => write!(f, "{binary}: downloading"),
            Self::Done { binary, took } => {
                write!(f, "{binary}: done in {:.1} s", took.as_secs_f64())
            }
        }
    }
}

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

/// The folder with the binaries of a version.
pub fn folder(cache: &Path, version: &Version) -> PathBuf {
    cache.join("kubernetes").join(version.number)
}

/// The folders of complete versions in emu's cache folder, oldest version first.
pub fn installed() -> Vec<PathBuf> {
    installed_in(&cache_folder())
}

/// The same for a cache folder of one's own.
pub fn installed_in(cache: &Path) -> Vec<PathBuf> {
    let mut found: Vec<(Vec<u32>, PathBuf)> = std::fs::read_dir(cache.join("kubernetes"))
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

/// Obtains what is missing of a version, the binaries in `extra` (`kubeadm`, `kube-proxy`) included, and returns the folder.
///
/// # Errors
/// With the first binary that could not be obtained. Those before it stay.
pub async fn install(
    cache: &Path,
    version: &Version,
    source: &Source,
    extra: &[&str],
    progress: &mut (dyn FnMut(Progress) + Send),
) -> Result<PathBuf, Error> {
    let folder = folder(cache, version);
    std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
    let mut missing = Vec::new();
    for name in REQUIRED.iter().chain(extra) {
        if check(&folder.join(name), version).is_ok() {
            progress(Progress::Present((*name).to_owned()));
        } else {
            missing.push((*name).to_owned());
        }
    }
    if missing.is_empty() {
        return Ok(folder);
    }
    match source {
        Source::Go => go::build(&folder, version, &missing, progress).await?,
        Source::Release(sites) => {
            release::download(&folder, version, &missing, sites, progress).await?;
        }
    }
    for name in &missing {
        check(&folder.join(name), version)?;
    }
    Ok(folder)
}

/// Asks a binary for its version.
fn check(path: &Path, version: &Version) -> Result<(), Error> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (arguments, wanted): (&[&str], String) = match &*name {
        "etcd" => (&["--version"], format!("etcd Version: {}\n", version.etcd)),
        "kubectl" => (
            &["version", "--client"],
            format!("Client Version: v{}\n", version.number),
        ),
        "kubeadm" => (
            &["version", "-o", "short"],
            format!("v{}\n", version.number),
        ),
        _ => (&["--version"], format!("Kubernetes v{}\n", version.number)),
    };
    let output = Command::new(path)
        .args(arguments)
        .env_remove("KUBECONFIG")
        .output()
        .map_err(Error::file(path))?;
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    if found.contains(&wanted) {
        return Ok(());
    }
    Err(Error::Wrong {
        path: path.to_owned(),
        version: wanted.trim().to_owned(),
        found: found.trim().to_owned(),
    })
}

/// What `--cluster node` needs and this machine lacks, each with the command that brings it: programs of the host and the
/// binaries of a version.
pub fn missing(cache: &Path, version: &Version) -> Vec<Missing> {
    let mut missing = crate::node::platform::missing();
    let folder = folder(cache, version);
    let absent: Vec<&str> = REQUIRED
        .into_iter()
        .filter(|name| !folder.join(name).exists())
        .collect();
    if !absent.is_empty() {
        missing.push(Missing {
            what: format!("Kubernetes {}: {}", version.number, absent.join(", ")),
            remedy: format!(
                "emu kubernetes install --version {} (or with --from go)",
                version.minor
            ),
        });
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named_with_its_command() {
        let cache = tempfile::tempdir().unwrap();
        let version = find("1.33").unwrap();
        let last = missing(cache.path(), version).pop().unwrap();
        assert!(last.what.contains("kubelet"), "{last:?}");
        assert!(last.remedy.contains("--version 1.33"), "{last:?}");
        assert!(installed_in(cache.path()).is_empty());
        for number in ["1.9.10", "1.34.4"] {
            let folder = cache.path().join("kubernetes").join(number);
            std::fs::create_dir_all(&folder).unwrap();
            for name in REQUIRED {
                std::fs::write(folder.join(name), "").unwrap();
            }
        }
        std::fs::create_dir(cache.path().join("kubernetes/1.35.0")).unwrap();
        let found = installed_in(cache.path());
        assert!(
            found[0].ends_with("1.9.10") && found[1].ends_with("1.34.4"),
            "{found:?}"
        );
    }
}
