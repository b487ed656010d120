//! Clusters in Docker, made by the program `kind` or `k3d`.
//!
//! [`Docker`] is this machine's Docker with those programs, [`Docker::open`] makes a cluster or takes one that it made before, and
//! [`InDocker`] is that cluster: a kubeconfig, the address at which its nodes reach this machine, a way to bring images in, and its end.
//! What makes pods get credentials there is [`external`](crate::external)'s.

mod address;
mod cluster;
mod command;
mod early;
mod engine;
mod error;
mod k3d;
mod kind;
mod open;
mod programs;
mod progress;
mod record;
mod spec;

pub use address::HostAddress;
pub use cluster::InDocker;
pub use engine::Engine;
pub use error::Error;
pub use open::Docker;
pub use programs::Programs;
pub use progress::{Phase, Progress};
pub use spec::{IpFamily, Provider, Spec};
