//! The suites that cross crates.
#![forbid(unsafe_code)]

mod program;

pub use program::{Up, binary};
