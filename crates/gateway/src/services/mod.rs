//! The services by name, and the two protocols most of them speak. One module per service.

pub mod eks;
pub mod eks_auth;
pub mod iam;
pub mod query;
pub mod record;
pub mod rest_json;
pub mod sts;

pub use record::{ApiRecord, Recorded};
