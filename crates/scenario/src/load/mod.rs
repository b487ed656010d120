//! Finding scenario files and reading them, with errors that name the place.

mod discover;
mod error;
mod nearest;
mod read;
mod validate;
mod yaml;

pub use discover::discover;
pub use error::LoadError;
pub use nearest::nearest;
pub use read::{LoadedScenario, load, read_file, read_text};
