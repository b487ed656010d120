//! Calling EKS Auth as the AWS SDK for Go does: the same request, the same retries, and the same idea of what an answer
//! means.

mod client;
mod endpoint;
mod reply;
mod retry;
mod sign;

pub use client::SdkSettings;
pub(crate) use client::{Ask, EksAuth};
pub use endpoint::Endpoint;
pub(crate) use reply::{ApiError, Fetched};

/// Why there are no credentials.
#[derive(Clone, Debug)]
pub(crate) enum FetchError {
    /// EKS Auth answered, or was asked and did not: the SDK has a response record, if only an empty one.
    Response {
        /// The status, 0 if there was no answer.
        status: u16,
        /// The request's id, empty if there was none.
        request_id: String,
        /// The error, if the SDK recognised one.
        api: Option<ApiError>,
        /// The whole text, for the log.
        text: String,
    },
    /// Anything else: the text is all there is.
    Plain(String),
    /// The agent panics.
    Panic(&'static str),
}

impl FetchError {
    /// The whole text of the error.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Response { text, .. } | Self::Plain(text) => text,
            Self::Panic(reason) => reason,
        }
    }

    /// The error's code, and whether it means that renewing is pointless.
    pub(crate) fn irrecoverable(&self) -> (&str, bool) {
        match self {
            Self::Response { api: Some(api), .. } => (&api.code, api.is_irrecoverable()),
            _ => ("Unknown", false),
        }
    }

    /// The same error with something said before it.
    pub(crate) fn context(self, prefix: &str) -> Self {
        match self {
            Self::Plain(text) => Self::Plain(format!("{prefix}{text}")),
            Self::Response {
                status,
                request_id,
                api,
                text,
            } => Self::Response {
                status,
                request_id,
                api,
                text: format!("{prefix}{text}"),
            },
            Self::Panic(_) => self,
        }
    }
}
