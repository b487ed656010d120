//! The IAM policy language: parse, validate and evaluate to a verdict that explains itself.
//!
//! The crate is pure: no I/O, no clock, no async. Time, tags and addresses reach it as values of the
//! [`Context`].
//!
//! 1. [`Document::parse`] reads a policy and refuses it with AWS's own text where AWS would.
//! 2. [`decide`] evaluates a [`Request`] against [`Policies`]; [`evaluate`] does the same without a record.
//! 3. [`Verdict`] says what decided, which statements matched and which failed on one part alone.
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
