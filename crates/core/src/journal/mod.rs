//! The one journal: typed events with a time and a cause. Secrets never enter it.
//!
//! Expectations, reports, explanations and the control API are its readers; nothing else keeps a second log.

mod event;
mod reason;
mod store;

pub use event::{Caller, CallerKind, ErrorSummary, Event, PodRef};
pub use reason::MutationReason;
pub use store::{Entry, Journal};
