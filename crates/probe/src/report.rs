//! What a call showed.

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
    /// When the credentials expire, in epoch seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<u64>,
    /// What the API answered: keys of objects, the content of one.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub result: Vec<String>,
    /// The error, if the call failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Failure>,
}

/// Why a call failed.
#[derive(Debug, Serialize)]
pub struct Failure {
    /// The error's name, if the service gave one.
    pub code: Option<String>,
    /// The whole story, as the SDK tells it.
    pub message: String,
}

impl Failure {
    /// Reads an error of the SDK.
    pub(crate) fn of<E>(error: &SdkError<E>) -> Self
    where
        E: std::error::Error + ProvideErrorMetadata + 'static,
        SdkError<E>: std::error::Error,
    {
        Self {
            code: error.code().map(str::to_owned),
            message: DisplayErrorContext(error).to_string(),
        }
    }
}
