//! Small readers of text with Go's rules.

/// A key as Go compares it when letter case does not count: ASCII, and the two letters that fold into ASCII.
pub(super) fn fold(key: &str) -> String {
    key.chars()
        .map(|c| match c {
            '\u{212a}' => 'K',
            '\u{17f}' => 'S',
            c => c.to_ascii_uppercase(),
        })
        .collect()
}

/// The text of a JSON string literal (with its quotes), broken UTF-8 and lone surrogates replaced.
pub(super) fn unquote(literal: &[u8]) -> String {
    let inner = match literal {
        [b'"', inner @ .., b'"'] => inner,
        other => other,
    };
    if !inner.contains(&b'\\') {
        return lossy(inner);
    }
    let mut out: Vec<u8> = Vec::with_capacity(inner.len());
    let mut at = 0;
    while let Some(&c) = inner.get(at) {
        at += 1;
        if c != b'\\' {
            out.push(c);
            continue;
        }
        let escape = inner.get(at).copied().unwrap_or(b'\\');
        at += 1;
        match escape {
            b'b' => out.push(8),
            b'f' => out.push(12),
            b'n' => out.push(b'\n'),
            b'r' => out.push(b'\r'),
            b't' => out.push(b'\t'),
            b'u' => {
                let first = hex4(inner, at);
                at += 4;
                let mut c = char::from_u32(first);
                if (0xd800..0xdc00).contains(&first) && inner.get(at..at + 2) == Some(b"\\u") {
                    let second = hex4(inner, at + 2);
                    if (0xdc00..0xe000).contains(&second) {
                        c = char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (second - 0xdc00));
                        at += 6;
                    }
                }
                let mut buffer = [0; 4];
                let c = c.unwrap_or(char::REPLACEMENT_CHARACTER);
                out.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
            }
            other => out.push(other),
        }
    }
    lossy(&out)
}

fn hex4(text: &[u8], at: usize) -> u32 {
    text.get(at..at + 4)
        .and_then(|digits| std::str::from_utf8(digits).ok())
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .unwrap_or(0xfffd)
}

/// Text with one replacement character for every broken byte, as Go counts them.
fn lossy(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    out
}

/// Go's `strconv.ParseInt(text, 10, 64)`.
pub(crate) fn parse_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

/// Go's `strconv.ParseInt(text, 0, 64)`: the base is told by a prefix, and digits may be grouped with underscores.
pub(crate) fn parse_int_any_base(text: &str) -> Option<i64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let lower = unsigned.to_ascii_lowercase();
    let (base, digits, prefixed) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, &lower[2..], true),
        [b'0', b'o', ..] => (8, &lower[2..], true),
        [b'0', b'b', ..] => (2, &lower[2..], true),
        [b'0', _, ..] => (8, &lower[1..], true),
        _ => (10, lower.as_str(), false),
    };
    // An underscore stands between digits, or between prefix and digits.
    let grouped = if prefixed {
        digits.strip_prefix('_').unwrap_or(digits)
    } else {
        digits
    };
    if grouped.split('_').any(str::is_empty) || grouped.starts_with(['+', '-']) {
        return None;
    }
    let bare = grouped.replace('_', "");
    let sign = if text.starts_with('-') { "-" } else { "" };
    i64::from_str_radix(&format!("{sign}{bare}"), base).ok()
}

/// Go's `strconv.ParseBool`.
pub(crate) fn parse_bool(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

/// The first record of a CSV text as Go's `encoding/csv` reads it: empty lines skipped, quoted fields may span lines,
/// a bare or stray quote is an error, and so is a text without a record.
pub(crate) fn first_csv_record(text: &str) -> Option<Vec<String>> {
    let mut lines = CsvLines { rest: text };
    let mut line = lines.next()?;
    while line.is_empty() || line == "\n" {
        line = lines.next()?;
    }
    let mut fields = Vec::new();
    loop {
        let Some(mut quoted) = line.strip_prefix('"').map(str::to_owned) else {
            let (field, rest) = match line.split_once(',') {
                Some((field, rest)) => (field, Some(rest.to_owned())),
                None => (line.strip_suffix('\n').unwrap_or(&line), None),
            };
            if field.contains('"') {
                return None;
            }
            fields.push(field.to_owned());
            match rest {
                Some(rest) => line = rest,
                None => return Some(fields),
            }
            continue;
        };
        let mut field = String::new();
        loop {
            let Some(quote) = quoted.find('"') else {
                // The field goes on in the next line.
                field.push_str(&quoted);
                quoted = lines.next()?;
                continue;
            };
            field.push_str(&quoted[..quote]);
            quoted.drain(..=quote);
            match quoted.chars().next() {
                Some('"') => {
                    field.push('"');
                    quoted.remove(0);
                }
                Some(',') => {
                    fields.push(std::mem::take(&mut field));
                    line = quoted.split_off(1);
                    break;
                }
                None | Some('\n') if quoted.len() <= 1 => {
                    fields.push(field);
                    return Some(fields);
                }
                _ => return None,
            }
        }
    }
}

/// Lines with their end, `\r\n` made `\n`, and a carriage return at the very end dropped.
struct CsvLines<'a> {
    rest: &'a str,
}

impl CsvLines<'_> {
    fn next(&mut self) -> Option<String> {
        if self.rest.is_empty() {
            return None;
        }
        let end = self.rest.find('\n').map_or(self.rest.len(), |at| at + 1);
        let (line, rest) = self.rest.split_at(end);
        self.rest = rest;
        if let Some(line) = line.strip_suffix("\r\n") {
            return Some(format!("{line}\n"));
        }
        // Only the last line can lack its end, and there a carriage return counts for nothing.
        Some(line.strip_suffix('\r').unwrap_or(line).to_owned())
    }
}

/// Whether the API machinery takes a body for JSON: its first character that is no space is a brace.
pub(crate) fn is_json_buffer(body: &[u8]) -> bool {
    let text = String::from_utf8_lossy(&body[..body.len().min(4096)]);
    match text.trim_start().chars().next() {
        Some(c) => c == '{',
        None => body.len() > 4096 && String::from_utf8_lossy(body).trim_start().starts_with('{'),
    }
}

/// Go's `filepath.Clean`.
fn clean(path: &str) -> String {
    if path.is_empty() {
        return ".".into();
    }
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&"..") | None if !rooted => parts.push(".."),
                Some(_) => {
                    parts.pop();
                }
                None => {}
            },
            part => parts.push(part),
        }
    }
    match (rooted, parts.is_empty()) {
        (true, _) => format!("/{}", parts.join("/")),
        (false, true) => ".".into(),
        (false, false) => parts.join("/"),
    }
}

/// Go's `filepath.Join` of two elements.
pub(crate) fn clean_join(first: &str, second: &str) -> String {
    match (first.is_empty(), second.is_empty()) {
        (true, true) => String::new(),
        (true, false) => clean(second),
        (false, _) => clean(&format!("{first}/{second}")),
    }
}

/// Go's `filepath.Dir`.
pub(crate) fn dir(path: &str) -> String {
    clean(path.rfind('/').map_or("", |at| &path[..=at]))
}

/// What a path names within its directory: what follows the last slash.
pub(crate) fn base(path: &str) -> &str {
    path.rfind('/').map_or(path, |at| &path[at + 1..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_are_mended() {
        assert_eq!(unquote(br#""a\u00e9\n\/\"""#), "aé\n/\"");
        assert_eq!(unquote(br#""\ud83d\ude00""#), "😀");
        assert_eq!(unquote(br#""\ud83dx""#), "\u{fffd}x");
        assert_eq!(unquote(b"\"a\xff\xfeb\""), "a\u{fffd}\u{fffd}b");
    }

    #[test]
    fn integers() {
        assert_eq!(parse_int("+7200"), Some(7200));
        assert_eq!(parse_int("-5"), Some(-5));
        for bad in ["", "+", "1h", " 1", "1_000", "0x10", "9223372036854775808"] {
            assert_eq!(parse_int(bad), None, "{bad}");
        }
    }

    #[test]
    fn integers_of_any_base() {
        for (text, number) in [
            ("0", 0),
            ("-10", -10),
            ("0x1F", 31),
            ("0b101", 5),
            ("0o17", 15),
            ("017", 15),
            ("1_000", 1000),
            ("0x_ff", 255),
        ] {
            assert_eq!(parse_int_any_base(text), Some(number), "{text}");
        }
        for bad in ["", "-", "08", "0x", "1__0", "_1", "1_", "--1", "1e3"] {
            assert_eq!(parse_int_any_base(bad), None, "{bad}");
        }
    }

    #[test]
    fn csv() {
        let read = |text| first_csv_record(text).map(|fields| fields.join("|"));
        assert_eq!(read("a,b").as_deref(), Some("a|b"));
        assert_eq!(read("a, b").as_deref(), Some("a| b"));
        assert_eq!(read("\"a,b\",c").as_deref(), Some("a,b|c"));
        assert_eq!(read("\n\r\na\nb").as_deref(), Some("a"));
        assert_eq!(read("\"a\nb\",c").as_deref(), Some("a\nb|c"));
        assert_eq!(read("\"a\"\"b\"").as_deref(), Some("a\"b"));
        assert_eq!(read("a,").as_deref(), Some("a|"));
        assert_eq!(read("a\r").as_deref(), Some("a"));
        for bad in ["", "\n", "a\"b", "\"a", "\"a\"b", " \"a\""] {
            assert_eq!(read(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn paths() {
        assert_eq!(clean_join("/pi/dir/", "sub/token"), "/pi/dir/sub/token");
        assert_eq!(clean_join("", ""), "");
        assert_eq!(clean_join("/a/b", "../c"), "/a/c");
        assert_eq!(clean_join("a", "../../b"), "../b");
        assert_eq!(dir("/a/b"), "/a");
        assert_eq!(dir("/b"), "/");
        assert_eq!(dir("b"), ".");
        assert_eq!(base("/a/b"), "b");
    }
}
