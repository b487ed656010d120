//! The canonical request, written straight into a hash (or, to be shown in an error, into a buffer).

use std::borrow::Cow;

use http::{header, request::Parts};
use sha2::{Digest as _, Sha256};

use super::{
    Form,
    encode::{percent_decode, uri_encode},
};

/// Where canonical text goes.
pub trait Sink {
    /// Appends.
    fn put(&mut self, bytes: &[u8]);
}

impl Sink for Vec<u8> {
    fn put(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

impl Sink for Sha256 {
    fn put(&mut self, bytes: &[u8]) {
        if !bytes.is_empty() {
            self.update(bytes);
        }
    }
}

/// How the path enters the canonical request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathRule {
    /// S3: decoded and encoded once, never normalised.
    Once,
    /// Everybody else: dot segments and double slashes removed, then the encoded path encoded again.
    Twice,
}

/// Writes the canonical request.
pub(super) fn canonical_request(
    out: &mut impl Sink,
    parts: &Parts,
    form: Form,
    rule: PathRule,
    signed_headers: &str,
    payload: &str,
) {
    out.put(parts.method.as_str().as_bytes());
    out.put(b"\n");
    path(out, parts.uri.path(), rule);
    out.put(b"\n");
    if let Some(text) = parts.uri.query() {
        query(out, text, form);
    }
    out.put(b"\n");
    for name in signed_headers.split(';') {
        out.put(name.as_bytes());
        out.put(b":");
        header_values(out, parts, name);
        out.put(b"\n");
    }
    out.put(b"\n");
    out.put(signed_headers.as_bytes());
    out.put(b"\n");
    out.put(payload.as_bytes());
}

fn path(out: &mut impl Sink, path: &str, rule: PathRule) {
    if path.is_empty() || path == "/" {
        return out.put(b"/");
    }
    match rule {
        PathRule::Once => uri_encode(out, &percent_decode(path.as_bytes(), false), true),
        PathRule::Twice => uri_encode(out, normalise(path).as_bytes(), true),
    }
}

/// Removes `.`, `..` and empty segments, keeping a slash at the end.
fn normalise(path: &str) -> Cow<'_, str> {
    if !path.contains("//") && !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let mut kept: Vec<&str> = Vec::new();
    for segment in path.split('/') {
        match segment {
            "" | "." => {}
            ".." => {
                kept.pop();
            }
            segment => kept.push(segment),
        }
    }
    let mut out = String::with_capacity(path.len());
    for segment in &kept {
        out.push('/');
        out.push_str(segment);
    }
    if out.is_empty() || path.ends_with('/') || path.ends_with("/.") || path.ends_with("/..") {
        out.push('/');
    }
    Cow::Owned(out)
}

fn query(out: &mut impl Sink, text: &str, form: Form) {
    let pairs = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter(|(name, _)| form == Form::Header || *name != "X-Amz-Signature");
    let encode = |text: &str| {
        let mut out = Vec::with_capacity(text.len() + 8);
        uri_encode(&mut out, &percent_decode(text.as_bytes(), true), false);
        out
    };
    let mut encoded: Vec<(Vec<u8>, Vec<u8>)> = pairs
        .map(|(name, value)| (encode(name), encode(value)))
        .collect();
    encoded.sort_unstable();
    for (i, (name, value)) in encoded.iter().enumerate() {
        if i > 0 {
            out.put(b"&");
        }
        out.put(name);
        out.put(b"=");
        out.put(value);
    }
}

fn header_values(out: &mut impl Sink, parts: &Parts, name: &str) {
    let mut values = parts.headers.get_all(name).iter().peekable();
    if values.peek().is_none() && name == "host" {
        // HTTP/2 has `:authority` instead.
        if let Some(authority) = parts.uri.authority() {
            out.put(authority.as_str().as_bytes());
        }
        return;
    }
    for (i, value) in values.enumerate() {
        if i > 0 {
            out.put(b",");
        }
        collapse(out, value.as_bytes());
    }
}

/// Trims, and makes one space of several.
fn collapse(out: &mut impl Sink, value: &[u8]) {
    let value = value.trim_ascii();
    let mut start = 0;
    let mut i = 0;
    while i < value.len() {
        if value[i] == b' ' && value.get(i + 1) == Some(&b' ') {
            out.put(&value[start..=i]);
            while value.get(i) == Some(&b' ') {
                i += 1;
            }
            start = i;
        } else {
            i += 1;
        }
    }
    out.put(&value[start..]);
}

/// Which headers are signed although AWS demands it and they are not: `host` and every `x-amz-*` sent.
pub(crate) fn unsigned_headers(
    headers: &http::HeaderMap,
    signs: impl Fn(&str) -> bool,
) -> Vec<&str> {
    let mut found = Vec::new();
    if !signs(header::HOST.as_str()) {
        found.push("host");
    }
    for name in headers.keys() {
        if name.as_str().starts_with("x-amz-") && !signs(name.as_str()) {
            found.push(name.as_str());
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(f: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        f(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn paths() {
        let twice = |p: &str| text(|out| path(out, p, PathRule::Twice));
        assert_eq!(twice("/a%20b/./c//d/../e/"), "/a%2520b/c/e/");
        assert_eq!(twice("/.."), "/");
        assert_eq!(twice(""), "/");
        let once = |p: &str| text(|out| path(out, p, PathRule::Once));
        assert_eq!(once("/b/a%20b//./c+d"), "/b/a%20b//./c%2Bd");
    }

    #[test]
    fn queries_are_sorted_after_encoding() {
        let canonical = |q: &str| text(|out| query(out, q, Form::Query));
        assert_eq!(
            canonical("b=2&a&X-Amz-Signature=1&a=%7e+z&A=%2f"),
            "A=%2F&a=&a=~%20z&b=2"
        );
    }

    #[test]
    fn header_values_are_trimmed_and_collapsed() {
        assert_eq!(text(|out| collapse(out, b"  a   b  c ")), "a b c");
        assert_eq!(text(|out| collapse(out, b"")), "");
    }
}
