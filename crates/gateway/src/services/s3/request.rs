//! From the request as it was signed to the request as `s3s` is to see it.

use std::borrow::Cow;

use bytes::Bytes;
use http::{HeaderName, HeaderValue, Request, Uri, header, request::Parts};

use crate::payload::Payload;

/// The path with the bucket in front, wherever the bucket was named.
pub(crate) fn path_style<'p>(parts: &'p Parts, bucket: Option<&str>) -> Cow<'p, str> {
    match bucket {
        Some(bucket) => Cow::Owned(format!("/{bucket}{}", parts.uri.path())),
        None => Cow::Borrowed(parts.uri.path()),
    }
}

/// Path style, the body without its frame, trailers as headers, nothing left of the signature.
pub(crate) fn prepare(mut parts: Parts, bucket: Option<&str>, payload: Payload) -> Request<Bytes> {
    let mut target = path_style(&parts, bucket).into_owned();
    let mut separator = '?';
    for pair in parts.uri.query().unwrap_or_default().split('&') {
        let name = pair.split('=').next().unwrap_or_default();
        if name.is_empty() || is_signature_parameter(name) {
            continue;
        }
        target.push(separator);
        target.push_str(pair);
        separator = '&';
    }
    if let Ok(uri) = target.parse::<Uri>() {
        parts.uri = uri;
    }
    let headers = &mut parts.headers;
    for name in [
        "authorization",
        "expect",
        "transfer-encoding",
        "x-amz-content-sha256",
        "x-amz-date",
        "x-amz-decoded-content-length",
        "x-amz-security-token",
        "x-amz-trailer",
    ] {
        headers.remove(name);
    }
    headers.insert(header::HOST, HeaderValue::from_static("s3"));
    headers.insert(
        header::CONTENT_LENGTH,
        HeaderValue::from(payload.body.len()),
    );
    if payload.was_chunked {
        drop_aws_chunked(headers);
    }
    for (name, value) in payload.trailers {
        // Only checksums may trail.
        if name.starts_with("x-amz-checksum-")
            && let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
        {
            headers.insert(name, value);
        }
    }
    Request::from_parts(parts, payload.body)
}

/// `aws-chunked` is part of the transport; other encodings beside it are the object's.
fn drop_aws_chunked(headers: &mut http::HeaderMap) {
    let rest: Vec<String> = headers
        .get_all(header::CONTENT_ENCODING)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .map(str::trim)
        .filter(|coding| !coding.is_empty() && *coding != "aws-chunked")
        .map(str::to_owned)
        .collect();
    headers.remove(header::CONTENT_ENCODING);
    if let (false, Ok(value)) = (rest.is_empty(), HeaderValue::try_from(rest.join(","))) {
        headers.insert(header::CONTENT_ENCODING, value);
    }
}

fn is_signature_parameter(name: &str) -> bool {
    matches!(
        name,
        "X-Amz-Algorithm"
            | "X-Amz-Credential"
            | "X-Amz-Date"
            | "X-Amz-Expires"
            | "X-Amz-SignedHeaders"
            | "X-Amz-Signature"
            | "X-Amz-Security-Token"
            | "X-Amz-Content-Sha256"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_request_becomes_a_plain_one() {
        let parts = Request::builder()
            .uri("/a%20b?X-Amz-Signature=0&partNumber=1&uploads")
            .header("content-encoding", "aws-chunked,gzip")
            .header("x-amz-security-token", "t")
            .body(())
            .unwrap()
            .into_parts()
            .0;
        let payload = Payload {
            body: Bytes::from_static(b"abc"),
            trailers: vec![
                ("x-amz-checksum-crc32".into(), "AAAA".into()),
                ("x-amz-acl".into(), "public".into()),
            ],
            was_chunked: true,
        };
        let request = prepare(parts, Some("bucket"), payload);
        assert_eq!(request.uri(), "/bucket/a%20b?partNumber=1&uploads");
        let headers = request.headers();
        assert_eq!(headers["content-length"], "3");
        assert_eq!(headers["content-encoding"], "gzip");
        assert_eq!(headers["x-amz-checksum-crc32"], "AAAA");
        assert!(
            !headers.contains_key("x-amz-security-token") && !headers.contains_key("x-amz-acl")
        );
    }
}
