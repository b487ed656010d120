//! What of Go's standard library reaches the wire: the agent answers with the words of Go's packages, so the twin needs
//! the same rules. Read in Go's sources (1.26), checked against the running agent.

pub(crate) mod base64;
pub(crate) mod json;
mod quote;
pub(crate) mod time;

pub(crate) use quote::{quote_bytes, quote_char};
