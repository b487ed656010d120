//! Go's `base64.RawURLEncoding`: lenient about the bits left over, deaf to line breaks, exact about where it failed.

/// The first byte that is not of the alphabet, as Go counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("illegal base64 data at input byte {0}")]
pub(crate) struct CorruptInput(pub(crate) usize);

const fn value(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    })
}

/// Decodes unpadded base64url.
pub(crate) fn decode(text: &[u8]) -> Result<Vec<u8>, CorruptInput> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut bits, mut count) = (0u32, 0usize);
    for (at, &byte) in text.iter().enumerate() {
        if matches!(byte, b'\r' | b'\n') {
            continue;
        }
        let Some(value) = value(byte) else {
            return Err(CorruptInput(at));
        };
        bits = bits << 6 | u32::from(value);
        count += 1;
        if count == 4 {
            out.extend_from_slice(&bits.to_be_bytes()[1..]);
            (bits, count) = (0, 0);
        }
    }
    match count {
        0 => {}
        1 => return Err(CorruptInput(text.len() - 1)),
        2 => out.push((bits >> 4) as u8),
        _ => out.extend_from_slice(&[(bits >> 10) as u8, (bits >> 2) as u8]),
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_and_counts() {
        assert_eq!(decode(b"YWJj").unwrap(), b"abc");
        assert_eq!(decode(b"YW\nJ").unwrap(), b"ab");
        assert_eq!(decode(b"YX").unwrap(), b"a");
        assert_eq!(decode(b"A"), Err(CorruptInput(0)));
        assert_eq!(decode(b"AAAAA"), Err(CorruptInput(4)));
        assert_eq!(decode(b"AA=="), Err(CorruptInput(2)));
        assert_eq!(decode(b"ab cd"), Err(CorruptInput(2)));
    }
}
