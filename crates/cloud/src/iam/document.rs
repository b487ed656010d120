//! Policy documents: parsed once, when they are written.

use emu_policy::{Document, DocumentKind};

use super::texts;
use crate::{
    ServiceError,
    constraint::{Constraints, DOCUMENT_PATTERN, document_character},
};

/// Reads a document as a policy of some kind.
///
/// # Errors
/// MalformedPolicyDocument with AWS's text.
pub(crate) fn parse(text: &str, kind: DocumentKind) -> Result<Document, ServiceError> {
    Document::parse(text, kind)
        .map_err(|error| texts::malformed(&error.text).because(error.developer_text()))
}

/// Model: 1 to 131072 characters of Latin-1.
pub(super) fn check_length(member: &str, text: &str) -> Result<(), ServiceError> {
    let mut constraints = Constraints::iam();
    constraints.length(member, text, 1, 131_072);
    constraints.characters(member, text, DOCUMENT_PATTERN, document_character);
    constraints.finish()
}
