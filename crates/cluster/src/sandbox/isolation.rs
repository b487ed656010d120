//! How far pods are set apart from the machine.

use serde::Serialize;

/// How pods are set apart.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "isolation")]
pub enum Isolation {
    /// Each pod has its own network and mount namespaces; this process may make them (root).
    Namespaces,
    /// The same, inside a user namespace: an ordinary user, one user only.
    UserNamespaces,
    /// Neither is allowed here: agents listen on loopback ports and variables point there.
    Loopback {
        /// Why.
        reason: String,
    },
}

impl Isolation {
    /// What this machine allows this process. Tried once a process.
    pub fn detect() -> Self {
        #[cfg(target_os = "linux")]
        {
            super::space::isolation().clone()
        }
        #[cfg(not(target_os = "linux"))]
        {
            Self::Loopback {
                reason: "network and mount namespaces exist on Linux only".into(),
            }
        }
    }

    /// Whether pods have the true addresses and paths.
    pub fn is_true(&self) -> bool {
        !matches!(self, Self::Loopback { .. })
    }
}

impl std::fmt::Display for Isolation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Namespaces => f.write_str("namespaces"),
            Self::UserNamespaces => f.write_str("user namespaces"),
            Self::Loopback { reason } => write!(f, "loopback addresses ({reason})"),
        }
    }
}
