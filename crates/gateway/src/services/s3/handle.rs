//! From a request to an answer, by way of `s3s`.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use emu_cloud::{Call, Cloud, ServiceError};
use http::{Request, Response};
use http_body_util::BodyExt as _;
use s3s::service::{S3Service, S3ServiceBuilder};

use super::{
    adapter::Adapter,
    ask::{Context, Outcome},
    error::{self, error},
};
use crate::services::{ApiRecord, Recorded as _};

/// Answers a request whose signature holds, in path style and without its authentication.
pub async fn handle(cloud: &Arc<Cloud>, call: Call, request: Request<Bytes>) -> Response<Bytes> {
    // One for all worlds of the process: the world comes with the request.
    static SERVICE: OnceLock<S3Service> = OnceLock::new();
    let service = SERVICE.get_or_init(|| S3ServiceBuilder::new(Adapter).build());
    let request_id = call.request_id.clone();
    let outcome = Arc::new(Mutex::new(Outcome::default()));
    let (mut parts, body) = request.into_parts();
    parts.extensions.insert(Context {
        cloud: Arc::clone(cloud),
        call: Arc::new(call),
        body: body.clone(),
        outcome: Arc::clone(&outcome),
    });
    let answered = service
        .call(Request::from_parts(parts, s3s::Body::from(body)))
        .await;
    let response = match answered {
        Ok(response) => collect(response).await,
        Err(failure) => Err(ServiceError::new(
            "InternalError",
            500,
            "We encountered an internal error. Please try again.",
        )
        .because(format!("{failure:?}"))),
    };
    let mut outcome = outcome.lock().unwrap_or_else(PoisonError::into_inner);
    let failed = outcome.error.take();
    let mut response = match (failed, response) {
        (Some(found), _) | (None, Err(found)) => error(&found, &request_id),
        (None, Ok(response)) if response.status().as_u16() >= 400 => {
            error(&of_s3s(&response), &request_id)
        }
        (None, Ok(mut response)) => {
            error::stamp(&mut response, &request_id);
            response
        }
    };
    if let Some(asked) = outcome.asked.take() {
        response = response.recorded(asked.action, asked.resource);
        if let Some(record) = response.extensions_mut().get_mut::<ApiRecord>()
            && record.verdict.is_none()
        {
            record.verdict = asked.verdict;
        }
    } else if !outcome.operation.is_empty() {
        response = response.recorded(format!("s3:{}", outcome.operation), "*");
    }
    response
}

async fn collect(response: s3s::HttpResponse) -> Result<Response<Bytes>, ServiceError> {
    let (parts, body) = response.into_parts();
    if let Some(bytes) = body.bytes() {
        return Ok(Response::from_parts(parts, bytes));
    }
    match body.collect().await {
        Ok(collected) => Ok(Response::from_parts(parts, collected.to_bytes())),
        Err(e) => Err(ServiceError::new(
            "InternalError",
            500,
            "We encountered an internal error. Please try again.",
        )
        .because(e.to_string())),
    }
}

/// An error that `s3s` found itself, such as malformed XML, to be written in our frame.
fn of_s3s(response: &Response<Bytes>) -> ServiceError {
    let text = String::from_utf8_lossy(response.body());
    let element = |name: &str| {
        let start = text.find(&format!("<{name}>"))? + name.len() + 2;
        let end = text[start..].find("</")?;
        Some(text[start..start + end].to_owned())
    };
    let status = response.status().as_u16();
    let code = element("Code").unwrap_or_else(|| "InternalError".into());
    let message = element("Message").unwrap_or_else(|| message_of(&code).into());
    ServiceError::new(code, status, message)
}

/// S3's sentence for codes that `s3s` sends bare. Source: AWS docs, "List of error codes".
fn message_of(code: &str) -> &'static str {
    match code {
        "InvalidBucketName" => "The specified bucket is not valid.",
        "KeyTooLongError" => "Your key is too long",
        "InvalidURI" => "Couldn't parse the specified URI.",
        "MalformedXML" => {
            "The XML you provided was not well-formed or did not validate against our published schema"
        }
        "MethodNotAllowed" => "The specified method is not allowed against this resource.",
        "NotImplemented" => {
            "A header or query you provided implies functionality that is not emulated."
        }
        "MissingContentLength" => "You must provide the Content-Length HTTP header.",
        _ => "",
    }
}
