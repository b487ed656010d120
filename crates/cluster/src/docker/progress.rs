//! What is being done, for a person who waits.

use std::time::Duration;

use super::Provider;

/// A part of the way to a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Docker and the provider's program are asked whether they are there.
    Engine,
    /// The provider makes the cluster.
    Create,
    /// A cluster of ours that was stopped is started.
    Start,
    /// The cluster's API server answers.
    Answer,
    /// The address is found at which nodes reach this machine, and tried.
    Address,
    /// The provider removes the cluster.
    Delete,
}

/// What happens; each one is a line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Something begins.
    Begun(Phase, Provider),
    /// Something ended well, after this time.
    Done(Phase, Provider, Duration),
    /// What the provider's program says meanwhile.
    Said(Provider, String),
    /// A cluster of an earlier run is used again.
    Reused(Provider, String),
}

impl Phase {
    /// Whether a person waits for it.
    pub fn is_long(self) -> bool {
        matches!(self, Self::Create | Self::Start)
    }

    fn of(self, provider: Provider) -> String {
        match self {
            Self::Engine => format!("Docker and {provider}"),
            Self::Create => format!("{provider} makes the cluster"),
            Self::Start => "the cluster is started".into(),
            Self::Answer => "the API server answers".into(),
            Self::Address => "nodes reach this machine".into(),
            Self::Delete => format!("{provider} removes the cluster"),
        }
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Begun(phase, provider) => write!(f, "{} ...", phase.of(*provider)),
            Self::Done(phase, provider, took) => {
                write!(f, "{}: {:.1} s", phase.of(*provider), took.as_secs_f64())
            }
            Self::Said(provider, line) => write!(f, "{provider}: {line}"),
            Self::Reused(provider, name) => {
                write!(
                    f,
                    "the {provider} cluster `{name}` of an earlier run is used"
                )
            }
        }
    }
}
