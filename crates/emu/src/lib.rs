//! The library for cargo test: build a world, start it, hand out pods.
#![forbid(unsafe_code)]
