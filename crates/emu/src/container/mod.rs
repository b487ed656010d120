//! A Kubernetes cluster in a container, through `testcontainers`. Only with the feature `testcontainers`.
//!
//! ```no_run
//! # #[tokio::main] async fn main() -> Result<(), emu::Error> {
//! use emu::container::{ClusterContainer, ClusterImage};
//! let cluster = ClusterContainer::start(ClusterImage::k3s("v1.34.1-k3s1")).await?;
//! let emu = emu::Emu::builder().on(&cluster).start().await?;
//! emu.role("app").allow(["s3:ListBucket"], ["*"]).create()?;
//! emu.associate("shop", "api", "app")?;
//! let credentials = emu.pod("shop", "api").await?.credentials().await?;
//! println!("{} {}", credentials.access_key, cluster.kubeconfig());
//! # Ok(()) }
//! ```
//!
//! The container goes when the [`ClusterContainer`] is dropped. `testcontainers` for Rust starts no Ryuk, so nothing is pulled but the
//! cluster's image, and that only where it is not there yet.

mod address;
mod image;
mod kubeconfig;
mod loader;
mod start;

pub use image::ClusterImage;
pub use start::ClusterContainer;
pub(crate) use start::Handle;
