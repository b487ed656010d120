//! The target of a request line, as Go's `net/url` reads it.

use std::fmt::Write;

/// A parsed target.
#[derive(Debug, Default)]
pub(super) struct Target {
    /// The host of an absolute target, else empty.
    pub(super) host: String,
    /// The path as Go's mux matches it: percent-encoded.
    pub(super) path: Vec<u8>,
    /// What follows the question mark.
    pub(super) query: Vec<u8>,
    /// The target is `*`.
    pub(super) star: bool,
}

/// Reads a target; nothing if Go refuses it.
pub(super) fn parse_target(method: &str, uri: &[u8]) -> Option<Target> {
    // The usual one, without more ado.
    if uri.first() == Some(&b'/')
        && uri
            .iter()
            .all(|&c| c.is_ascii_alphanumeric() || b"/-._".contains(&c))
    {
        return Some(Target {
            path: uri.to_vec(),
            ..Target::default()
        });
    }
    if uri.is_empty() || uri.iter().any(|&c| c < b' ' || c == 0x7f) {
        return None;
    }
    if uri == b"*" {
        return Some(Target {
            path: uri.to_vec(),
            star: true,
            ..Target::default()
        });
    }
    let authority_only = method == "CONNECT" && uri[0] != b'/';
    let (scheme, rest) = if authority_only {
        (&b"http"[..], uri)
    } else {
        scheme(uri)?
    };
    let (rest, query) = match rest.iter().position(|&c| c == b'?') {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, &b""[..]),
    };
    let mut target = Target {
        query: query.to_vec(),
        ..Target::default()
    };
    let mut path = rest;
    if authority_only || (!scheme.is_empty() && rest.starts_with(b"//")) {
        let authority = if authority_only { rest } else { &rest[2..] };
        let end = authority
            .iter()
            .position(|&c| c == b'/')
            .unwrap_or(authority.len());
        let (authority, after) = authority.split_at(end);
        let host = match authority.iter().rposition(|&c| c == b'@') {
            Some(at) => &authority[at + 1..],
            None => authority,
        };
        target.host = host_of(host)?;
        path = after;
    } else if rest.first() != Some(&b'/') {
        // A rootless path is opaque if there is a scheme, and refused otherwise.
        return (!scheme.is_empty()).then_some(target);
    }
    target.path = escaped_path(path)?;
    Some(target)
}

/// The scheme, if there is one, and what follows it; nothing if it is empty.
fn scheme(uri: &[u8]) -> Option<(&[u8], &[u8])> {
    for (at, &c) in uri.iter().enumerate() {
        match c {
            b'a'..=b'z' | b'A'..=b'Z' => {}
            b'0'..=b'9' | b'+' | b'-' | b'.' if at > 0 => {}
            b':' if at == 0 => return None,
            b':' => return Some((&uri[..at], &uri[at + 1..])),
            _ => break,
        }
    }
    Some((b"", uri))
}

fn host_of(host: &[u8]) -> Option<String> {
    let port_is_fine = |port: &[u8]| match port {
        [] => true,
        [b':', digits @ ..] => digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if let Some(open) = host.iter().rposition(|&c| c == b'[') {
        let close = host.iter().rposition(|&c| c == b']')?;
        let address = std::str::from_utf8(host.get(open + 1..close)?).ok()?;
        let bare = address.split("%25").next().unwrap_or_default();
        if open > 0
            || bare.parse::<std::net::Ipv6Addr>().is_err()
            || !port_is_fine(&host[close + 1..])
        {
            return None;
        }
    } else if let Some(colon) = host.iter().position(|&c| c == b':')
        && !port_is_fine(&host[colon..])
    {
        return None;
    }
    let plain =
        |c: &u8| *c >= 0x80 || c.is_ascii_alphanumeric() || b"!$&'()*+,-.:;=[]_~<>\"%".contains(c);
    if !host.iter().all(plain) {
        return None;
    }
    let mut out = Vec::new();
    let mut rest = host;
    while let Some((&c, after)) = rest.split_first() {
        rest = after;
        if c != b'%' {
            out.push(c);
            continue;
        }
        let byte = hex_pair(after)?;
        // Only bytes that are not ASCII may be written this way in a host (and the zone's percent sign).
        if byte < 0x80 && byte != b'%' {
            return None;
        }
        out.push(byte);
        rest = &after[2..];
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

fn hex_pair(text: &[u8]) -> Option<u8> {
    let text = text
        .get(..2)
        .filter(|t| t.iter().all(u8::is_ascii_hexdigit))?;
    u8::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
}

/// Decodes percent-encoding; nothing if it is broken.
pub(super) fn unescape(text: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&c, after)) = rest.split_first() {
        if c == b'%' {
            out.push(hex_pair(after)?);
            rest = &after[2..];
        } else {
            out.push(c);
            rest = after;
        }
    }
    Some(out)
}

fn is_plain_in_path(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"-_.~$&+,/:;=@".contains(&c)
}

/// Percent-encodes as Go encodes a path.
pub(crate) fn escape_path(path: &[u8]) -> String {
    let mut out = String::with_capacity(path.len());
    for &c in path {
        if is_plain_in_path(c) {
            out.push(char::from(c));
        } else {
            let _ = write!(out, "%{c:02X}");
        }
    }
    out
}

/// Go's `URL.EscapedPath` of a raw path: the raw one if it is a valid encoding, else the default encoding.
fn escaped_path(raw: &[u8]) -> Option<Vec<u8>> {
    let decoded = unescape(raw)?;
    let valid = |&c: &u8| is_plain_in_path(c) || b"!'()*[]%".contains(&c);
    if raw.iter().all(valid) {
        return Some(raw.to_vec());
    }
    if decoded == b"*" {
        return Some(decoded);
    }
    Some(escape_path(&decoded).into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(uri: &str) -> Option<String> {
        parse_target("GET", uri.as_bytes()).map(|t| String::from_utf8(t.path).unwrap())
    }

    #[test]
    fn paths() {
        assert_eq!(path("/v1/credentials").as_deref(), Some("/v1/credentials"));
        assert_eq!(
            path("/v1/%63redentials?x=%").as_deref(),
            Some("/v1/%63redentials")
        );
        assert_eq!(path("/a b\"").as_deref(), Some("/a%20b%22"));
        assert_eq!(path("http://h:1/x?y").as_deref(), Some("/x"));
        assert_eq!(path("//h/x").as_deref(), Some("//h/x"));
        assert_eq!(path("/%"), None);
        assert_eq!(path("http://h:x/"), None);
        assert_eq!(path("v1"), None);
    }

    #[test]
    fn hosts() {
        let host = |uri: &str| parse_target("GET", uri.as_bytes()).map(|t| t.host);
        assert_eq!(
            host("http://[fd00:ec2::23]:80/").as_deref(),
            Some("[fd00:ec2::23]:80")
        );
        assert_eq!(host("http://user@h/").as_deref(), Some("h"));
        assert_eq!(host("http://[x]/"), None);
        assert_eq!(parse_target("CONNECT", b"h:80").unwrap().host, "h:80");
    }
}
