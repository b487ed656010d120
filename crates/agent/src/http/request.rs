//! The head of a request, read as Go reads it.

use std::borrow::Cow;

use super::target::{Target, parse_target};

/// Why there is no request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The head is not complete yet.
    Incomplete,
    /// A status and, where Go says one, a reason.
    Status(u16, Option<&'static str>),
    /// 501 in its own form.
    TransferEncoding,
}

const BAD: Refusal = Refusal::Status(400, None);

/// How long the body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BodyLength {
    Known(u64),
    Chunked,
}

/// A request's head.
#[derive(Debug)]
pub(crate) struct Request<'a> {
    /// The method.
    pub(crate) method: &'a str,
    /// The request line's target, as written.
    pub(crate) uri: &'a [u8],
    pub(super) target: Target,
    pub(super) minor: u8,
    pub(super) major: u8,
    /// The host: the target's if it names one, else the header's.
    pub(crate) host: Cow<'a, str>,
    /// The first `Authorization` header, raw.
    pub(crate) authorization: Option<Cow<'a, [u8]>>,
    /// The first `User-Agent` header.
    pub(crate) user_agent: Option<Cow<'a, [u8]>>,
    pub(super) body: BodyLength,
    /// The client wants the connection closed after the reply.
    pub(super) close: bool,
    /// An HTTP/1.0 client wants it kept.
    pub(super) keep_alive_10: bool,
    pub(super) expect: Expect,
    /// Bytes the head takes.
    pub(super) length: usize,
}

/// What the `Expect` header asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expect {
    Nothing,
    Continue,
    Other,
}

impl Request<'_> {
    pub(super) fn at_least_11(&self) -> bool {
        (self.major, self.minor) >= (1, 1)
    }

    pub(super) fn is_head(&self) -> bool {
        self.method == "HEAD"
    }
}

/// A line without its end, and where the next one begins.
fn line(data: &[u8], at: usize) -> Option<(&[u8], usize)> {
    let length = data[at..].iter().position(|&c| c == b'\n')?;
    let line = &data[at..at + length];
    Some((line.strip_suffix(b"\r").unwrap_or(line), at + length + 1))
}

/// Go's token characters, for methods and header names.
fn is_token(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&c)
}

/// `HTTP/x.y`.
fn version(text: &[u8]) -> Option<(u8, u8)> {
    match text {
        [
            b'H',
            b'T',
            b'T',
            b'P',
            b'/',
            major @ b'0'..=b'9',
            b'.',
            minor @ b'0'..=b'9',
        ] => Some((major - b'0', minor - b'0')),
        _ => None,
    }
}

#[derive(Default)]
struct Headers<'a> {
    any: bool,
    bad_name: bool,
    hosts: usize,
    host: Option<Cow<'a, [u8]>>,
    authorization: Option<Cow<'a, [u8]>>,
    user_agent: Option<Cow<'a, [u8]>>,
    content_lengths: Vec<Cow<'a, [u8]>>,
    transfer_encodings: Vec<Cow<'a, [u8]>>,
    connection: Vec<Cow<'a, [u8]>>,
    expect: Option<Cow<'a, [u8]>>,
    trailers: Vec<Cow<'a, [u8]>>,
}

/// Reads the head of a request from the front of `data`.
pub(super) fn parse(data: &[u8]) -> Result<Request<'_>, Refusal> {
    let (first, mut at) = line(data, 0).ok_or(Refusal::Incomplete)?;
    let mut words = first.splitn(3, |&c| c == b' ');
    let (Some(method), Some(uri), Some(proto)) = (words.next(), words.next(), words.next()) else {
        return Err(BAD);
    };
    if method.is_empty() || !method.iter().all(|&c| is_token(c)) {
        return Err(BAD);
    }
    let method = std::str::from_utf8(method).map_err(|_| BAD)?;
    let (major, minor) = version(proto).ok_or(BAD)?;
    let target = parse_target(method, uri).ok_or(BAD)?;

    if matches!(data.get(at), Some(b' ' | b'\t')) {
        return Err(BAD);
    }
    let mut headers = Headers::default();
    loop {
        let (raw, mut next) = line(data, at).ok_or(Refusal::Incomplete)?;
        if raw.is_empty() {
            at = next;
            break;
        }
        if !raw.contains(&b':') {
            return Err(BAD);
        }
        let mut whole = Cow::Borrowed(trim(raw));
        // A line that begins with white space goes on with the one before.
        while matches!(data.get(next).ok_or(Refusal::Incomplete)?, b' ' | b'\t') {
            let (more, after) = line(data, next).ok_or(Refusal::Incomplete)?;
            let joined = whole.to_mut();
            joined.push(b' ');
            joined.extend_from_slice(trim(more));
            next = after;
        }
        headers.add(whole)?;
        at = next;
    }
    finish(method, uri, target, (major, minor), headers, at)
}

fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = text {
        text = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = text {
        text = rest;
    }
    text
}

type Bytes<'a> = Cow<'a, [u8]>;

fn split_header(whole: Bytes<'_>) -> Option<(Bytes<'_>, Bytes<'_>)> {
    let colon = whole.iter().position(|&c| c == b':')?;
    Some(match whole {
        Cow::Borrowed(line) => (line[..colon].into(), trim(&line[colon + 1..]).into()),
        Cow::Owned(line) => (
            line[..colon].to_vec().into(),
            trim(&line[colon + 1..]).to_vec().into(),
        ),
    })
}

impl<'a> Headers<'a> {
    fn add(&mut self, whole: Cow<'a, [u8]>) -> Result<(), Refusal> {
        let (name, value) = split_header(whole).ok_or(BAD)?;
        if name.is_empty() || !name.iter().all(|&c| is_token(c) || c == b' ') {
            return Err(BAD);
        }
        if value.iter().any(|&c| (c < b' ' && c != b'\t') || c == 0x7f) {
            return Err(BAD);
        }
        self.any = true;
        // A name with a space is refused later and in other words.
        self.bad_name |= name.contains(&b' ');
        let is = |wanted: &str| name.eq_ignore_ascii_case(wanted.as_bytes());
        if is("authorization") {
            self.authorization.get_or_insert(value);
        } else if is("host") {
            self.hosts += 1;
            self.host = Some(value);
        } else if is("user-agent") {
            self.user_agent.get_or_insert(value);
        } else if is("content-length") {
            self.content_lengths.push(value);
        } else if is("transfer-encoding") {
            self.transfer_encodings.push(value);
        } else if is("connection") {
            self.connection.push(value);
        } else if is("expect") {
            self.expect.get_or_insert(value);
        } else if is("trailer") {
            self.trailers.push(value);
        }
        Ok(())
    }

    fn connection_has(&self, token: &str) -> bool {
        self.connection.iter().any(|value| has_token(value, token))
    }
}

fn has_token(value: &[u8], token: &str) -> bool {
    value
        .split(|&c| c == b',')
        .any(|part| trim(part).eq_ignore_ascii_case(token.as_bytes()))
}

fn finish<'a>(
    method: &'a str,
    uri: &'a [u8],
    target: Target,
    (major, minor): (u8, u8),
    headers: Headers<'a>,
    length: usize,
) -> Result<Request<'a>, Refusal> {
    if headers.hosts > 1 {
        return Err(BAD);
    }
    let at_least_11 = (major, minor) >= (1, 1);
    let body = body_length(&headers, at_least_11)?;
    let has_close = headers.connection_has("close");
    let keep_alive_10 = (major, minor) == (1, 0) && headers.connection_has("keep-alive");
    let h2_upgrade = method == "PRI" && !headers.any && uri == b"*" && (major, minor) == (2, 0);
    let close =
        h2_upgrade || major < 1 || has_close || ((major, minor) == (1, 0) && !keep_alive_10);

    if major != 1 && !(method == "PRI" && uri == b"*" && (major, minor) == (2, 0)) {
        return Err(Refusal::Status(505, Some("unsupported protocol version")));
    }
    if at_least_11 && headers.hosts == 0 && !h2_upgrade && method != "CONNECT" {
        return Err(Refusal::Status(400, Some("missing required Host header")));
    }
    if headers
        .host
        .as_ref()
        .is_some_and(|host| !host.iter().all(|&c| is_host_byte(c)))
    {
        return Err(Refusal::Status(400, Some("malformed Host header")));
    }
    if headers.bad_name {
        return Err(Refusal::Status(400, Some("invalid header name")));
    }
    let host = match (&target.host[..], headers.host) {
        ("", Some(Cow::Borrowed(host))) => String::from_utf8_lossy(host),
        ("", Some(Cow::Owned(host))) => String::from_utf8_lossy(&host).into_owned().into(),
        ("", None) => "".into(),
        (host, _) => host.to_owned().into(),
    };
    let expect = match headers.expect.as_deref() {
        None | Some(b"") => Expect::Nothing,
        Some(value) if has_token(value, "100-continue") => Expect::Continue,
        Some(_) => Expect::Other,
    };
    Ok(Request {
        method,
        uri,
        target,
        minor,
        major,
        host,
        authorization: headers.authorization,
        user_agent: headers.user_agent,
        body,
        close,
        keep_alive_10,
        expect,
        length,
    })
}

fn body_length(headers: &Headers<'_>, at_least_11: bool) -> Result<BodyLength, Refusal> {
    let mut chunked = false;
    if at_least_11 && !headers.transfer_encodings.is_empty() {
        match &headers.transfer_encodings[..] {
            [one] if one.eq_ignore_ascii_case(b"chunked") => chunked = true,
            _ => return Err(Refusal::TransferEncoding),
        }
    }
    let mut known = 0;
    if let Some(first) = headers.content_lengths.first() {
        if headers.content_lengths.iter().any(|other| other != first) {
            return Err(BAD);
        }
        let digits = !first.is_empty() && first.iter().all(u8::is_ascii_digit);
        let text = std::str::from_utf8(first).map_err(|_| BAD)?;
        known = text
            .parse::<u64>()
            .ok()
            .filter(|&n| digits && n <= i64::MAX as u64)
            .ok_or(BAD)?;
    }
    if !chunked {
        return Ok(BodyLength::Known(known));
    }
    let forbidden = ["transfer-encoding", "trailer", "content-length"];
    let bad_trailer = headers
        .trailers
        .iter()
        .any(|value| forbidden.iter().any(|name| has_token(value, name)));
    if bad_trailer {
        Err(BAD)
    } else {
        Ok(BodyLength::Chunked)
    }
}

fn is_host_byte(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"!$%&()*+,-.:;=['\x5d_~".contains(&c)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(head: &str) -> Refusal {
        parse(head.as_bytes()).err().unwrap()
    }

    #[test]
    fn reads_what_go_reads() {
        let head = "GET /v1/credentials?x HTTP/1.1\r\nhost:  a:80 \r\nAUTHORIZATION: x\r\n  y\r\nauthorization: z\n\nrest";
        let request = parse(head.as_bytes()).unwrap();
        assert_eq!((request.method, &*request.host), ("GET", "a:80"));
        assert_eq!(request.authorization.as_deref(), Some(&b"x y"[..]));
        assert_eq!(&head[request.length..], "rest");
        let absolute = parse(b"GET http://other/v1 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
        assert_eq!(absolute.host, "other");
        assert!(parse(b"GET / HTTP/1.0\r\n\r\n").unwrap().close);
    }

    #[test]
    fn refuses_what_go_refuses() {
        let reason = |text| Refusal::Status(400, Some(text));
        for (head, expected) in [
            (
                "GET / HTTP/1.1\r\n\r\n",
                reason("missing required Host header"),
            ),
            (
                "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
                reason("malformed Host header"),
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nB ad: x\r\n\r\n",
                reason("invalid header name"),
            ),
            ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", BAD),
            ("GET / HTTP/1.1\r\nHost: a\r\nB\x01: x\r\n\r\n", BAD),
            ("GET / HTTP/1.1\r\nHost: a\r\nB: x\x01\r\n\r\n", BAD),
            ("GET / HTTP/1.1\r\nHost", Refusal::Incomplete),
            ("GARBAGE\r\n", BAD),
            ("\r\n", BAD),
            ("G(T / HTTP/1.1\r\n", BAD),
            ("GET v1 HTTP/1.1\r\n", BAD),
            ("GET /%zz HTTP/1.1\r\n", BAD),
            (
                "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
                Refusal::Status(505, Some("unsupported protocol version")),
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
                BAD,
            ),
            (
                "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
                Refusal::TransferEncoding,
            ),
        ] {
            assert_eq!(refusal(head), expected, "{head:?}");
        }
    }
}
