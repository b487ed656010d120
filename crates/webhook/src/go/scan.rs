//! The syntax check that Go's decoder does before it decodes anything.

/// How deeply objects and lists may nest.
const MAX_DEPTH: usize = 10_000;

/// Whether `data` is one JSON value, with Go's words if it is not.
///
/// Strings may hold any bytes but control characters: broken UTF-8 is mended by the decoder, not refused.
pub(crate) fn check(data: &[u8]) -> Result<(), String> {
    let mut scanner = Scanner { data, at: 0 };
    let mut nesting: Vec<u8> = Vec::new();
    let mut want_value = true;
    loop {
        scanner.space();
        if want_value {
            match scanner.next("looking for beginning of value")? {
                open @ (b'{' | b'[') => {
                    nesting.push(open);
                    if nesting.len() > MAX_DEPTH {
                        return Err("exceeded max depth".into());
                    }
                    scanner.space();
                    let close = if open == b'{' { b'}' } else { b']' };
                    if scanner.peek() == Some(close) {
                        scanner.at += 1;
                        nesting.pop();
                        want_value = false;
                    } else if open == b'{' {
                        scanner.key("looking for beginning of object key string")?;
                    }
                    continue;
                }
                b'"' => scanner.string()?,
                b't' => scanner.word(b"true")?,
                b'f' => scanner.word(b"false")?,
                b'n' => scanner.word(b"null")?,
                c @ (b'-' | b'0'..=b'9') => scanner.number(c)?,
                c => return Err(invalid(c, "looking for beginning of value")),
            }
            want_value = false;
            continue;
        }
        match nesting.last() {
            None => {
                return match scanner.peek() {
                    None => Ok(()),
                    Some(c) => Err(invalid(c, "after top-level value")),
                };
            }
            Some(b'{') => match scanner.next("after object key:value pair")? {
                b',' => {
                    scanner.space();
                    scanner.key("looking for beginning of object key string")?;
                    want_value = true;
                }
                b'}' => {
                    nesting.pop();
                }
                c => return Err(invalid(c, "after object key:value pair")),
            },
            Some(_) => match scanner.next("after array element")? {
                b',' => want_value = true,
                b']' => {
                    nesting.pop();
                }
                c => return Err(invalid(c, "after array element")),
            },
        }
    }
}

/// Where the value that starts at `start` ends, in data that passed [`check`].
pub(super) fn end_of_value(data: &[u8], start: usize) -> usize {
    let mut at = start;
    let mut depth = 0_usize;
    while let Some(&c) = data.get(at) {
        match c {
            b'"' => {
                at += 1;
                while let Some(&c) = data.get(at) {
                    match c {
                        b'"' => break,
                        b'\\' => at += 2,
                        _ => at += 1,
                    }
                }
                at += 1;
            }
            b'{' | b'[' => {
                depth += 1;
                at += 1;
            }
            b'}' | b']' | b',' | b':' | b' ' | b'\t' | b'\r' | b'\n' if depth == 0 => return at,
            b'}' | b']' => {
                depth -= 1;
                at += 1;
            }
            _ => {
                at += 1;
                if depth == 0 {
                    continue;
                }
            }
        }
        if depth == 0 {
            return at.min(data.len());
        }
    }
    data.len()
}

struct Scanner<'a> {
    data: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn peek(&self) -> Option<u8> {
        self.data.get(self.at).copied()
    }

    fn next(&mut self, _doing: &str) -> Result<u8, String> {
        let c = self.peek().ok_or_else(end)?;
        self.at += 1;
        Ok(c)
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
    }

    /// A key and its colon.
    fn key(&mut self, doing: &str) -> Result<(), String> {
        match self.next(doing)? {
            b'"' => self.string()?,
            c => return Err(invalid(c, doing)),
        }
        self.space();
        match self.next("after object key")? {
            b':' => Ok(()),
            c => Err(invalid(c, "after object key")),
        }
    }

    /// The rest of a string, its opening quote read.
    fn string(&mut self) -> Result<(), String> {
        loop {
            match self.next("in string literal")? {
                b'"' => return Ok(()),
                b'\\' => match self.next("in string escape code")? {
                    b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => {}
                    b'u' => {
                        for _ in 0..4 {
                            let c = self.next("in \\u hexadecimal character escape")?;
                            if !c.is_ascii_hexdigit() {
                                return Err(invalid(c, "in \\u hexadecimal character escape"));
                            }
                        }
                    }
                    c => return Err(invalid(c, "in string escape code")),
                },
                c if c < b' ' => return Err(invalid(c, "in string literal")),
                _ => {}
            }
        }
    }

    fn word(&mut self, word: &'static [u8]) -> Result<(), String> {
        for &expected in &word[1..] {
            let c = self.next("in literal")?;
            if c != expected {
                let word = String::from_utf8_lossy(word);
                return Err(invalid(
                    c,
                    &format!("in literal {word} (expecting {:?})", char::from(expected)),
                ));
            }
        }
        Ok(())
    }

    fn number(&mut self, first: u8) -> Result<(), String> {
        let lead = if first == b'-' {
            let c = self.next("in numeric literal")?;
            if !c.is_ascii_digit() {
                return Err(invalid(c, "in numeric literal"));
            }
            c
        } else {
            first
        };
        if lead != b'0' {
            self.digits();
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            let c = self.next("after decimal point in numeric literal")?;
            if !c.is_ascii_digit() {
                return Err(invalid(c, "after decimal point in numeric literal"));
            }
            self.digits();
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            let mut c = self.next("in exponent of numeric literal")?;
            if matches!(c, b'+' | b'-') {
                c = self.next("in exponent of numeric literal")?;
            }
            if !c.is_ascii_digit() {
                return Err(invalid(c, "in exponent of numeric literal"));
            }
            self.digits();
        }
        Ok(())
    }

    fn digits(&mut self) {
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
    }
}

fn end() -> String {
    "unexpected end of JSON input".into()
}

fn invalid(c: u8, doing: &str) -> String {
    let shown = match c {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        _ => format!("'{}'", char::from(c).escape_default()),
    };
    format!("invalid character {shown} {doing}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_what_json_is() {
        for text in [
            "{}",
            "[]",
            " {\"a\" : [1, -0.5e+3, true, false, null, \"\\u00e9\\n\"] , \"b\":{}} \n",
            "\"x\"",
            "0",
            "-12.5E2",
        ] {
            assert_eq!(check(text.as_bytes()), Ok(()), "{text}");
        }
        assert_eq!(
            check(b"\"\xff\""),
            Ok(()),
            "broken UTF-8 is not a syntax error"
        );
    }

    #[test]
    fn refuses_what_json_is_not() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "{} {}",
            "01",
            "1.",
            "-",
            "1e",
            "tru",
            "nul",
            "\"\\x\"",
            "\"\\u12g4\"",
            "\"\n\"",
            "\"",
            "{\"a\" 1}",
            "[1 2]",
            "'a'",
            "\"\\'\"",
            "}",
        ] {
            assert!(check(text.as_bytes()).is_err(), "{text:?}");
        }
        assert_eq!(check(b"").unwrap_err(), "unexpected end of JSON input");
        assert_eq!(
            check(b"{]").unwrap_err(),
            "invalid character ']' looking for beginning of object key string"
        );
    }

    #[test]
    fn nests_to_ten_thousand_and_no_deeper() {
        let deep = |n: usize| [vec![b'['; n], vec![b']'; n]].concat();
        assert_eq!(check(&deep(10_000)), Ok(()));
        assert_eq!(check(&deep(10_001)).unwrap_err(), "exceeded max depth");
        assert_eq!(
            check(&vec![b'['; 9_000]).unwrap_err(),
            "unexpected end of JSON input"
        );
    }
}
