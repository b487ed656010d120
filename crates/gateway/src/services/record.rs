//! What a handler tells the journal about its answer, beside the answer itself.

use bytes::Bytes;
use emu_cloud::ServiceError;
use emu_core::journal::ErrorSummary;
use http::Response;

/// Travels in the extensions of a response to the gateway, which makes `Event::ApiCall` of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ApiRecord {
    /// The IAM action, such as `sts:AssumeRole`.
    pub action: String,
    /// The resource's ARN, or `*`.
    pub resource: String,
    /// The error answered.
    pub error: Option<ErrorSummary>,
    /// The policy engine's verdict, where one was asked for.
    pub verdict: Option<serde_json::Value>,
}

impl ApiRecord {
    /// The record of an error, for an action not known yet.
    pub fn failed(error: &ServiceError) -> Self {
        Self {
            action: String::new(),
            resource: "*".into(),
            error: Some(ErrorSummary {
                code: error.code.to_string(),
                message: error.message.clone(),
            }),
            verdict: error.verdict.as_deref().cloned(),
        }
    }
}

/// Puts names on an answer's record.
pub trait Recorded: Sized {
    /// Says which action on which resource was asked for. Error and verdict already recorded stay.
    #[must_use]
    fn recorded(self, action: impl Into<String>, resource: impl Into<String>) -> Self;

    /// Adds the verdict of an action that was allowed.
    #[must_use]
    fn with_verdict(self, verdict: Option<serde_json::Value>) -> Self;
}

impl Recorded for Response<Bytes> {
    fn recorded(mut self, action: impl Into<String>, resource: impl Into<String>) -> Self {
        let record = self.extensions_mut().get_or_insert_with(ApiRecord::default);
        record.action = action.into();
        record.resource = resource.into();
        self
    }

    fn with_verdict(mut self, verdict: Option<serde_json::Value>) -> Self {
        self.extensions_mut()
            .get_or_insert_with(ApiRecord::default)
            .verdict = verdict;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn naming_an_action_keeps_the_error() {
        let mut response = Response::new(Bytes::new());
        response
            .extensions_mut()
            .insert(ApiRecord::failed(&ServiceError::new(
                "NoSuchEntity",
                404,
                "no",
            )));
        let response = response.recorded("iam:GetRole", "arn");
        let record = response.extensions().get::<ApiRecord>().unwrap();
        assert_eq!(record.action, "iam:GetRole");
        assert_eq!(record.error.as_ref().unwrap().code, "NoSuchEntity");
    }
}
