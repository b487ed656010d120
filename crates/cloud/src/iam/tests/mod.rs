//! IAM, rule by rule, with its exact texts.

mod entities;
mod identity_policies;
mod propagation;
mod simulation;
mod trust_policies;
