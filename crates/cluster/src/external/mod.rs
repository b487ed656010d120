//! A cluster that somebody else runs, reached by its API server alone: kind, k3d, or any kubeconfig.
//!
//! [`External`] is the cluster as this process uses it, opened once and closed once; [`ExternalCluster`] is a world's
//! cluster on it, one after another.

mod cluster;
mod config;
mod image;
mod inside;
mod install;
mod kubeconfig;
mod nodes;
mod place;
mod port;
mod record;
mod world;

pub use cluster::ExternalCluster;
pub use config::{Access, ExternalClusterConfig, ExternalConfig, ImageLoader, Tell};
pub use kubeconfig::{contexts, kubeconfig_files};
pub use place::{External, sweep};
