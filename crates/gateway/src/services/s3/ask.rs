//! What an operation of S3 has at hand beside its input, and how its outcome gets past `s3s`.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use emu_cloud::{
    Call, Cloud, ServiceError,
    s3::{Asked, S3, Visit},
};
use http::HeaderMap;
use s3s::{S3Error, S3ErrorCode, S3Request, S3Response, S3Result, dto};

/// Goes with the request through `s3s`, in the request's extensions.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) cloud: Arc<Cloud>,
    pub(super) call: Arc<Call>,
    pub(super) body: Bytes,
    pub(super) outcome: Arc<Mutex<Outcome>>,
}

/// What `s3s` cannot carry.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The error with its extra elements.
    pub(super) error: Option<ServiceError>,
    /// What the policy engine was asked.
    pub(super) asked: Option<Asked>,
    /// The operation's name.
    pub(super) operation: &'static str,
}

/// One operation under way.
pub(super) struct Ask<'a> {
    pub(super) visit: Visit<'a>,
    pub(super) s3: &'a S3,
    pub(super) call: &'a Call,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a Bytes,
}

/// Carries an operation out.
pub(super) fn run<I, O>(
    operation: &'static str,
    request: S3Request<I>,
    f: impl FnOnce(&Ask<'_>, I) -> Result<O, ServiceError>,
) -> S3Result<S3Response<O>> {
    let Some(context) = request.extensions.get::<Context>().cloned() else {
        return Err(S3Error::new(S3ErrorCode::InternalError));
    };
    let owner = request
        .headers
        .get("x-amz-expected-bucket-owner")
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let ask = Ask {
        visit: Visit::new(&context.cloud, &context.call, owner),
        s3: &context.cloud.s3,
        call: &context.call,
        headers: &request.headers,
        body: &context.body,
    };
    let result = f(&ask, request.input);
    let mut outcome = context
        .outcome
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    outcome.operation = operation;
    outcome.asked = ask.visit.asked();
    result.map(S3Response::new).map_err(|error| {
        outcome.error = Some(error);
        // Only its existence counts; the answer is written from `outcome`.
        S3Error::new(S3ErrorCode::InternalError)
    })
}

impl Ask<'_> {
    /// A header's value, if it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The account as S3 names owners: 64 hexadecimal digits.
    pub(super) fn owner(account: &str) -> dto::Owner {
        use sha2::{Digest as _, Sha256};
        dto::Owner {
            display_name: None,
            id: Some(hex::encode(Sha256::digest(account))),
        }
    }
}

/// A time as `s3s` has it.
pub(super) fn timestamp(at: emu_core::Timestamp) -> dto::Timestamp {
    dto::Timestamp::from(std::time::SystemTime::from(at))
}

/// An ETag as `s3s` has it.
pub(super) fn etag(text: &str) -> dto::ETag {
    dto::ETag::Strong(text.to_owned())
}
