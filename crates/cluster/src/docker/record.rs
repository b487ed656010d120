//! What is remembered of a cluster of ours, in a folder of its own, from before it is made until after it is removed.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{Error, Provider, Spec};

/// A cluster's folder.
#[derive(Clone, Debug)]
pub(super) struct Place {
    folder: PathBuf,
}

/// What is written down of a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Record {
    /// Who made it.
    pub(super) provider: String,
    /// Its name.
    pub(super) name: String,
    /// The process that uses it; none when it was left for later.
    pub(super) owner: Option<Owner>,
    /// The control plane's container, once the cluster is complete: a cluster of the same name made by others has another.
    pub(super) container: Option<String>,
    /// The program's network was not there before.
    pub(super) made_network: bool,
    /// What was asked for.
    pub(super) asked: Asked,
}

/// A process, told apart from a later one of the same number.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Owner {
    pub(super) process: u32,
    started: String,
}

/// What of a specification makes another cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Asked {
    pub(super) image: Option<String>,
    pub(super) family: String,
    pub(super) nodes: usize,
}

impl Asked {
    pub(super) fn of(spec: &Spec) -> Self {
        Self {
            image: spec.image.clone(),
            family: spec.family.as_str().into(),
            nodes: spec.nodes.max(1),
        }
    }

    /// Whether a cluster made for this serves for that: more nodes than needed do no harm, an image not named is any.
    pub(super) fn serves(&self, wanted: &Self) -> bool {
        self.nodes >= wanted.nodes
            && self.family == wanted.family
            && (wanted.image.is_none() || self.image == wanted.image)
    }
}

impl std::fmt::Display for Asked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let nodes = if self.nodes == 1 { "node" } else { "nodes" };
        let image = self.image.as_deref().unwrap_or("the usual image");
        write!(f, "{} {nodes} of {image}, {}", self.nodes, self.family)
    }
}

impl Owner {
    /// This process.
    pub(super) fn me() -> Self {
        let process = std::process::id();
        Self {
            process,
            started: started(process).unwrap_or_default(),
        }
    }

    /// Whether it still runs.
    pub(super) fn lives(&self) -> bool {
        started(self.process).is_some_and(|started| started == self.started)
    }
}

/// When a process was started, in the kernel's ticks; none if there is no such one. Elsewhere than on Linux all are taken for gone.
fn started(process: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    // The program's name, in parentheses, may contain anything.
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(19).map(str::to_owned)
}

impl Place {
    pub(super) fn of(root: &Path, provider: Provider, name: &str) -> Self {
        Self {
            folder: root.join(format!("{provider}-{name}")),
        }
    }

    /// The places under a folder in which there is something.
    pub(super) fn all(root: &Path) -> Vec<Self> {
        let entries = std::fs::read_dir(root).into_iter().flatten().flatten();
        let mut found: Vec<Self> = entries
            .map(|entry| Self {
                folder: entry.path(),
            })
            .filter(|place| place.read().is_some())
            .collect();
        found.sort_by(|a, b| a.folder.cmp(&b.folder));
        found
    }

    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.join("config.yaml")
    }

    /// What is remembered; none also when it is damaged.
    pub(super) fn read(&self) -> Option<Record> {
        let text = std::fs::read(self.folder.join("record.json")).ok()?;
        serde_json::from_slice(&text).ok()
    }

    pub(super) fn write(&self, record: &Record) -> Result<(), Error> {
        let text = serde_json::to_string_pretty(record).unwrap_or_default();
        self.put("record.json", &text)
    }

    /// Writes a file of the place, readable by its owner alone.
    pub(super) fn put(&self, name: &str, text: &str) -> Result<(), Error> {
        use std::{io::Write as _, os::unix::fs::OpenOptionsExt as _};
        std::fs::create_dir_all(&self.folder).map_err(Error::file(&self.folder))?;
        let path = self.folder.join(name);
        let part = self.folder.join(format!(".{name}.part"));
        let mut file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&part)
            .map_err(Error::file(&part))?;
        file.write_all(text.as_bytes())
            .map_err(Error::file(&part))?;
        std::fs::rename(&part, &path).map_err(Error::file(&path))
    }

    pub(super) fn remove(&self) {
        // Nothing of value is lost if it stays.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
