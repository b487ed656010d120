//! Amazon's own agent: found on this machine, or fetched from its public image.

mod choice;
mod find;
mod pull;
mod version;

pub use choice::{AgentChoice, NoSuchAgent};
pub use find::{FindError, RealAgent};
pub use pull::{PullArgs, PullError, pull};
pub use version::asked_version;
