//! The HTTP face of the fake AWS: SigV4, the AWS protocols, routing, faults and the control API.
//!
//! A request's way: [`Gateway`] (sockets) → `front` (route, authenticate, throttle, record) → [`services`] → `cloud`.
#![forbid(unsafe_code)]

mod authenticate;
mod body;
mod control;
mod dispatch;
pub mod fault;
mod front;
mod host;
mod oidc;
mod operation;
mod payload;
mod refusal;
mod routing;
pub mod server;
pub mod services;
pub mod sigv4;
mod texts;
mod throttle;

pub use control::{Extension, Reset};
pub use fault::{Effect, Fault, Faults};
pub use server::{Gateway, Listener, ListenerId};
