//! IAM: roles, users, policies and identity providers of all accounts. Source of shapes: model iam 2010-05-08.
//!
//! Every call takes the [`crate::Call`] it answers, validates, asks whether the caller may, then acts. Entities are
//! handed out as shared snapshots; what the policy engine sees of a change lags behind by `propagation`.

mod access_key;
mod attach;
mod aws_managed;
mod document;
mod entity;
mod inline;
mod managed;
mod oidc;
mod page;
mod policy_use;
mod policy_version;
mod put;
mod role;
mod service_principals;
mod simulate;
mod state;
mod tags;
#[cfg(test)]
mod tests;
pub mod texts;
mod trust;
mod user;
mod versioned;

pub use access_key::AccessKey;
pub(crate) use document::parse as parse_document;
pub use emu_policy::Document;
pub use entity::{EntityKind, Permissions};
pub use managed::{CreatePolicy, ListPolicies, ManagedPolicy, PolicyVersion};
pub use oidc::{CreateProvider, OidcProvider};
pub use page::{Page, PageRequest};
pub use put::NewRole;
pub use role::{CreateRole, Role, UpdateRole};
pub use simulate::{MatchedStatement, Simulated, Simulation};
pub use state::Iam;
pub use tags::Tag;
pub use trust::Trust;
pub use user::{CreateUser, User};
