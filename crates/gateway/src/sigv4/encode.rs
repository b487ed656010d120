//! Percent encoding as SigV4 wants it.

use std::borrow::Cow;

use super::canonical::Sink;

const HEX: &[u8; 16] = b"0123456789ABCDEF";

const fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// Writes `bytes` with everything but `A-Za-z0-9-._~` as `%XX`; `/` is kept when `keep_slash`.
pub fn uri_encode(out: &mut impl Sink, bytes: &[u8], keep_slash: bool) {
    let mut start = 0;
    for (i, &byte) in bytes.iter().enumerate() {
        if unreserved(byte) || (keep_slash && byte == b'/') {
            continue;
        }
        out.put(&bytes[start..i]);
        out.put(&[
            b'%',
            HEX[usize::from(byte >> 4)],
            HEX[usize::from(byte & 15)],
        ]);
        start = i + 1;
    }
    out.put(&bytes[start..]);
}

/// Decodes `%XX`; a stray `%` stays. With `plus`, `+` means a space, as in queries.
pub fn percent_decode(text: &[u8], plus: bool) -> Cow<'_, [u8]> {
    let special = |b: &u8| *b == b'%' || (plus && *b == b'+');
    let Some(first) = text.iter().position(special) else {
        return Cow::Borrowed(text);
    };
    let mut out = Vec::with_capacity(text.len());
    out.extend_from_slice(&text[..first]);
    let mut i = first;
    while i < text.len() {
        match text[i] {
            b'%' => match (hex(text.get(i + 1)), hex(text.get(i + 2))) {
                (Some(high), Some(low)) => {
                    out.push(high << 4 | low);
                    i += 2;
                }
                _ => out.push(b'%'),
            },
            b'+' if plus => out.push(b' '),
            byte => out.push(byte),
        }
        i += 1;
    }
    Cow::Owned(out)
}

fn hex(byte: Option<&u8>) -> Option<u8> {
    char::from(*byte?).to_digit(16).map(|d| d as u8)
}

/// As [`percent_decode`], to text; what is not UTF-8 becomes U+FFFD.
pub(super) fn decode_text(text: &str, plus: bool) -> Cow<'_, str> {
    match percent_decode(text.as_bytes(), plus) {
        Cow::Borrowed(_) => Cow::Borrowed(text),
        Cow::Owned(bytes) => Cow::Owned(
            String::from_utf8(bytes)
                .unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str, keep_slash: bool) -> String {
        let mut out = Vec::new();
        uri_encode(&mut out, text.as_bytes(), keep_slash);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn encodes_all_but_the_unreserved() {
        assert_eq!(encode("aZ09-._~ /+é", false), "aZ09-._~%20%2F%2B%C3%A9");
        assert_eq!(encode("a/b c", true), "a/b%20c");
    }

    #[test]
    fn decodes_and_lets_strays_be() {
        assert_eq!(&*percent_decode(b"a%2fb+c%zz%4", true), b"a/b c%zz%4");
        assert_eq!(&*percent_decode(b"a+b", false), b"a+b");
    }
}
