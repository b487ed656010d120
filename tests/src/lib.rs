//! The suites that cross crates.
#![forbid(unsafe_code)]

mod machine;
mod program;

pub use machine::{kubectl, no_node, venv};
pub use program::{Up, binary, built};
