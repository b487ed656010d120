//! ARNs, ids, settings, the clock and the journal that every other crate shares.
#![forbid(unsafe_code)]
