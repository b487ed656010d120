//! A cluster that somebody else runs, reached by its API server alone: kind, k3d, or any kubeconfig.
//!
//! [`External`] is the cluster as this process uses it, opened once and closed once; [`ExternalCluster`] is a world's
//! cluster on it, one after another.

mod config;
mod place;
mod world;

pub use config::{Access, ExternalClusterConfig, ExternalConfig, ImageLoader, Tell};
pub use place::External;
pub use world::ExternalCluster;
