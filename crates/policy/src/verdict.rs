//! The outcome of a decision as a value: what decided, what matched, what nearly matched.

use serde::{Deserialize, Serialize};

use crate::{context::ContextValue, statement::Effect};

/// Allowed, or how it was denied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// Allowed.
    Allow,
    /// A statement with `Deny` matched.
    ExplicitDeny,
    /// A layer that had to allow did not.
    ImplicitDeny,
}

/// The layer that decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DecidedBy {
    /// The trust policy of the role to be assumed.
    Trust,
    /// The caller's identity policies.
    Permission,
    /// The caller's permissions boundary.
    Boundary,
    /// The policies of the caller's session.
    SessionPolicy,
    /// The policy of the resource.
    ResourcePolicy,
    /// A service control policy of the caller's organisation.
    Scp,
    /// A resource control policy of the resource's organisation.
    Rcp,
}

/// What a decision found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// The outcome.
    pub decision: Decision,
    /// The layer that granted or refused.
    pub decided_by: DecidedBy,
    /// The caller: an ARN, a service's name, a provider's ARN.
    pub principal: String,
    /// The action asked for.
    pub action: String,
    /// The resource asked for.
    pub resource: String,
    /// Every layer that was looked at.
    pub layers: Vec<LayerRecord>,
    /// What AWS leaves undefined and was decided here all the same.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
}

/// What one layer said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LayerRecord {
    /// Which layer.
    pub layer: DecidedBy,
    /// What it said by itself; silence is an implicit deny.
    pub decision: Decision,
    /// The ids of its policies.
    pub policies: Vec<String>,
    /// The statements that matched.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub matched: Vec<Matched>,
    /// The statements that came close, the closest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near_misses: Vec<NearMiss>,
}

/// A statement that matched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matched {
    /// The policy's id.
    pub policy: String,
    /// The statement's index, from 0.
    pub statement: usize,
    /// Its `Sid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// What it does.
    pub effect: Effect,
    /// Its conditions, all of which held.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<ConditionTrace>,
}

/// A statement that failed on one part (or, where none did, on the fewest parts).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NearMiss {
    /// The policy's id.
    pub policy: String,
    /// The statement's index, from 0.
    pub statement: usize,
    /// Its `Sid`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
    /// What it would have done.
    pub effect: Effect,
    /// The parts that failed.
    pub failures: Vec<Failure>,
}

/// A part of a statement that the request does not meet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum Failure {
    /// The statement does not name the caller.
    Principal {
        /// Whom it names: `Service ec2.amazonaws.com`, `AWS arn:...`.
        named: Vec<String>,
        /// Who called: `Service pods.eks.amazonaws.com`.
        caller: String,
        /// Under `NotPrincipal`.
        #[serde(default)]
        not: bool,
    },
    /// The statement does not cover the action.
    Action {
        /// What it lists.
        listed: Vec<String>,
        /// Under `NotAction`.
        #[serde(default)]
        not: bool,
    },
    /// The statement does not cover the resource.
    Resource {
        /// What it lists.
        listed: Vec<String>,
        /// Under `NotResource`.
        #[serde(default)]
        not: bool,
    },
    /// A condition does not hold.
    Condition(ConditionTrace),
}

/// A condition and what the request carried for its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConditionTrace {
    /// As written: `StringEquals`, `ForAnyValue:StringLikeIfExists`.
    pub operator: String,
    /// As written.
    pub key: String,
    /// The policy's values, variables not resolved.
    pub wanted: Vec<String>,
    /// The request's value; `None` when the key was absent.
    pub request: Option<ContextValue>,
}

/// Why a request was refused, in one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// A statement with `Deny` matched.
    ExplicitDeny,
    /// The layer has no policy at all.
    NoPolicy,
    /// No statement comes close.
    NoStatement,
    /// The closest statement names others.
    Principal,
    /// The closest statement lists other actions.
    Action,
    /// The closest statement covers other resources.
    Resource,
    /// The closest statement has a condition that does not hold.
    Condition,
}

impl Verdict {
    /// Was the request allowed?
    pub fn is_allowed(&self) -> bool {
        self.decision == Decision::Allow
    }

    /// The record of the layer that decided.
    pub fn deciding_layer(&self) -> Option<&LayerRecord> {
        self.layer(self.decided_by)
    }

    /// The record of one layer.
    pub fn layer(&self, layer: DecidedBy) -> Option<&LayerRecord> {
        self.layers.iter().find(|record| record.layer == layer)
    }

    /// The statement of the deciding layer that came closest to allowing.
    pub fn nearest(&self) -> Option<&NearMiss> {
        self.deciding_layer()?
            .near_misses
            .iter()
            .find(|miss| miss.effect == Effect::Allow)
    }

    /// Why the request was refused; `None` when it was allowed.
    pub fn cause(&self) -> Option<Cause> {
        match self.decision {
            Decision::Allow => return None,
            Decision::ExplicitDeny => return Some(Cause::ExplicitDeny),
            Decision::ImplicitDeny => {}
        }
        if self
            .deciding_layer()
            .is_none_or(|layer| layer.policies.is_empty())
        {
            return Some(Cause::NoPolicy);
        }
        Some(
            match self.nearest().and_then(|miss| miss.failures.first()) {
                None => Cause::NoStatement,
                Some(Failure::Principal { .. }) => Cause::Principal,
                Some(Failure::Action { .. }) => Cause::Action,
                Some(Failure::Resource { .. }) => Cause::Resource,
                Some(Failure::Condition(_)) => Cause::Condition,
            },
        )
    }

    /// The conditions of the closest statement that do not hold.
    pub fn failed_conditions(&self) -> impl Iterator<Item = &ConditionTrace> {
        self.nearest()
            .into_iter()
            .flat_map(|miss| &miss.failures)
            .filter_map(|failure| match failure {
                Failure::Condition(trace) => Some(trace),
                _ => None,
            })
    }
}
