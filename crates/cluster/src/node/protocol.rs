//! What the host and the node's first process say to each other: JSON lines over a Unix socket in the run directory.
//!
//! The connection is also the lifeline: when the host's end closes, for whatever reason, the first process ends, and the
//! kernel ends everything in its process namespace.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::{address::Addresses, cgroup::Hierarchies};

/// What the node's first process must know; a file in the run directory.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// The run directory, the same path inside and outside.
    pub run_dir: PathBuf,
    /// The node's host name.
    pub name: String,
    /// Its addresses.
    pub addresses: Addresses,
    /// The cgroups made for it.
    pub cgroups: Hierarchies,
    /// Whether to make the agent's link with its address.
    pub agent_link: bool,
}

/// From the host.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Request {
    /// Start a process.
    Spawn(Spawn),
    /// Send a signal to a process started before, by name.
    Signal {
        /// Its name.
        name: String,
        /// The signal's number.
        signal: i32,
    },
}

/// A process to start inside the node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spawn {
    /// A name, unique among the running ones.
    pub name: String,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Variables besides `PATH` and `HOME`.
    pub env: Vec<(String, String)>,
    /// Where its output goes (appended).
    pub log: PathBuf,
}

/// From the node's first process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Mounts, host name and network are there.
    Up {
        /// The kind of link that carries the node's address: `dummy`, `ifb` or `lo`.
        link: String,
    },
    /// Setting up failed; the process ends after this.
    Failed {
        /// What failed.
        what: String,
    },
    /// A process runs.
    Spawned {
        /// Its name.
        name: String,
        /// Its id inside the node.
        pid: i32,
    },
    /// A process ended, or could not be started.
    Exited {
        /// Its name.
        name: String,
        /// The exit code, or 128 plus the signal, as a shell has it; -1 when it could not be started.
        code: i32,
        /// The same in words.
        status: String,
    },
}
