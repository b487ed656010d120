//! The IAM policy language: parse, validate and evaluate to a verdict that explains itself.
//!
//! The crate is pure: no I/O, no clock, no async. Time, tags and addresses reach it as values of the
//! [`Context`].
//!
//! 1. [`Document::parse`] reads a policy and refuses it with AWS's own text where AWS would.
//! 2. [`decide`] evaluates a [`Request`] against [`Policies`]; [`evaluate`] does the same without a record.
//! 3. [`Verdict`] says what decided, which statements matched and which failed on one part alone.
//!
//! ```
//! use emu_policy::*;
//!
//! let trust = Document::parse(
//!     r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
//!         "Principal": {"Service": "pods.eks.amazonaws.com"}}]}"#,
//!     DocumentKind::Trust,
//! )?;
//! let request = Request {
//!     principal: Principal::Service { name: "pods.eks.amazonaws.com".into() },
//!     action: "sts:TagSession".into(),
//!     resource: "arn:aws:iam::111122223333:role/app".into(),
//!     resource_account: "111122223333".into(),
//!     context: Context::new().with("aws:RequestTag/kubernetes-namespace", "shop"),
//! };
//! let policies = Policies { resource: Some(Policy::new("app", trust)), ..Policies::default() };
//! let verdict = decide(&request, &policies);
//! assert_eq!(verdict.reason_text(), "because no role trust policy allows the sts:TagSession action");
//! assert_eq!(
//!     verdict.to_string(),
//!     "trust policy of role app: statement 0 would allow sts:TagSession, but it lists only sts:AssumeRole"
//! );
//! # Ok::<(), PolicyError>(())
//! ```
#![forbid(unsafe_code)]

// Reading a document.
mod document;
mod error;
mod json;
mod shape;
mod texts;
mod validate;

// The parts of a statement.
mod condition;
mod context;
mod literal;
mod operator;
mod pattern;
mod principal;
mod resource;
mod statement;

// Deciding, and saying why.
mod assume;
mod decide;
mod explain;
mod record;
mod verdict;

pub use assume::{AssumeKind, assume_actions, decide_all};
pub use context::{Context, ContextValue};
pub use decide::{Policies, Policy, Request, decide, evaluate};
pub use document::{Document, DocumentKind, Place, Version};
pub use error::{PolicyError, PolicyFault};
pub use operator::Operator;
pub use principal::{NamedPrincipal, Principal, PrincipalType};
pub use statement::Effect;
pub use verdict::{
    Cause, ConditionTrace, DecidedBy, Decision, Failure, LayerRecord, Matched, NearMiss, Verdict,
};
