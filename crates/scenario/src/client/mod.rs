//! The clients that scenarios call with: an SDK's credential chain and signer on the emulator's clock.

mod action;
mod answer;
mod chain;
mod pod_client;
mod send;

pub use action::{ACTIONS, ApiRequest, Parameters, request};
pub use answer::ApiAnswer;
pub use chain::{ChainFailure, Credentials};
pub use pod_client::{Outcome, PodClient};
pub use send::{Keys, send_direct, signed};
