//! What can go wrong, and what to do then.

use std::{path::PathBuf, time::Duration};

use super::Provider;

/// Why a cluster in Docker is not there.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed.
    #[error("there is no program `{program}` on PATH")]
    NoProgram {
        /// Its name.
        program: String,
    },
    /// There is a Docker client, and no engine that answers it.
    #[error("Docker does not answer: {said}")]
    Engine {
        /// What the client said.
        said: String,
    },
    /// A cluster of that name exists, and it is not ours.
    #[error("there is a {provider} cluster `{name}` already, and emu did not make it")]
    Exists {
        /// Who made it.
        provider: Provider,
        /// Its name.
        name: String,
    },
    /// A cluster of that name is ours, and not what is asked for.
    #[error("the {provider} cluster `{name}` is there with {has}; asked for was {wanted}")]
    Differs {
        /// Who made it.
        provider: Provider,
        /// Its name.
        name: String,
        /// What it has.
        has: String,
        /// What was asked for.
        wanted: String,
    },
    /// Another emu is at it.
    #[error("another emu (process {process}) uses the {provider} cluster `{name}`")]
    Busy {
        /// Who made it.
        provider: Provider,
        /// Its name.
        name: String,
        /// The other emu.
        process: u32,
    },
    /// The provider cannot make what is asked for.
    #[error("{provider} cannot make {what}")]
    Unsupported {
        /// Who.
        provider: Provider,
        /// What.
        what: String,
    },
    /// A program did not do what it was asked.
    #[error("`{command}` failed: {said}")]
    Failed {
        /// The command line.
        command: String,
        /// The end of what it said.
        said: String,
    },
    /// A program took too long.
    #[error("`{command}` was not done after {} s: {said}", limit.as_secs())]
    Limit {
        /// The command line.
        command: String,
        /// How long it was given.
        limit: Duration,
        /// The end of what it said.
        said: String,
    },
    /// What a program answered is not what it is documented to answer.
    #[error("the answer of `{command}` is not understood: {why}")]
    Answer {
        /// The command line.
        command: String,
        /// Why not.
        why: String,
    },
    /// Nodes do not reach this machine.
    #[error("node {node} does not reach this machine at {address}: {said}")]
    NoRoute {
        /// The node that was tried.
        node: String,
        /// The address that was tried, or which ones are not there.
        address: String,
        /// What came of it.
        said: String,
    },
    /// A configuration of the user's is of no use.
    #[error("{}: {why}", path.display())]
    Config {
        /// The file.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The cluster's API server does not answer.
    #[error("the {provider} cluster `{name}` does not answer: {said}")]
    Silent {
        /// Who made it.
        provider: Provider,
        /// Its name.
        name: String,
        /// What came of it.
        said: String,
    },
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl Error {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// What to do about it, where there is something to do.
    pub fn help(&self) -> Option<String> {
        Some(match self {
            Self::NoProgram { program } if program == "docker" => {
                "install Docker, or play on --cluster sandbox, which needs nothing".into()
            }
            Self::NoProgram { program } if program == "kind" => {
                "`go install sigs.k8s.io/kind@latest` brings it, and so do most package managers".into()
            }
            Self::NoProgram { program } => format!("install {program}, or use --cluster kind"),
            Self::Engine { said } if said.contains("permission denied") => {
                "this user may not use Docker: add it to the group `docker`, or run as root".into()
            }
            Self::Engine { .. } => {
                "start Docker (Docker Desktop, or `systemctl start docker`); DOCKER_HOST and `docker context` say which one is asked".into()
            }
            Self::Failed { said, .. } if said.contains("failed to pull image") => {
                "without a network, --cluster-image names one that is here already (`docker image ls`)".into()
            }
            Self::Exists { provider, name } => format!(
                "choose another name (--cluster {provider}=NAME), or use it as it is: --cluster kubeconfig={provider}-{name}"
            ),
            Self::Differs { provider, name, .. } => format!(
                "`emu down --cluster {provider}={name}` removes it; --cluster {provider}=OTHER makes another one beside it"
            ),
            Self::Busy { provider, .. } => {
                format!("--cluster {provider}=OTHER makes another one beside it")
            }
            Self::Limit { .. } => "the first time, images are pulled, which may take long; --cluster-timeout gives it more".into(),
            Self::NoRoute { .. } => {
                "a firewall of this machine (ufw, firewalld) may be in the way of Docker's networks".into()
            }
            Self::Silent { provider, name, .. } => {
                format!("`emu down --cluster {provider}={name}` removes it, and the next start makes it anew")
            }
            Self::Unsupported { .. } => "--cluster kind can".into(),
            _ => return None,
        })
    }
}
