//! What could not be done at all, with the place in the file that asked for it.

use emu_cloud::ServiceError;
use emu_cluster::ClusterError;

use crate::file::Located;

/// Why a step, or what was given, could not be done.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{message}")]
pub struct Trouble {
    /// In words.
    pub message: String,
    /// Line and column, from 1.
    pub place: Option<(usize, usize)>,
    /// What would be right.
    pub help: Option<String>,
    /// AWS refused, which an expectation may want.
    pub refused: Option<Box<ServiceError>>,
    /// The cluster refused the object, which an expectation may want.
    pub not_admitted: bool,
    /// This kind of cluster cannot do it: the scenario is skipped.
    pub unsupported: bool,
}

impl Trouble {
    /// Something that could not be done.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place: None,
            help: None,
            refused: None,
            not_admitted: false,
            unsupported: false,
        }
    }

    /// Something this kind of cluster cannot do.
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self {
            unsupported: true,
            ..Self::new(message)
        }
    }

    /// Adds the place that asked for it, unless it is known better already.
    #[must_use]
    pub fn at<T>(mut self, place: &Located<T>) -> Self {
        if place.line > 0 {
            self.place.get_or_insert((place.line, place.column));
        }
        self
    }

    /// Adds what would be right.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

impl From<ServiceError> for Trouble {
    fn from(error: ServiceError) -> Self {
        Self {
            refused: Some(Box::new(error.clone())),
            help: error.detail.clone(),
            ..Self::new(error.to_string())
        }
    }
}

impl From<ClusterError> for Trouble {
    fn from(error: ClusterError) -> Self {
        let mut message = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(cause) = source {
            let text = cause.to_string();
            if !message.contains(&text) {
                message.push_str(": ");
                message.push_str(&text);
            }
            source = cause.source();
        }
        Self {
            not_admitted: matches!(error, ClusterError::Refused { .. }),
            unsupported: matches!(error, ClusterError::Unsupported { .. }),
            ..Self::new(message)
        }
    }
}
