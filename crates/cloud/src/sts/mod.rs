//! STS: sessions.

/// The sessions.
#[derive(Debug, Default)]
pub struct Sts {}
