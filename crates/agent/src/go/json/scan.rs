//! Go's JSON scanner: a state machine fed byte by byte, with Go's words for what it did not expect.

use super::super::quote_char;

const MAX_DEPTH: usize = 10_000;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    ObjectKey,
    ObjectValue,
    Array,
}

#[derive(Clone, Copy)]
enum State {
    Begin,
    BeginOrEnd,
    KeyOrEnd,
    Key,
    AfterValue,
    Text,
    Escape,
    Hex(u8),
    Minus,
    Digits,
    Zero,
    Dot,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
    /// The rest of `true`, `false` or `null` that is still due.
    Word(&'static str, usize),
    Top,
}

/// What a byte did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// The value goes on.
    Continue,
    /// An object or an array was closed.
    Closed,
    /// The top-level value had ended before this byte.
    End,
}

/// The scanner.
pub(super) struct Scanner {
    state: State,
    inside: Vec<Inside>,
    /// What a byte after the top-level value was complained of.
    trailing: Option<String>,
}

impl Scanner {
    pub(super) fn new() -> Self {
        Self {
            state: State::Begin,
            inside: Vec::new(),
            trailing: None,
        }
    }

    /// Whether the top-level value is closed (objects and arrays only: a number ends with the byte after it).
    pub(super) fn is_closed(&self) -> bool {
        self.inside.is_empty() && matches!(self.state, State::AfterValue)
    }

    /// Feeds one byte.
    pub(super) fn step(&mut self, c: u8) -> Result<Step, String> {
        match self.state {
            State::Begin => self.begin(c),
            State::BeginOrEnd if c == b']' => self.after_value(c),
            State::BeginOrEnd => self.begin(c),
            State::KeyOrEnd if c == b'}' => {
                if let Some(last) = self.inside.last_mut() {
                    *last = Inside::ObjectValue;
                }
                self.after_value(c)
            }
            State::KeyOrEnd | State::Key => match c {
                _ if is_space(c) => Ok(Step::Continue),
                b'"' => self.go(State::Text),
                _ => error(c, "looking for beginning of object key string"),
            },
            State::AfterValue => self.after_value(c),
            State::Text => match c {
                b'"' => self.go(State::AfterValue),
                b'\\' => self.go(State::Escape),
                0..0x20 => error(c, "in string literal"),
                _ => Ok(Step::Continue),
            },
            State::Escape => match c {
                b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"' => self.go(State::Text),
                b'u' => self.go(State::Hex(0)),
                _ => error(c, "in string escape code"),
            },
            State::Hex(n) if c.is_ascii_hexdigit() => self.go(if n == 3 {
                State::Text
            } else {
                State::Hex(n + 1)
            }),
            State::Hex(_) => error(c, "in \\u hexadecimal character escape"),
            State::Minus => match c {
                b'0' => self.go(State::Zero),
                b'1'..=b'9' => self.go(State::Digits),
                _ => error(c, "in numeric literal"),
            },
            State::Digits if c.is_ascii_digit() => Ok(Step::Continue),
            State::Digits | State::Zero => match c {
                b'.' => self.go(State::Dot),
                b'e' | b'E' => self.go(State::Exponent),
                _ => self.after_value(c),
            },
            State::Dot if c.is_ascii_digit() => self.go(State::Fraction),
            State::Dot => error(c, "after decimal point in numeric literal"),
            State::Fraction => match c {
                b'0'..=b'9' => Ok(Step::Continue),
                b'e' | b'E' => self.go(State::Exponent),
                _ => self.after_value(c),
            },
            State::Exponent if matches!(c, b'+' | b'-') => self.go(State::ExponentSign),
            State::Exponent | State::ExponentSign if c.is_ascii_digit() => {
                self.go(State::ExponentDigits)
            }
            State::Exponent | State::ExponentSign => error(c, "in exponent of numeric literal"),
            State::ExponentDigits if c.is_ascii_digit() => Ok(Step::Continue),
            State::ExponentDigits => self.after_value(c),
            State::Word(word, at) => {
                let expected = word.as_bytes()[at];
                if c != expected {
                    let context =
                        format!("in literal {word} (expecting '{}')", char::from(expected));
                    return error(c, &context);
                }
                let next = at + 1;
                self.go(if next == word.len() {
                    State::AfterValue
                } else {
                    State::Word(word, next)
                })
            }
            State::Top => self.top(c),
        }
    }

    /// Says that the input is over.
    fn finish(&mut self) -> Result<(), String> {
        if let Some(trailing) = self.trailing.take() {
            return Err(trailing);
        }
        if matches!(self.state, State::Top) || self.step(b' ')? == Step::End {
            return self.trailing.take().map_or(Ok(()), Err);
        }
        Err("unexpected end of JSON input".into())
    }

    fn go(&mut self, state: State) -> Result<Step, String> {
        self.state = state;
        Ok(Step::Continue)
    }

    fn open(&mut self, c: u8, inside: Inside, state: State) -> Result<Step, String> {
        self.inside.push(inside);
        if self.inside.len() > MAX_DEPTH {
            return error(c, "exceeded max depth");
        }
        self.go(state)
    }

    fn begin(&mut self, c: u8) -> Result<Step, String> {
        match c {
            _ if is_space(c) => Ok(Step::Continue),
            b'{' => self.open(c, Inside::ObjectKey, State::KeyOrEnd),
            b'[' => self.open(c, Inside::Array, State::BeginOrEnd),
            b'"' => self.go(State::Text),
            b'-' => self.go(State::Minus),
            b'0' => self.go(State::Zero),
            b't' => self.go(State::Word("true", 1)),
            b'f' => self.go(State::Word("false", 1)),
            b'n' => self.go(State::Word("null", 1)),
            b'1'..=b'9' => self.go(State::Digits),
            _ => error(c, "looking for beginning of value"),
        }
    }

    fn after_value(&mut self, c: u8) -> Result<Step, String> {
        let Some(inside) = self.inside.last_mut() else {
            return self.top(c);
        };
        if is_space(c) {
            return self.go(State::AfterValue);
        }
        match (*inside, c) {
            (Inside::ObjectKey, b':') => {
                *inside = Inside::ObjectValue;
                self.go(State::Begin)
            }
            (Inside::ObjectKey, _) => error(c, "after object key"),
            (Inside::ObjectValue, b',') => {
                *inside = Inside::ObjectKey;
                self.go(State::Key)
            }
            (Inside::Array, b',') => self.go(State::Begin),
            (Inside::ObjectValue, b'}') | (Inside::Array, b']') => {
                self.inside.pop();
                self.state = State::AfterValue;
                Ok(Step::Closed)
            }
            (Inside::ObjectValue, _) => error(c, "after object key:value pair"),
            (Inside::Array, _) => error(c, "after array element"),
        }
    }

    fn top(&mut self, c: u8) -> Result<Step, String> {
        // Go complains of a byte that follows the value one byte later; the words are those of the first.
        if let Some(trailing) = self.trailing.take() {
            return Err(trailing);
        }
        self.state = State::Top;
        if !is_space(c) {
            self.trailing = error(c, "after top-level value").err();
        }
        Ok(Step::End)
    }
}

fn is_space(c: u8) -> bool {
    matches!(c, b' ' | b'\t' | b'\r' | b'\n')
}

fn error(c: u8, context: &str) -> Result<Step, String> {
    Err(format!("invalid character {} {context}", quote_char(c)))
}

/// Whether the whole input is one JSON value; Go's words if it is not.
pub(crate) fn check_valid(data: &[u8]) -> Result<(), String> {
    let mut scanner = Scanner::new();
    for &c in data {
        scanner.step(c)?;
    }
    scanner.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_what_go_says() {
        for (input, expected) in [
            ("", "unexpected end of JSON input"),
            ("   ", "unexpected end of JSON input"),
            ("{", "unexpected end of JSON input"),
            ("\"abc", "unexpected end of JSON input"),
            ("-", "invalid character ' ' in numeric literal"),
            (
                "nul",
                "invalid character ' ' in literal null (expecting 'l')",
            ),
            (
                "tru3",
                "invalid character '3' in literal true (expecting 'e')",
            ),
            ("{}x", "invalid character 'x' after top-level value"),
            ("12 x y", "invalid character 'x' after top-level value"),
            ("{\"a\" 1}", "invalid character '1' after object key"),
            (
                "{\"a\":1 \"b\"}",
                "invalid character '\"' after object key:value pair",
            ),
            ("[1 2]", "invalid character '2' after array element"),
            (
                "{a}",
                "invalid character 'a' looking for beginning of object key string",
            ),
            (
                "{\"a\":1,}",
                "invalid character '}' looking for beginning of object key string",
            ),
            (
                "[1,]",
                "invalid character ']' looking for beginning of value",
            ),
            ("\"\\x\"", "invalid character 'x' in string escape code"),
            (
                "\"\\u12g\"",
                "invalid character 'g' in \\u hexadecimal character escape",
            ),
            ("\"\n\"", "invalid character '\\n' in string literal"),
            (
                "1.x",
                "invalid character 'x' after decimal point in numeric literal",
            ),
            (
                "1ex",
                "invalid character 'x' in exponent of numeric literal",
            ),
            ("01", "invalid character '1' after top-level value"),
        ] {
            assert_eq!(
                check_valid(input.as_bytes()),
                Err(expected.to_string()),
                "{input}"
            );
        }
        for input in [
            "{}",
            " [1, -0.5e+3, null, true, {\"a\": [[]]}] ",
            "0",
            "\"\\u00e9\"",
        ] {
            assert_eq!(check_valid(input.as_bytes()), Ok(()), "{input}");
        }
    }

    #[test]
    fn is_not_drowned_by_depth() {
        let deep = "[".repeat(10_001);
        assert_eq!(
            check_valid(deep.as_bytes()),
            Err("invalid character '[' exceeded max depth".into())
        );
    }
}
