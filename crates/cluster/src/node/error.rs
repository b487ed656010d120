//! What can go wrong with a node.

use std::{io, path::PathBuf, time::Duration};

/// Why a node did not start, or did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something that the node needs is not on this machine.
    #[error("the node cluster cannot run here: {0}")]
    Unavailable(String),
    /// A file or folder could not be used.
    #[error("{doing} {}: {source}", path.display())]
    File {
        /// What was being done, as a gerund.
        doing: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A system call or a program of the host failed.
    #[error("{doing}: {source}")]
    System {
        /// What was being done, as a gerund.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
    /// The first process inside the node's namespaces reported a failure.
    #[error("inside the node: {0}")]
    Inside(String),
    /// A process of the node ended by itself.
    #[error("{name} ended ({status}); the end of its log:\n{log}")]
    Ended {
        /// Which process.
        name: String,
        /// How it ended.
        status: String,
        /// The last lines of its log.
        log: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {} s{}", after.as_secs(), hint)]
    Late {
        /// What was awaited.
        what: String,
        /// For how long.
        after: Duration,
        /// What is known about the cause: empty, or a line break and the end of a log.
        hint: String,
    },
    /// A certificate or key could not be made.
    #[error("making the node's certificates: {0}")]
    Certificate(String),
    /// The API server refused.
    #[error(transparent)]
    Kubernetes(#[from] crate::kubernetes::Error),
}

impl Error {
    /// Adds what was being done to a failed system call.
    pub(crate) fn system(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::System { doing, source }
    }

    /// Adds the path to a failed file operation.
    pub(crate) fn file(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File {
            doing,
            path,
            source,
        }
    }
}
