//! Go's `encoding/json`, as far as the agent shows it: what is well-formed, what a value decodes to, and in which words
//! it is refused.

mod scan;
mod value;
mod write;

pub(crate) use scan::check_valid;
pub(crate) use value::{DecodeError, Value, decode_first, folds_to, parse};
pub(crate) use write::push_string;
