//! The IAM policy language: parse, validate and evaluate to a verdict that explains itself.
#![forbid(unsafe_code)]
