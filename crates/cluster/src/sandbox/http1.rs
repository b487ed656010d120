//! Just enough HTTP/1.1 for instance metadata, raw requests and watching an agent's answers.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The longest head or body that is read.
const LONGEST: usize = 4 << 20;

/// A message: a request or a response.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The first line.
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }

    /// A request's method and path.
    pub(crate) fn request(&self) -> (&str, &str) {
        let mut words = self.start.split(' ');
        (
            words.next().unwrap_or_default(),
            words.next().unwrap_or_default(),
        )
    }

    /// A response's status.
    pub(crate) fn status(&self) -> Option<u16> {
        self.start.split(' ').nth(1)?.parse().ok()
    }
}

/// What kind of message is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Request,
    /// The answer to a `HEAD` has no body.
    Response {
        to_head: bool,
    },
}

/// Takes one whole message from the front of `bytes`, or nothing if it is not whole yet. At the end of the stream
/// (`ended`) a response without a length is whole.
pub(crate) fn take(bytes: &mut Vec<u8>, kind: Kind, ended: bool) -> io::Result<Option<Message>> {
    let Some(end) = find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > LONGEST {
            Err(wrong("the head is too long"))
        } else {
            Ok(None)
        };
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let start = lines.next().unwrap_or_default().to_owned();
    let headers = lines
        .filter_map(|l| l.split_once(':'))
        .map(|(n, v)| (n.to_owned(), v.trim().to_owned()))
        .collect();
    let mut message = Message {
        start,
        headers,
        body: Vec::new(),
    };
    let rest = end + 4;
    let bodiless = match kind {
        Kind::Request => message.header("content-length").is_none() && !is_chunked(&message),
        Kind::Response { to_head } => {
            to_head || matches!(message.status(), Some(100..=199 | 204 | 304))
        }
    };
    let used = if bodiless {
        rest
    } else if is_chunked(&message) {
        match chunks(&bytes[rest..])? {
            Some((body, used)) => {
                message.body = body;
                rest + used
            }
            None => return Ok(None),
        }
    } else if let Some(length) = message.header("content-length") {
        let length: usize = length
            .parse()
            .ok()
            .filter(|l| *l <= LONGEST)
            .ok_or_else(|| wrong("the length is not one"))?;
        if bytes.len() < rest + length {
            return Ok(None);
        }
        message.body = bytes[rest..rest + length].to_vec();
        rest + length
    } else if ended {
        message.body = bytes[rest..].to_vec();
        bytes.len()
    } else {
        return Ok(None);
    };
    bytes.drain(..used);
    Ok(Some(message))
}

/// Reads one whole message; nothing at the end of the stream.
pub(crate) async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    kind: Kind,
) -> io::Result<Option<Message>> {
    let mut chunk = [0; 4096];
    loop {
        if let Some(message) = take(buffer, kind, false)? {
            return Ok(Some(message));
        }
        if buffer.len() > 2 * LONGEST {
            return Err(wrong("the message is too long"));
        }
        match stream.read(&mut chunk).await? {
            0 => {
                let last = take(buffer, kind, true)?;
                return match last {
                    Some(message) => Ok(Some(message)),
                    None if buffer.is_empty() => Ok(None),
                    None => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
            n => buffer.extend_from_slice(&chunk[..n]),
        }
    }
}

/// Writes a response that keeps the connection open.
pub(crate) async fn respond(
    stream: &mut (impl AsyncWrite + Unpin),
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<()> {
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .unwrap_or("Unknown");
    let mut out = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Length: {}\r\n",
        body.len()
    );
    for (name, value) in headers {
        out.push_str(&format!("{name}: {value}\r\n"));
    }
    out.push_str("\r\n");
    let mut out = out.into_bytes();
    out.extend_from_slice(body);
    stream.write_all(&out).await?;
    stream.flush().await
}

fn is_chunked(message: &Message) -> bool {
    message
        .header("transfer-encoding")
        .is_some_and(|v| v.to_ascii_lowercase().contains("chunked"))
}

fn chunks(bytes: &[u8]) -> io::Result<Option<(Vec<u8>, usize)>> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = find(&bytes[at..], b"\r\n") else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&bytes[at..at + line]);
        let size = text.split(';').next().unwrap_or_default().trim().to_owned();
        let size = usize::from_str_radix(&size, 16)
            .ok()
            .filter(|s| *s <= LONGEST)
            .ok_or_else(|| wrong("a chunk's size is not one"))?;
        at += line + 2;
        if bytes.len() < at + size + 2 {
            return Ok(None);
        }
        if size == 0 {
            // Trailers are not used by anybody here; the empty line is.
            return Ok(Some((body, at + 2)));
        }
        body.extend_from_slice(&bytes[at..at + size]);
        at += size + 2;
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|w| w == wanted)
}

fn wrong(text: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RESPONSE: Kind = Kind::Response { to_head: false };

    #[test]
    fn takes_whole_messages_one_by_one() {
        let mut bytes =
            b"GET / HTTP/1.1\r\nHost: a\r\n\r\nPUT /x HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
                .to_vec();
        let first = take(&mut bytes, Kind::Request, false).unwrap().unwrap();
        assert_eq!(first.request(), ("GET", "/"));
        assert_eq!(first.header("host"), Some("a"));
        let second = take(&mut bytes, Kind::Request, false).unwrap().unwrap();
        assert_eq!(second.body, b"hi");
        assert!(take(&mut bytes, Kind::Request, false).unwrap().is_none());
    }

    #[test]
    fn chunks_are_put_together() {
        let whole =
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        for cut in 0..whole.len() {
            let mut bytes = whole[..cut].to_vec();
            assert_eq!(take(&mut bytes, RESPONSE, false).unwrap(), None, "{cut}");
        }
        let mut bytes = whole.to_vec();
        let message = take(&mut bytes, RESPONSE, false).unwrap().unwrap();
        assert_eq!(
            (message.status(), message.body),
            (Some(200), b"abc".to_vec())
        );
        assert!(bytes.is_empty());
    }

    #[test]
    fn nonsense_is_an_error() {
        let mut bytes = b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_vec();
        assert!(take(&mut bytes, RESPONSE, false).is_err());
        let mut bytes = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec();
        assert!(take(&mut bytes, RESPONSE, false).is_err());
    }
}
