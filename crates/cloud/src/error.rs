//! Errors as AWS answers them, before they are put into a protocol.

use std::borrow::Cow;

/// An error that AWS would answer. The protocol's shape (XML, JSON, which status header) is the gateway's affair.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{code}: {message}")]
pub struct ServiceError {
    /// The error's name on the wire, such as `ResourceNotFoundException`.
    pub code: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// The message; empty where AWS sends none.
    pub message: String,
    /// Further members of the error's shape, such as `clusterName`, or extra elements of an S3 error.
    pub members: Vec<(Cow<'static, str>, serde_json::Value)>,
    /// What was really the matter, in words, for the journal and the explanation; never sent.
    pub detail: Option<String>,
    /// The policy engine's verdict, where the error comes from one; for the journal, never sent.
    pub verdict: Option<Box<serde_json::Value>>,
}

impl ServiceError {
    /// An error with a name, a status and a message.
    pub fn new(
        code: impl Into<Cow<'static, str>>,
        status: u16,
        message: impl Into<String>,
    ) -> Self {
        Self {
            code: code.into(),
            status,
            message: message.into(),
            members: Vec::new(),
            detail: None,
            verdict: None,
        }
    }

    /// Adds a member of the error's shape.
    #[must_use]
    pub fn with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        value: impl Into<serde_json::Value>,
    ) -> Self {
        self.members.push((name.into(), value.into()));
        self
    }

    /// Replaces what the settings replace for this situation (`texts` in [`emu_core::Settings`]). `{}` in a message
    /// stands for the built-in text.
    #[must_use]
    pub fn overridden(mut self, settings: &emu_core::Settings, situation: &str) -> Self {
        if let Some(text) = settings.texts.get(situation) {
            if let Some(code) = &text.code {
                self.code = Cow::Owned(code.clone());
            }
            if let Some(status) = text.status {
                self.status = status;
            }
            if let Some(message) = &text.message {
                self.message = message.replace("{}", &self.message);
            }
        }
        self
    }

    /// Adds what was really the matter.
    #[must_use]
    pub fn because(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }
}
