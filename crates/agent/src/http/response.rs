//! A reply, in the bytes Go writes: the handler's headers in alphabetical order, then the server's own.

use std::{io::Write, sync::Arc};

use super::Request;
use crate::go::time::http_date;

/// Larger bodies do not fit the buffer in which Go waits for the handler's end, so their length is not announced.
const BUFFER: usize = 2_048;

/// The bytes of a body.
#[derive(Clone, Debug)]
pub(crate) enum Payload {
    /// Made for this reply.
    Owned(Vec<u8>),
    /// Rendered once, given out many times.
    Shared(Arc<[u8]>),
}

impl Payload {
    /// The bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        match self {
            Self::Owned(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// What a handler answers.
#[derive(Clone, Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: Option<&'static str>,
    pub(crate) nosniff: bool,
    pub(super) location: Option<String>,
    pub(crate) body: Payload,
    /// The handler says itself that there is no body.
    pub(super) says_empty: bool,
    /// The server asks for the connection to be closed.
    pub(super) close: bool,
    /// The handler panicked: nothing is sent and the connection is closed.
    pub(crate) abort: bool,
}

impl Response {
    /// A reply without a body.
    pub(crate) fn empty(status: u16) -> Self {
        Self {
            status,
            content_type: None,
            nosniff: false,
            location: None,
            body: Payload::Owned(Vec::new()),
            says_empty: false,
            close: false,
            abort: false,
        }
    }

    /// Go's `http.Error`.
    pub(crate) fn error(status: u16, text: &str) -> Self {
        let mut body = Vec::with_capacity(text.len() + 1);
        body.extend_from_slice(text.as_bytes());
        body.push(b'\n');
        Self {
            content_type: Some("text/plain; charset=utf-8"),
            nosniff: true,
            body: Payload::Owned(body),
            ..Self::empty(status)
        }
    }

    /// Go's `http.NotFound`.
    pub(crate) fn not_found() -> Self {
        Self::error(404, "404 page not found")
    }

    /// A body of a kind.
    pub(crate) fn of(content_type: &'static str, body: Payload) -> Self {
        Self {
            content_type: Some(content_type),
            body,
            ..Self::empty(200)
        }
    }

    /// The connection is closed without a reply.
    pub(crate) fn aborted() -> Self {
        Self {
            abort: true,
            ..Self::empty(500)
        }
    }
}

/// Writes a reply and says whether the connection may be used again. `keep` is whether it may as far as the server is
/// concerned.
pub(super) fn write(
    out: &mut Vec<u8>,
    response: &Response,
    request: &Request<'_>,
    keep: bool,
    now: i64,
) -> bool {
    let allowed = !matches!(response.status, 100..200 | 204 | 304);
    let body = if allowed { response.body.bytes() } else { &[] };
    let head = request.is_head();
    let buffered = body.len() <= BUFFER;
    let length = (allowed && buffered && (!head || !body.is_empty())).then_some(body.len());
    let chunked = !buffered && !head && request.at_least_11();

    let mut close = request.close || response.close || !keep;
    let keep_alive_10 = request.keep_alive_10 && (head || length.is_some() || !allowed);
    if request.keep_alive_10 && !keep_alive_10 {
        close = true;
    }

    let version = if request.at_least_11() { "1.1" } else { "1.0" };
    let _ = match reason(response.status) {
        "" => write!(
            out,
            "HTTP/{version} {} status code {0}\r\n",
            response.status
        ),
        reason => write!(out, "HTTP/{version} {} {reason}\r\n", response.status),
    };
    if response.close && close && !keep_alive_10 {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    if response.says_empty {
        out.extend_from_slice(b"Content-Length: 0\r\n");
    }
    if let Some(kind) = response.content_type.filter(|_| response.status != 304) {
        let _ = write!(out, "Content-Type: {kind}\r\n");
    }
    if let Some(location) = &response.location {
        let _ = write!(out, "Location: {location}\r\n");
    }
    if response.nosniff {
        out.extend_from_slice(b"X-Content-Type-Options: nosniff\r\n");
    }
    out.extend_from_slice(b"Date: ");
    out.extend_from_slice(&http_date(now));
    out.extend_from_slice(b"\r\n");
    if let Some(length) = length.filter(|_| !response.says_empty) {
        let _ = write!(out, "Content-Length: {length}\r\n");
    }
    if keep_alive_10 && !close {
        out.extend_from_slice(b"Connection: keep-alive\r\n");
    } else if close && !response.close && request.at_least_11() {
        out.extend_from_slice(b"Connection: close\r\n");
    }
    if chunked {
        let _ = write!(
            out,
            "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n",
            body.len()
        );
        out.extend_from_slice(body);
        out.extend_from_slice(b"\r\n0\r\n\r\n");
        return !close;
    }
    out.extend_from_slice(b"\r\n");
    if !head {
        out.extend_from_slice(body);
    }
    // Without a length the end of the connection is the end of the body.
    !close && (length.is_some() || head || !allowed)
}

/// Go's `http.StatusText`.
pub(super) fn reason(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        // Go's words where they are not those of the `http` crate.
        418 => "I'm a teapot",
        _ => http::StatusCode::from_u16(status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or_default(),
    }
}
