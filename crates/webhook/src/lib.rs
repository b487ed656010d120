//! Which pods get credentials: the pod mutation and its HTTPS server.
//!
//! - [`Mutator`] is the decision and the patch, pure but for the jitter: [`Mutator::admit`] for typed pods,
//!   [`Mutator::review`] for admission reviews. It decides from [`Identities`] and [`ServiceAccounts`].
//! - [`Server`] is the webhook as a part of the emulator: identities from the feed, decisions to the journal.
//! - [`serve`] with [`ServeArgs`] is the drop-in for Amazon's program: the same flags, files, watches, metrics and answers.
#![forbid(unsafe_code)]

pub mod accounts;
mod embedded;
mod endpoint;
pub mod flags;
mod go;
pub mod identities;
mod instance;
mod klog;
mod mutate;
mod mutator;
mod near_miss;
mod review;
mod secret;
mod serve;
pub mod server;
pub mod settings;
pub mod watch;

pub use accounts::ServiceAccounts;
pub use embedded::Server;
pub use endpoint::ENDPOINT_PATH;
pub use flags::ServeArgs;
pub use identities::{FeedIdentities, Identities, ListedIdentities};
pub use mutate::{Operation, apply};
pub use mutator::{Admission, AdmitError, Mode, Mutator, SKIP_LABEL};
pub use review::{Decided, Reviewed};
pub use serve::{Ports, ServeError, serve, serve_until, try_serve};
pub use settings::{AccountDefaults, MutationSettings};
