//! Scenario files: from a file to steps, from steps to observations, from observations to a report.
//!
//! [`load`] finds and reads files; [`mod@file`] is their language, with one file a noun in [`given`] and one a verb in
//! [`verb`]; [`world`] is what a scenario plays in; [`run`] plays it; [`report`] tells of it; [`explain`] says why.
#![forbid(unsafe_code)]

pub mod client;
pub mod explain;
pub mod file;
pub mod given;
pub mod load;
pub mod report;
pub mod run;
pub mod verb;
pub mod world;
