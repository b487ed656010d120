//! `--agent`.

use std::{convert::Infallible, path::PathBuf, str::FromStr};

use super::{FindError, RealAgent};

/// Which agent nodes run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AgentChoice {
    /// Amazon's own if it is installed, else the twin.
    #[default]
    Auto,
    /// The twin.
    Twin,
    /// Amazon's own; an error if it is not installed.
    Real,
    /// Amazon's own, at that path.
    Path(PathBuf),
}

/// Amazon's agent was asked for and is not there.
#[derive(Debug, thiserror::Error)]
pub enum NoSuchAgent {
    /// It was never fetched.
    #[error("Amazon's own agent is not on this machine: `emu agent pull` fetches it")]
    NotInstalled,
    /// What is at the path cannot be it.
    #[error(transparent)]
    NotAtPath(#[from] FindError),
}

impl FromStr for AgentChoice {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "auto" => Self::Auto,
            "twin" => Self::Twin,
            "real" => Self::Real,
            path => Self::Path(path.into()),
        })
    }
}

impl std::fmt::Display for AgentChoice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Twin => f.write_str("twin"),
            Self::Real => f.write_str("real"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

impl AgentChoice {
    /// The agent to run; nothing for the twin.
    ///
    /// # Errors
    /// When Amazon's own was asked for and is not there.
    pub fn resolve(&self) -> Result<Option<RealAgent>, NoSuchAgent> {
        match self {
            Self::Twin => Ok(None),
            Self::Auto => Ok(RealAgent::find()),
            Self::Real => RealAgent::find().map(Some).ok_or(NoSuchAgent::NotInstalled),
            Self::Path(path) => Ok(Some(RealAgent::at(path)?)),
        }
    }
}
