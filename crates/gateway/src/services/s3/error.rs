//! S3's error document: no namespace, no wrapper, its own elements after code and message (snapshots).

use bytes::Bytes;
use emu_cloud::ServiceError;
use http::{HeaderValue, Response, StatusCode, header};

use crate::services::{ApiRecord, query::escape};

/// An error in S3's form.
pub fn error(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    let mut response = if error.status == 304 {
        Response::default()
    } else {
        document(error, request_id)
    };
    *response.status_mut() =
        StatusCode::from_u16(error.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    stamp(&mut response, request_id);
    for (name, value) in &error.members {
        // What clients look for in the head.
        let header = match (error.status, &**name) {
            (301, "Region") => "x-amz-bucket-region",
            (304, "ETag") => "etag",
            _ => continue,
        };
        if let Some(Ok(value)) = value.as_str().map(HeaderValue::from_str) {
            response.headers_mut().insert(header, value);
        }
    }
    response.extensions_mut().insert(ApiRecord::failed(error));
    response
}

fn document(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error>");
    element(&mut out, "Code", &error.code);
    element(&mut out, "Message", &error.message);
    for (name, value) in &error.members {
        match value.as_str() {
            Some(text) => element(&mut out, name, text),
            None => element(&mut out, name, &value.to_string()),
        }
    }
    element(&mut out, "RequestId", request_id);
    element(&mut out, "HostId", &host_id(request_id));
    out.push_str("</Error>");
    let mut response = Response::new(Bytes::from(out));
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/xml"),
    );
    response
}

/// The headers every answer of S3 has.
pub(super) fn stamp(response: &mut Response<Bytes>, request_id: &str) {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert("x-amz-request-id", id);
    }
    if let Ok(id) = HeaderValue::try_from(host_id(request_id)) {
        headers.insert("x-amz-id-2", id);
    }
    headers.insert(header::SERVER, HeaderValue::from_static("AmazonS3"));
}

/// The second id: opaque base64, made from the first.
fn host_id(request_id: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use sha2::{Digest as _, Sha256};
    STANDARD.encode(Sha256::digest(request_id))
}

fn element(out: &mut String, name: &str, text: &str) {
    out.push('<');
    out.push_str(name);
    out.push('>');
    out.push_str(&escape(text));
    out.push_str("</");
    out.push_str(name);
    out.push('>');
}
