//! Virtual time for unmodified Linux programs.
#![forbid(unsafe_code)]
