//! Lines to standard output. A reader that has gone ends the program quietly.

use std::{io::Write as _, process};

/// Prints a line.
pub(crate) fn line(text: impl std::fmt::Display) {
    if writeln!(std::io::stdout(), "{text}").is_err() {
        process::exit(0);
    }
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) {
    line(serde_json::to_string_pretty(value).unwrap_or_default());
}
