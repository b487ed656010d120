//! Telling of a run: to the terminal, as JUnit, as JSON.

mod json;
mod junit;
mod summary;
mod terminal;

pub use json::json;
pub use junit::junit;
pub use summary::Summary;
pub use terminal::{failure_story, line};
