//! The HTTP face of `cloud::s3`, through the `s3s` crate: it reads and writes REST-XML, we do the rest.
//!
//! Signatures are verified by [`crate::sigv4`] before, for all services alike: the order of checks, the clock, the
//! texts and the coverage rules are AWS's there. `s3s` therefore gets requests in path style and without their
//! authentication, and has no say in who may do what.

mod error;
mod request;

pub use error::error;
pub(crate) use request::{path_style, prepare};

/// TEMP
pub async fn handle(
    _cloud: &std::sync::Arc<emu_cloud::Cloud>,
    call: emu_cloud::Call,
    _request: http::Request<bytes::Bytes>,
) -> http::Response<bytes::Bytes> {
    error(
        &emu_cloud::ServiceError::new("NotImplemented", 501, ""),
        &call.request_id,
    )
}
