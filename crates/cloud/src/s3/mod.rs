//! S3: buckets and objects.

/// The state of S3.
#[derive(Debug, Default)]
pub struct S3 {}

impl S3 {
    /// Forgets everything.
    pub fn reset(&self) {}
}
