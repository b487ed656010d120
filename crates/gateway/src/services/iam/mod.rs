//! The HTTP face of `cloud::iam`.

use std::sync::Arc;

use bytes::Bytes;
use emu_cloud::{Call, Cloud, ServiceError};
use http::{Request, Response};

use super::query::{self, Frame, Params};

/// Namespace and version of this service. Source: model.
pub const FRAME: Frame = Frame {
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    version: "2010-05-08",
};

/// Answers a request whose signature holds.
pub fn handle(_cloud: &Arc<Cloud>, call: Call, request: Request<Bytes>) -> Response<Bytes> {
    let params = Params::of(&request);
    let message = format!(
        "Could not find operation {} for version {}",
        params.get("Action").unwrap_or_default(),
        FRAME.version
    );
    query::fault(
        &ServiceError::new("InvalidAction", 400, message),
        &call.request_id,
    )
}

/// An error in this service's protocol.
pub fn error(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    query::error(FRAME, error, request_id)
}
