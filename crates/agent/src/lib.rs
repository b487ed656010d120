//! The EKS Pod Identity Agent: a twin of it, and the runner of Amazon's own.
//!
//! The twin answers what the real agent answers, byte for byte: see [`Twin`]. It is proven on recordings of the real
//! program.
#![forbid(unsafe_code)]

mod cache;
pub mod credentials;
mod eks_auth;
pub mod faults;
mod go;
mod handler;
mod http;
mod jwt;
mod local_validation;
mod log;
mod metrics;
mod profile;
mod rate;
pub mod real;
mod send;
mod serve;
mod texts;
mod twin;
mod validation;

pub use credentials::{NodeCredentials, NodeKeys, NodeKeysError};
pub use eks_auth::{Endpoint, SdkSettings};
pub use handler::PodOf;
pub use local_validation::KeySource;
pub use log::Level;
pub use profile::{Profile, UnknownProfile};
pub use real::{AgentChoice, PullArgs, RealAgent, asked_version, pull};
pub use serve::{AgentCommand, ServeArgs, run};
pub use twin::{ListenerId, Twin, TwinConfig, TwinError, TwinListener};
