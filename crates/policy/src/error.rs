//! Why a document was refused.

use std::fmt;

use crate::json;

/// What is wrong with a document, for code that words the fault itself (S3 has its own texts).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PolicyFault {
    /// The text is not JSON, or a key stands twice in one object.
    Json,
    /// A key, a type or a value outside the grammar.
    Syntax,
    /// `Version` missing where it is demanded, or too old.
    Version,
    /// `Effect` missing or misspelt.
    Effect,
    /// An action is missing or misspelt, or does not belong into this kind of policy.
    Action,
    /// A resource is missing or misspelt, or does not belong into this kind of policy.
    Resource,
    /// A principal is missing or misspelt, or does not belong into this kind of policy.
    Principal,
    /// An operator or a value of a condition.
    Condition,
    /// Two statements with one `Sid`.
    Sid,
}

/// A refused document. `Display` is the text AWS answers with `MalformedPolicyDocument` (HTTP 400).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyError {
    /// AWS's text, exactly.
    pub text: String,
    /// The class of the fault.
    pub fault: PolicyFault,
    /// For the developer: what was found and what was expected.
    pub detail: String,
    /// Which field, as a path: `Statement[0].Action[1]`; empty for the document as a whole.
    pub field: String,
    /// Line of the fault, from 1.
    pub line: usize,
    /// Column of the fault in characters, from 1.
    pub column: usize,
}

impl PolicyError {
    pub(crate) fn new(
        source: &str,
        fault: PolicyFault,
        text: impl Into<String>,
        at: usize,
        field: impl Into<String>,
        detail: impl Into<String>,
    ) -> Self {
        let (line, column) = json::place(source, at);
        Self {
            text: text.into(),
            fault,
            detail: detail.into(),
            field: field.into(),
            line,
            column,
        }
    }

    /// The developer's sentence with its place: `line 3, column 7, Statement[0].Effect: ...`.
    pub fn developer_text(&self) -> String {
        let field = if self.field.is_empty() {
            String::new()
        } else {
            format!(", {}", self.field)
        };
        format!(
            "line {}, column {}{field}: {}",
            self.line, self.column, self.detail
        )
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl std::error::Error for PolicyError {}
