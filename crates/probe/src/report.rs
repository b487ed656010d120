//! What a call showed.

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{DisplayErrorContext, ProvideErrorMetadata, SdkError};
use serde::Serialize;

/// What a call showed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The caller's ARN, where STS was asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<String>,
    /// The access key id the SDK found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub access_key_id: Option<String>,
    /// Which provider of the default chain gave the credentials, by the SDK's name: `EcsContainer`, `WebIdentityToken`,
    /// `IMDSv2`, `EnvironmentVariable`, ...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When the credentials expire, in epoch seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// What the API answered: keys of objects, the content of one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub result: Vec<String>,
    /// The error, if the call failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
    /// How long it took, credentials included, in milliseconds of real time (of the clock the program sees).
    pub millis: u64,
}

/// Why a call failed.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The error's name, if the service gave one.
    pub code: Option<String>,
    /// The HTTP status, if there was an answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The whole story, as the SDK tells it.
    pub message: String,
}

impl Failure {
    /// Reads an error of the SDK.
    pub(crate) fn of<E>(error: &SdkError<E, HttpResponse>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        SdkError<E, HttpResponse>: std::error::Error,
    {
        Self {
            code: error.code().map(str::to_owned),
            status: error.raw_response().map(|r| r.status().as_u16()),
            message: DisplayErrorContext(error).to_string(),
        }
    }
}

/// The name of the provider that gave credentials; the SDK shows it in their `Debug` text alone.
pub(crate) fn source(credentials: &aws_credential_types::Credentials) -> Option<String> {
    let text = format!("{credentials:?}");
    let (_, rest) = text.split_once("provider_name: \"")?;
    Some(rest.split('"').next()?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_is_read_and_no_secret_with_it() {
        let keys =
            aws_credential_types::Credentials::new("AKIA", "hidden", None, None, "Somewhere");
        assert_eq!(source(&keys).as_deref(), Some("Somewhere"));
    }
}
