//! A local EKS Pod Identity for `cargo test`: real sockets, real SigV4, a strict fake AWS, the node agent, and pods with
//! their own addresses and tokens, in this process.
//!
//! ```
//! # #[tokio::main(flavor = "multi_thread", worker_threads = 2)]
//! # async fn main() -> Result<(), emu::Error> {
//! let emu = emu::Emu::start().await?;
//! emu.bucket("invoices").object("october.pdf", "…").create()?;
//! emu.role("app").allow(["s3:ListBucket"], ["arn:aws:s3:::invoices"]).create()?;
//! emu.associate("shop", "api", "app")?;
//!
//! let pod = emu.pod("shop", "api").await?;
//! let listed = pod.call("s3:ListBucket", emu::Ask::bucket("invoices")).await?;
//! assert!(listed.allowed);
//! assert_eq!(listed.role.as_deref(), Some("app"));
//!
//! let refused = pod.call("s3:PutObject", emu::Ask::object("invoices", "x")).await?;
//! assert!(!refused.allowed);
//! println!("{}", refused.why());
//! # Ok(()) }
//! ```
//!
//! Many instances live side by side in one process. Everything is cleaned up when an [`Emu`] is dropped.
#![forbid(unsafe_code)]

mod builder;
mod call;
#[cfg(feature = "testcontainers")]
pub mod container;
mod emu;
mod error;
mod pod;
mod role;

pub use builder::Builder;
pub use call::{Ask, Called};
pub use emu::Emu;
pub use error::Error;
pub use pod::{Credentials, Pod};
pub use role::{BucketBuilder, RoleBuilder};

pub use emu_agent::AgentChoice;
pub use emu_cluster::{Program, ProgramOutput};
pub use emu_core::{Event, Journal, Settings, Span, Timestamp, journal::MutationReason};
pub use emu_policy::{DecidedBy, Decision, Verdict};
pub use emu_scenario::explain::Explanation;
