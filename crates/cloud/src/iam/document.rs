//! A policy document: its text, kept verbatim, and what the policy engine made of it.

use super::validate;
use crate::{
    ServiceError,
    constraint::{Constraints, DOCUMENT_PATTERN, document_character},
};

/// A policy that was found well-formed. Parsed once, when it is written.
#[derive(Debug)]
pub struct Document {
    text: String,
    size: usize,
}

impl Document {
    /// An inline policy of a role or user. Docs: may leave out its version.
    ///
    /// # Errors
    /// MalformedPolicyDocument.
    pub fn inline(text: &str) -> Result<Self, ServiceError> {
        validate::identity(text, false)?;
        Ok(Self::new(text))
    }

    /// A version of a managed policy.
    ///
    /// # Errors
    /// MalformedPolicyDocument.
    pub fn managed(text: &str) -> Result<Self, ServiceError> {
        validate::identity(text, true)?;
        Ok(Self::new(text))
    }

    /// An inline session policy.
    ///
    /// # Errors
    /// MalformedPolicyDocument.
    pub fn session(text: &str) -> Result<Self, ServiceError> {
        Self::inline(text)
    }

    fn new(text: &str) -> Self {
        Self { size: characters(text), text: text.into() }
    }

    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Its characters, white space not counted: what quotas count (docs).
    pub fn size(&self) -> usize {
        self.size
    }
}

/// Characters without white space.
pub(super) fn characters(text: &str) -> usize {
    text.chars().filter(|c| !c.is_whitespace()).count()
}

/// Model: 1 to 131072 characters of Latin-1.
pub(super) fn check_length(member: &str, text: &str) -> Result<(), ServiceError> {
    let mut constraints = Constraints::iam();
    constraints.length(member, text, 1, 131_072);
    constraints.characters(member, text, DOCUMENT_PATTERN, document_character);
    constraints.finish()
}
