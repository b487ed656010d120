//! Real Kubernetes, whoever runs it: obtaining its binaries, talking to its API server, what is installed on it.

mod client;
mod error;
pub mod install;

pub use client::{api_ready, client_from, is_node_ready, node_ready};
pub use error::Error;
