//! Scenario files: parse, run, expect, report and explain.
#![forbid(unsafe_code)]
