//! STS: sessions and how they come about. Source of shapes: model sts 2011-06-15.

mod access_key_info;
mod assume_role;
mod federation;
mod issue;
mod packed;
mod schema;
mod session;
mod session_token;
mod store;
mod tags;
#[cfg(test)]
mod tests;
pub mod texts;
mod web_identity;

pub use assume_role::AssumeRole;
pub use federation::{FederatedSession, Federation};
pub use schema::Parameters;
pub use session::{CallerIdentity, Session};
pub use store::Sts;
pub use web_identity::{WebIdentity, WebIdentitySession};
