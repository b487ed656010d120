//! Times as EKS writes them.

use emu_core::Timestamp;
use serde::{Serialize, Serializer};

/// A time as a JSON number: epoch seconds with a millisecond fraction, such as `1700862734.922` (thread).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Epoch(pub Timestamp);

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_millisecond() as f64 / 1_000.0)
    }
}
