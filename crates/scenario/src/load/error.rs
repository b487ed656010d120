//! What can be wrong with a file.

use std::path::{Path, PathBuf};

use miette::{Diagnostic, NamedSource, SourceSpan};

/// A file that cannot be used, with the place and what would be right.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub enum LoadError {
    /// The file's content is wrong.
    #[error("{}:{line}:{column}: {message}", file.display())]
    Content {
        /// The file.
        file: PathBuf,
        /// The line, from 1.
        line: usize,
        /// The column, from 1.
        column: usize,
        /// What was found.
        message: String,
        /// What would be right.
        #[help]
        help: Option<String>,
        /// The file's text; absent if the line is too long to be shown.
        #[source_code]
        source_code: Option<NamedSource<String>>,
        /// The place in the text.
        #[label("here")]
        span: SourceSpan,
    },
    /// The file cannot be read.
    #[error("{}: {message}", file.display())]
    File {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        message: String,
        /// What would be right.
        #[help]
        help: Option<String>,
    },
}

/// A file without line ends would fill the screen.
const LONGEST_SHOWN: usize = 400;

impl LoadError {
    /// An error at a place of a text.
    pub(super) fn content(
        file: &Path,
        text: &str,
        (line, column): (usize, usize),
        message: impl Into<String>,
        help: Option<String>,
    ) -> Self {
        let (line, column) = (line.max(1), column.max(1));
        Self::Content {
            file: file.into(),
            line,
            column,
            message: message.into(),
            help,
            span: span(text, line, column),
            source_code: text
                .lines()
                .skip(line.saturating_sub(2))
                .take(3)
                .all(|near| near.len() <= LONGEST_SHOWN)
                .then(|| NamedSource::new(file.to_string_lossy(), text.to_owned())),
        }
    }

    /// An error of a file as a whole.
    pub(super) fn file(file: &Path, message: impl Into<String>, help: Option<&str>) -> Self {
        Self::File {
            file: file.into(),
            message: message.into(),
            help: help.map(str::to_owned),
        }
    }
}

/// The word at a line and column.
fn span(text: &str, line: usize, column: usize) -> SourceSpan {
    let start_of_line: usize = text
        .split_inclusive('\n')
        .take(line - 1)
        .map(str::len)
        .sum();
    let rest = &text[start_of_line.min(text.len())..];
    let offset: usize = rest.chars().take(column - 1).map(char::len_utf8).sum();
    let word = rest[offset.min(rest.len())..]
        .find(|c: char| c.is_whitespace() || c == ':' || c == ',' || c == '}')
        .unwrap_or(1);
    SourceSpan::new(
        (start_of_line + offset).into(),
        word.max(1).min(text.len().max(1)),
    )
}
