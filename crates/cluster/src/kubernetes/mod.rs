//! Real Kubernetes, whoever runs it: obtaining its binaries, talking to its API server, what is installed on it.

pub(crate) mod admission;
pub mod agent;
pub(crate) mod agent_events;
pub(crate) mod agent_set;
pub(crate) mod agent_words;
pub(crate) mod amazon_admission;
mod amazon_pod;
pub mod amazon_webhook;
pub mod apply;
mod client;
mod error;
pub(crate) mod inhabitants;
pub mod install;
pub mod pod;
pub(crate) mod projected;
pub mod token;
pub mod webhook;
mod workloads;

pub use agent::AgentInstall;
pub use amazon_admission::write_whole;
pub use amazon_webhook::{AmazonWebhook, WebhookKind};
pub use client::{api_ready, api_ready_within, client_from, is_node_ready, node_ready};
pub use error::Error;
pub use webhook::Registration;
pub use workloads::{
    EndMarked, MARK, PROBE_IMAGE, Workloads, WorkloadsConfig, issued, program_folders,
};
pub(crate) use workloads::{failed, library_folders, other};
