//! What can go wrong.

use emu_cluster::ClusterError;
use emu_scenario::run::Trouble;

/// Why the emulator did not do what it was asked.
#[derive(Debug, thiserror::Error)]
#[error("{message}{}", help.as_ref().map(|h| format!(" ({h})")).unwrap_or_default())]
pub struct Error {
    message: String,
    help: Option<String>,
    code: Option<String>,
}

impl Error {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
            code: None,
        }
    }

    /// The name of AWS's error, such as `ResourceInUseException`, if AWS refused.
    pub fn code(&self) -> Option<&str> {
        self.code.as_deref()
    }
}

impl From<Trouble> for Error {
    fn from(trouble: Trouble) -> Self {
        Self {
            code: trouble.refused.as_ref().map(|e| e.code.to_string()),
            message: trouble.message,
            help: trouble.help,
        }
    }
}

impl From<ClusterError> for Error {
    fn from(error: ClusterError) -> Self {
        Trouble::from(error).into()
    }
}
