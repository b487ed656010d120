//! The suites that cross crates.
#![forbid(unsafe_code)]
