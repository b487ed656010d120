//! Which pods get credentials: the pod mutation and its HTTPS server.
//!
//! [`Mutator`] is the decision and the patch, [`accounts`] and [`identities`] what it decides from.
#![forbid(unsafe_code)]

pub mod accounts;
mod go;
pub mod identities;
mod mutate;
mod mutator;
mod near_miss;
pub mod settings;

pub use accounts::ServiceAccounts;
pub use identities::{FeedIdentities, Identities, ListedIdentities};
pub use mutate::{Operation, apply};
pub use mutator::{Admission, AdmitError, Mode, Mutator, SKIP_LABEL};
pub use settings::{AccountDefaults, MutationSettings};
