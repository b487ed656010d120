//! Where pods run: sandbox, node, kind, k3d and kubeconfig behind one trait.
//!
//! [`Cluster`] is what every kind can be asked; [`sandbox`] is a node in a box that needs nothing installed; [`token`]
//! mints service account tokens as a cluster does.
#![deny(unsafe_code)]

mod child;
pub mod cluster;
pub mod docker;
pub mod external;
pub mod fault;
pub mod fetch;
pub mod image;
pub mod kubernetes;
pub mod node;
pub mod program;
pub mod sandbox;
pub mod token;
mod virtual_time;

pub use cluster::{
    AgentAction, AgentState, Capabilities, Cluster, ClusterError, ClusterKind, MintRequest,
    PodName, SharedCluster,
};
pub use fault::{FaultPlace, NetworkFault, NetworkFaultKind, WebhookFault, WebhookFaultKind};
pub use fetch::{FetchRequest, FetchResponse};
pub use program::{OutputTo, Program, ProgramInput, ProgramOutput, Running};
