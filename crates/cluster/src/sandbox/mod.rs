//! A node in a box, or several: pods with the true addresses and paths, and nothing installed.
//!
//! [`Sandbox`] is the cluster, [`SandboxConfig`] what it is made of, [`Isolation`] how far the machine lets its pods be
//! set apart. Inside: `space` makes namespaces, `gate` and `relay` are a pod's network with its faults, `programs` runs
//! things, `tokens` keeps projected tokens fresh, `webhook` and `admission` decide what a pod becomes, `node` and its
//! agents (`twin`, `real`) answer.

mod admission;
mod agent;
mod config;
mod dial;
mod directory;
mod entrance;
mod env;
pub(crate) mod faults;
pub(crate) mod fetch;
pub(crate) mod gate;
pub(crate) mod http1;
pub(crate) mod imds;
mod isolation;
mod node;
mod pod;
mod programs;
mod real;
mod rehost;
pub(crate) mod relay;
mod space;
mod tokens;
mod twin;
pub(crate) mod virtual_time;
mod watch;
mod webhook;
mod world;

pub use config::{
    AgentKind, AgentSpec, Emulator, Imds, NodeCredentials, NodeKeys, NodeSpec, SandboxConfig,
    ServeConnection,
};
pub use entrance::{Entrance, Invitation};
pub use isolation::Isolation;
pub use world::Sandbox;
