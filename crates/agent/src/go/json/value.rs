//! Values as Go decodes them: invalid UTF-8 and lone surrogates become U+FFFD, numbers keep their text, duplicate
//! members stay in order.

use super::scan::{Scanner, Step, check_valid};

/// How deep values are told apart. What lies deeper is skipped: nothing the agent looks at does, and a token of ten
/// thousand brackets must not exhaust the stack.
const DEPTH: usize = 64;

/// A JSON value. All but the words keep the bytes they were written with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// A number's text.
    Number(&'a str),
    /// A string, and the literal it was written as.
    String(String, &'a [u8]),
    Array(Vec<Self>, &'a [u8]),
    Object(Vec<(String, Self)>, &'a [u8]),
}

/// Why a stream holds no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum DecodeError {
    /// Nothing but white space.
    #[error("EOF")]
    Eof,
    /// Anything else, in Go's words.
    #[error("{0}")]
    Bad(String),
}

impl<'a> Value<'a> {
    /// The last member of that very name, as in a Go map.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(members, _) => members
                .iter()
                .rev()
                .find(|(key, _)| key == name)
                .map(|(_, v)| v),
            _ => None,
        }
    }

    /// The text of a string.
    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::String(text, _) => Some(text),
            _ => None,
        }
    }

    /// What Go's error messages call the kind.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "bool",
            Self::Number(_) => "number",
            Self::String(..) => "string",
            Self::Array(..) => "array",
            Self::Object(..) => "object",
        }
    }

    /// The first number, in reading order, that no float64 can hold. Go refuses it when it decodes into an interface.
    pub(crate) fn first_overflow(&self) -> Option<&'a str> {
        match self {
            Self::Number(text) => overflows(text).then_some(*text),
            Self::Array(_, raw) | Self::Object(_, raw) => overflow_in(raw),
            _ => None,
        }
    }
}

/// Decodes the whole input as one value (`json.Unmarshal`).
pub(crate) fn parse(data: &[u8]) -> Result<Value<'_>, String> {
    check_valid(data)?;
    Ok(Reader {
        data,
        at: 0,
        depth: 0,
    }
    .value())
}

/// Decodes the first value of a stream and ignores what follows (`json.Decoder`).
pub(crate) fn decode_first(data: &[u8]) -> Result<Value<'_>, DecodeError> {
    let mut scanner = Scanner::new();
    let mut end = None;
    for (at, &c) in data.iter().enumerate() {
        match scanner.step(c).map_err(DecodeError::Bad)? {
            Step::End => {
                end = Some(at);
                break;
            }
            Step::Closed if scanner.is_closed() => {
                end = Some(at + 1);
                break;
            }
            _ => {}
        }
    }
    let end = match end {
        Some(end) => end,
        None if scanner.step(b' ') == Ok(Step::End) => data.len(),
        None if data
            .iter()
            .all(|c| matches!(c, b' ' | b'\t' | b'\r' | b'\n')) =>
        {
            return Err(DecodeError::Eof);
        }
        None => return Err(DecodeError::Bad("unexpected EOF".into())),
    };
    let data = &data[..end];
    Ok(Reader {
        data,
        at: 0,
        depth: 0,
    }
    .value())
}

/// Whether a member of that name is decoded into a struct field called `field` (lower-case ASCII): Go folds case, also
/// of the long s and the Kelvin sign.
pub(crate) fn folds_to(name: &str, field: &str) -> bool {
    let folded = name.chars().map(|c| match c {
        '\u{17f}' => 's',
        '\u{212a}' => 'k',
        _ => c.to_ascii_lowercase(),
    });
    folded.eq(field.chars())
}

fn overflows(number: &str) -> bool {
    number.parse::<f64>().is_ok_and(f64::is_infinite)
}

/// The first number in well-formed JSON that overflows; without recursion.
fn overflow_in(raw: &[u8]) -> Option<&str> {
    let mut at = 0;
    while at < raw.len() {
        match raw[at] {
            b'"' => at = string_end(raw, at),
            b'0'..=b'9' | b'-' => {
                let length = raw[at..].iter().take_while(|&&c| is_of_number(c)).count();
                let text = std::str::from_utf8(&raw[at..at + length]).unwrap_or_default();
                if overflows(text) {
                    return Some(text);
                }
                at += length;
            }
            _ => at += 1,
        }
    }
    None
}

fn is_of_number(c: u8) -> bool {
    matches!(c, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')
}

/// Behind the string that begins at `at`.
fn string_end(raw: &[u8], mut at: usize) -> usize {
    at += 1;
    while at < raw.len() && raw[at] != b'"' {
        at += if raw[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}

/// Reads what the scanner has found well-formed.
struct Reader<'a> {
    data: &'a [u8],
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> u8 {
        self.data.get(self.at).copied().unwrap_or(b' ')
    }

    fn space(&mut self) {
        while self.at < self.data.len()
            && matches!(self.data[self.at], b' ' | b'\t' | b'\r' | b'\n')
        {
            self.at += 1;
        }
    }

    fn value(&mut self) -> Value<'a> {
        self.space();
        match self.peek() {
            b'{' | b'[' => {
                let (object, start) = (self.peek() == b'{', self.at);
                self.depth += 1;
                let (mut items, mut members) = (Vec::new(), Vec::new());
                if self.depth > DEPTH {
                    self.skip();
                } else if object {
                    members = self.object();
                } else {
                    items = self.array();
                }
                self.depth -= 1;
                let raw = &self.data[start..self.at.min(self.data.len())];
                if object {
                    Value::Object(members, raw)
                } else {
                    Value::Array(items, raw)
                }
            }
            b'"' => {
                let (text, literal) = self.string();
                Value::String(text, literal)
            }
            b't' => self.word(4, Value::Bool(true)),
            b'f' => self.word(5, Value::Bool(false)),
            b'n' => self.word(4, Value::Null),
            _ => {
                let start = self.at;
                while is_of_number(self.peek()) {
                    self.at += 1;
                }
                let text = &self.data[start..self.at];
                Value::Number(std::str::from_utf8(text).unwrap_or_default())
            }
        }
    }

    fn word(&mut self, length: usize, value: Value<'a>) -> Value<'a> {
        self.at += length;
        value
    }

    /// Goes behind the object or array that begins here.
    fn skip(&mut self) {
        let mut open = 0usize;
        while self.at < self.data.len() {
            match self.data[self.at] {
                b'"' => {
                    self.at = string_end(self.data, self.at);
                    continue;
                }
                b'{' | b'[' => open += 1,
                b'}' | b']' => open -= 1,
                _ => {}
            }
            self.at += 1;
            if open == 0 {
                return;
            }
        }
    }

    fn array(&mut self) -> Vec<Value<'a>> {
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                b']' => break,
                b',' => self.at += 1,
                _ => items.push(self.value()),
            }
        }
        self.at += 1;
        items
    }

    fn object(&mut self) -> Vec<(String, Value<'a>)> {
        let mut members = Vec::new();
        self.at += 1;
        loop {
            self.space();
            match self.peek() {
                b'}' => break,
                b',' => self.at += 1,
                _ => {
                    let (key, _) = self.string();
                    self.space();
                    self.at += 1;
                    members.push((key, self.value()));
                }
            }
        }
        self.at += 1;
        members
    }

    fn string(&mut self) -> (String, &'a [u8]) {
        let start = self.at;
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            match self.peek() {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    self.escape(&mut bytes);
                }
                c => {
                    bytes.push(c);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            text.push_str(chunk.valid());
            // Go replaces byte by byte.
            text.extend(std::iter::repeat_n('\u{fffd}', chunk.invalid().len()));
        }
        (text, &self.data[start..self.at])
    }

    fn escape(&mut self, bytes: &mut Vec<u8>) {
        let c = self.peek();
        self.at += 1;
        let plain = match c {
            b'b' => 0x08,
            b'f' => 0x0c,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => {
                let unit = self.hex();
                let c = match unit {
                    0xd800..0xdc00 => self.low_surrogate(unit),
                    _ => char::from_u32(unit),
                };
                let mut buffer = [0; 4];
                bytes
                    .extend_from_slice(c.unwrap_or('\u{fffd}').encode_utf8(&mut buffer).as_bytes());
                return;
            }
            _ => c,
        };
        bytes.push(plain);
    }

    fn hex(&mut self) -> u32 {
        let digits = self.data.get(self.at..self.at + 4).unwrap_or_default();
        self.at += 4;
        let text = std::str::from_utf8(digits).unwrap_or_default();
        u32::from_str_radix(text, 16).unwrap_or(0xfffd)
    }

    fn low_surrogate(&mut self, high: u32) -> Option<char> {
        if self.data.get(self.at..self.at + 2) != Some(b"\\u") {
            return None;
        }
        let back = self.at;
        self.at += 2;
        let low = self.hex();
        if (0xdc00..0xe000).contains(&low) {
            return char::from_u32(0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00));
        }
        self.at = back;
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_repaired() {
        let text = |json: &[u8]| parse(json).unwrap().as_str().unwrap().to_string();
        assert_eq!(
            text(br#""\ud83d\ude00\ud800x\ud800\u0041""#),
            "😀\u{fffd}x\u{fffd}A"
        );
        assert_eq!(text(b"\"a\xffb\xe2\x82\""), "a\u{fffd}b\u{fffd}\u{fffd}");
    }

    #[test]
    fn the_last_member_counts() {
        let value = parse(br#"{"a":1,"b":[true,{}],"a":"x"}"#).unwrap();
        assert_eq!(value.get("a").unwrap().as_str(), Some("x"));
        assert_eq!(value.get("A"), None);
    }

    #[test]
    fn a_stream_ends_with_its_first_value() {
        assert_eq!(
            decode_first(b" {} <html>").unwrap(),
            Value::Object(vec![], b"{}")
        );
        assert_eq!(decode_first(b"12x").unwrap(), Value::Number("12"));
        assert_eq!(decode_first(b"12").unwrap(), Value::Number("12"));
        assert_eq!(decode_first(b" \n"), Err(DecodeError::Eof));
        assert_eq!(
            decode_first(b"{\"a\""),
            Err(DecodeError::Bad("unexpected EOF".into()))
        );
        assert!(matches!(decode_first(b"<html>"), Err(DecodeError::Bad(_))));
    }

    #[test]
    fn depth_is_survived() {
        let deep = format!("{}1e999{}", "[".repeat(9_000), "]".repeat(9_000));
        let value = parse(deep.as_bytes()).unwrap();
        assert_eq!(value.first_overflow(), Some("1e999"));
        assert_eq!(
            parse(b"{\"a\":[\"1e999\"]}").unwrap().first_overflow(),
            None
        );
    }

    #[test]
    fn field_names_fold() {
        assert!(folds_to("EXP", "exp") && folds_to("i\u{17f}\u{17f}", "iss"));
        assert!(!folds_to("exp2", "exp"));
    }
}
