//! The language of scenario files. Types and JSON schema are one and the same.

mod document;
mod expect;

mod located;
mod matcher;
mod policy;
mod requires;
mod step;

pub use crate::given::Given;
pub use crate::verb::Verb;
pub use document::{ClockKind, Scenario, schema};
pub use expect::{
    AllowedKey, Count, CredentialSource, Expect, ExplainExpect, HeaderMap, RequestCounts,
    VerdictExpect,
};
pub use located::Located;
pub use matcher::Matcher;
pub use policy::{PolicyText, Trust};
pub use requires::Requires;
pub use step::Step;
