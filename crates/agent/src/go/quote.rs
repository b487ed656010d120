//! Go's `strconv.Quote`.

use std::fmt::Write;

/// Quotes bytes as `%q` does.
pub(crate) fn quote_bytes(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    out.push('"');
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            push_escaped(&mut out, c);
        }
        for byte in chunk.invalid() {
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out.push('"');
    out
}

/// A byte as Go's JSON scanner names it: the code point of that number in single quotes.
pub(crate) fn quote_char(byte: u8) -> String {
    match byte {
        b'\'' => r"'\''".into(),
        b'"' => r#"'"'"#.into(),
        _ => {
            let mut out = String::from("'");
            push_escaped(&mut out, char::from(byte));
            out.push('\'');
            out
        }
    }
}

fn push_escaped(out: &mut String, c: char) {
    let short = match c {
        '"' | '\\' => {
            out.push('\\');
            out.push(c);
            return;
        }
        '\x07' => 'a',
        '\x08' => 'b',
        '\x0c' => 'f',
        '\n' => 'n',
        '\r' => 'r',
        '\t' => 't',
        '\x0b' => 'v',
        _ if is_print(c) => {
            out.push(c);
            return;
        }
        _ => {
            let n = u32::from(c);
            let _ = match n {
                0..0x20 | 0x7f => write!(out, "\\x{n:02x}"),
                0..0x1_0000 => write!(out, "\\u{n:04x}"),
                _ => write!(out, "\\U{n:08x}"),
            };
            return;
        }
    };
    out.push('\\');
    out.push(short);
}

/// Go's `unicode.IsPrint`: letters, marks, numbers, punctuation, symbols and the ASCII space. Rust escapes the same
/// characters, and combining marks in the first place only.
fn is_print(c: char) -> bool {
    let after_a_letter = || ['a', c].iter().collect::<String>().escape_debug().count() == 2;
    c == ' ' || c.is_ascii_graphic() || (!c.is_ascii() && after_a_letter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_as_go_does() {
        assert_eq!(
            quote_bytes(b"a\"\\\x00\n\x7f\xff"),
            r#""a\"\\\x00\n\x7f\xff""#
        );
        assert_eq!(
            quote_bytes("ü\u{a0}\u{301}".as_bytes()),
            "\"ü\\u00a0\u{301}\""
        );
        assert_eq!(quote_char(b'\''), r"'\''");
        assert_eq!(quote_char(0x80), r"'\u0080'");
        assert_eq!(quote_char(0xff), "'ÿ'");
    }
}
