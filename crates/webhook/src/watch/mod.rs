//! What the webhook follows: the identities file, the service accounts and the ConfigMap of a cluster.

mod accounts;
mod config_map;
mod identities_file;
mod inotify;

pub use accounts::{Follow, follow_accounts};
pub use config_map::{ConfigMapCrash, follow_config_map};
pub(crate) use identities_file::IdentitiesFile;
pub(crate) use inotify::DirectoryEvents;
