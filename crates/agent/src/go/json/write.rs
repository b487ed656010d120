//! How Go writes a string into JSON.

use std::io::Write;

/// Appends a string as `json.Marshal` writes it: `<`, `>`, `&` and the two line separators are escaped.
pub(crate) fn push_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    for c in text.chars() {
        match c {
            '"' => out.extend_from_slice(b"\\\""),
            '\\' => out.extend_from_slice(b"\\\\"),
            '\x08' => out.extend_from_slice(b"\\b"),
            '\x0c' => out.extend_from_slice(b"\\f"),
            '\n' => out.extend_from_slice(b"\\n"),
            '\r' => out.extend_from_slice(b"\\r"),
            '\t' => out.extend_from_slice(b"\\t"),
            '\0'..'\x20' | '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            _ => {
                let mut buffer = [0; 4];
                out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            }
        }
    }
    out.push(b'"');
}

#[cfg(test)]
mod tests {
    #[test]
    fn escapes_what_go_escapes() {
        let mut out = Vec::new();
        super::push_string(&mut out, "a<b>&\"\\\u{8}\n\u{1}\u{2028}é/\u{7f}");
        let expected = "\"a\\u003cb\\u003e\\u0026\\\"\\\\\\b\\n\\u0001\\u2028é/\u{7f}\"";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
