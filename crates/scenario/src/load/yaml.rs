//! The reader's errors in the words of scenario files.

use serde_saphyr::Error;

use super::nearest;

/// What was found, and what would be right.
pub(super) fn words(text: &str, error: &Error) -> (String, Option<String>) {
    let found = || found_at(text, error);
    match error.without_snippet() {
        Error::AliasError { error, .. } => words(text, error),
        Error::SerdeUnknownField {
            field, expected, ..
        } => (format!("unknown key `{field}`"), offer(field, expected)),
        Error::SerdeUnknownVariant {
            variant, expected, ..
        } => (
            format!("unknown word `{variant}`"),
            offer(variant, expected),
        ),
        Error::SerdeMissingField { field, .. } => (
            format!("the key `{field}` is missing"),
            Some(format!("give it a `{field}:`")),
        ),
        Error::DuplicateMappingKey { key: Some(key), .. } => (
            format!("the key `{key}` is there twice"),
            Some("keep one of them".into()),
        ),
        Error::MultipleDocuments { .. } => (
            "a second document begins here".into(),
            Some("one file holds one scenario; put the other one in a file of its own".into()),
        ),
        Error::Unexpected { expected, .. } => (
            format!("expected {}, found {}", kind(expected), found()),
            None,
        ),
        Error::SerdeInvalidType { expected, .. }
        | Error::SerdeInvalidValue { expected, .. }
        | Error::SerdeInvalidLength { expected, .. } => {
            (format!("expected {expected}, found {}", found()), None)
        }
        Error::InvalidBooleanStrict { .. } => {
            (format!("expected true or false, found {}", found()), None)
        }
        Error::InvalidScalar { ty, .. } => {
            (format!("expected {}, found {}", kind(ty), found()), None)
        }
        Error::NullIntoString { .. } => (
            "expected a text, found nothing".into(),
            Some("an empty text is written \"\"".into()),
        ),
        other => {
            let message = without_place(&other.to_string());
            let help = message
                .contains("tab")
                .then(|| "YAML is indented with spaces".into());
            (message, help)
        }
    }
}

/// The reader's names of what it wants, in ours.
fn kind(expected: &str) -> &str {
    match expected {
        "mapping start" | "mapping" => "keys and values (`key: value`)",
        "sequence start" | "sequence" => "a list (`- item` or `[item]`)",
        "string scalar" | "string" | "scalar" => "a text",
        "sequence end" => "the end of the list",
        number if number.starts_with(['i', 'u']) && number[1..].parse::<u8>().is_ok() => {
            "a whole number"
        }
        number if number.starts_with('f') && number[1..].parse::<u8>().is_ok() => "a number",
        other => other,
    }
}

/// What stands at the error's place.
fn found_at(text: &str, error: &Error) -> String {
    let Some(place) = error.location() else {
        return "something else".into();
    };
    let line = text
        .lines()
        .nth((place.line() as usize).saturating_sub(1))
        .unwrap_or_default();
    let rest: String = line
        .chars()
        .skip((place.column() as usize).saturating_sub(1))
        .take(60)
        .collect();
    match rest.chars().next() {
        None => "nothing".into(),
        Some('[') => "a list".into(),
        Some('{') => "keys and values".into(),
        Some('-') if rest.starts_with("- ") => "a list".into(),
        Some(quote @ ('"' | '\'')) => {
            let inner = rest[1..].split(quote).next().unwrap_or_default();
            format!("the text `{inner}`")
        }
        Some(_) if rest.contains(": ") || rest.ends_with(':') => "keys and values".into(),
        Some(_) => {
            let word = rest.split([',', '}', ']', '#']).next().unwrap_or_default();
            format!("`{}`", word.trim())
        }
    }
}

/// The nearest of the known words, or all of them.
fn offer(word: &str, known: &[&str]) -> Option<String> {
    match nearest(word, known.iter().copied()) {
        Some(near) => Some(format!("did you mean `{near}`?")),
        None if known.is_empty() => None,
        None => Some(format!("known here: {}", known.join(", "))),
    }
}

/// The reader puts the place behind its message; ours stands before it.
fn without_place(message: &str) -> String {
    let first = message.lines().next().unwrap_or(message);
    first
        .split(" at line ")
        .next()
        .unwrap_or(first)
        .trim_end_matches([':', ',', ' '])
        .to_owned()
}
