//! The mutation itself: from a pod and a plan to a JSON Patch.

mod containers;
mod operation;
mod patch;
mod plan;

pub use operation::{Operation, apply};
pub(crate) use patch::patch;
pub(crate) use plan::Plan;
