//! Go's `Request.ParseForm`, as far as it can fail: the original calls it on every request.

/// The longest form body.
pub(super) const MAX_FORM: usize = 10 << 20;

/// The most parameters a query may have.
const MAX_PARAMETERS: usize = 10_000;

/// What a content type means for the form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FormType {
    /// The body is a form and must be one.
    UrlEncoded,
    /// Anything else that can be read.
    Other,
    /// It cannot be read.
    Malformed,
}

/// Go's `mime.ParseMediaType`, reduced to what matters here.
pub(super) fn form_type(content_type: &str) -> FormType {
    let base = content_type.split(';').next().unwrap_or("");
    let media_type = base.trim().to_lowercase();
    if !is_media_type(&media_type) {
        return FormType::Malformed;
    }
    let mut rest = &content_type[base.len()..];
    let mut seen: Vec<(String, String)> = Vec::new();
    loop {
        rest = rest.trim_start();
        if rest.is_empty() {
            break;
        }
        let Some((name, value, after)) = parameter(rest) else {
            if rest.trim() == ";" {
                break;
            }
            return FormType::Malformed;
        };
        if seen
            .iter()
            .any(|(other, different)| *other == name && *different != value)
        {
            return FormType::Malformed;
        }
        seen.push((name, value));
        rest = after;
    }
    if media_type == "application/x-www-form-urlencoded" {
        FormType::UrlEncoded
    } else {
        FormType::Other
    }
}

fn is_media_type(text: &str) -> bool {
    let (kind, rest) = token(text);
    if kind.is_empty() {
        return false;
    }
    match rest.strip_prefix('/') {
        None => rest.is_empty(),
        Some(rest) => {
            let (subtype, rest) = token(rest);
            !subtype.is_empty() && rest.is_empty()
        }
    }
}

/// Go's `isTokenChar`.
fn is_token(c: u8) -> bool {
    c.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~{}".contains(&c)
}

fn token(text: &str) -> (&str, &str) {
    text.split_at(text.bytes().take_while(|&c| is_token(c)).count())
}

/// A parameter with its leading semicolon: its name in lower case, its value, and what follows.
fn parameter(text: &str) -> Option<(String, String, &str)> {
    let rest = text.trim_start().strip_prefix(';')?.trim_start();
    let (name, rest) = token(rest);
    if name.is_empty() {
        return None;
    }
    let rest = rest.trim_start().strip_prefix('=')?.trim_start();
    let (value, after) = value(rest)?;
    Some((name.to_lowercase(), value, after))
}

fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = token(text);
        return (!value.is_empty()).then(|| (value.to_owned(), rest));
    };
    let mut out = String::new();
    let mut characters = quoted.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        match c {
            '"' => return Some((out, &quoted[at + 1..])),
            '\\' if characters
                .peek()
                .is_some_and(|&(_, next)| r#"()<>@,;:\"/[]?="#.contains(next)) =>
            {
                out.extend(characters.next().map(|(_, next)| next));
            }
            '\r' | '\n' => return None,
            c => out.push(c),
        }
    }
    None
}

/// Whether Go's `url.ParseQuery` accepts a query.
pub(super) fn is_query(query: &str) -> bool {
    if query.is_empty() {
        return true;
    }
    if query.bytes().filter(|&c| c == b'&').count() + 1 > MAX_PARAMETERS {
        return false;
    }
    query
        .split('&')
        .all(|pair| !pair.contains(';') && is_escaped(pair))
}

/// Whether every percent sign is followed by two hexadecimal digits.
pub(super) fn is_escaped(text: &str) -> bool {
    text.split('%').skip(1).all(|rest| {
        let rest = rest.as_bytes();
        rest.len() >= 2 && rest[..2].iter().all(u8::is_ascii_hexdigit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        for (text, expected) in [
            ("application/json", FormType::Other),
            ("application/json;", FormType::Other),
            ("application/json; charset=utf-8", FormType::Other),
            ("application/json; charset=\"a;b\" ; x=y", FormType::Other),
            ("Application/X-WWW-Form-Urlencoded", FormType::UrlEncoded),
            ("text", FormType::Other),
            ("application/json; ;", FormType::Malformed),
            ("application/json; =", FormType::Malformed),
            ("application/json; charset", FormType::Malformed),
            ("application/json; a=1; a=2", FormType::Malformed),
            ("application/json; a=1; a=1", FormType::Other),
            ("application/", FormType::Malformed),
            ("application/json x", FormType::Malformed),
            ("/json", FormType::Malformed),
            ("", FormType::Malformed),
        ] {
            assert_eq!(form_type(text), expected, "{text}");
        }
    }

    #[test]
    fn queries() {
        for good in ["", "a=b&c", "a=%41", "&&", "a=b=c"] {
            assert!(is_query(good), "{good}");
        }
        for bad in ["a=%zz", "a;b", "%", "a=%4"] {
            assert!(!is_query(bad), "{bad}");
        }
    }
}
