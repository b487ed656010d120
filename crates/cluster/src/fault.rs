//! Faults on the network between a pod and EKS Auth.

use std::time::Duration;

use emu_core::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::cluster::PodName;

/// Which piece of the network.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FaultPlace {
    /// From one pod to its node's agent.
    PodToAgent(PodName),
    /// From every pod of a node to its agent.
    NodePodsToAgent(String),
    /// From a node's agent to EKS Auth.
    AgentToEksAuth(String),
}

impl FaultPlace {
    /// The name the journal gives it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::PodToAgent(_) | Self::NodePodsToAgent(_) => "pod->agent",
            Self::AgentToEksAuth(_) => "agent->eks-auth",
        }
    }
}

/// A fault, and how often it strikes.
#[derive(Clone, Debug, PartialEq)]
pub struct NetworkFault {
    /// What happens.
    pub what: NetworkFaultKind,
    /// The share of connections it strikes, from 0 to 1.
    pub share: f64,
    /// After how many strikes it is over; never if absent.
    pub times: Option<u32>,
}

impl NetworkFault {
    /// A fault that strikes every connection until it is taken away.
    pub fn always(what: NetworkFaultKind) -> Self {
        Self {
            what,
            share: 1.0,
            times: None,
        }
    }

    /// Whether it strikes everything, so that the kernel can do it before a connection exists.
    pub fn is_total(&self) -> bool {
        self.share >= 1.0 && self.times.is_none()
    }
}

/// What can happen to a connection.
///
/// With a `share` or with `times`, `refuse` shows as a reset and `blackhole` as a connection that never answers, because
/// the choice is made for each connection.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
#[non_exhaustive]
pub enum NetworkFaultKind {
    /// Connection refused.
    Refuse,
    /// Packets vanish: connecting times out.
    Blackhole,
    /// The connection is accepted and reset.
    Reset,
    /// Every connection waits this long before its first byte goes on.
    Latency(Span),
    /// Somebody else answers: this status and body, whatever was asked.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
        /// The body's content type.
        #[serde(default = "plain_text")]
        content_type: String,
    },
    /// The answer is cut off after so many bytes, head included.
    Truncate(u64),
    /// The request arrives and is acted upon, the answer is lost.
    LoseAnswer,
}

fn plain_text() -> String {
    "text/plain; charset=utf-8".into()
}

impl NetworkFaultKind {
    /// The name the journal gives it.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Blackhole => "blackhole",
            Self::Reset => "reset",
            Self::Latency(_) => "latency",
            Self::Answer { .. } => "answer",
            Self::Truncate(_) => "truncate",
            Self::LoseAnswer => "lose-answer",
        }
    }

    /// A latency.
    pub fn latency(wait: Duration) -> Self {
        Self::Latency(Span::from(wait))
    }
}

/// What can happen to the webhook. The API server goes on without it (`failurePolicy: Ignore`).
#[derive(Clone, Debug, PartialEq)]
pub struct WebhookFault {
    /// What happens.
    pub what: WebhookFaultKind,
    /// The share of pods it strikes, from 0 to 1.
    pub share: f64,
    /// After how many pods it is over; never if absent.
    pub times: Option<u32>,
    /// Only pods of this owner (a ReplicaSet's or Job's name), if one is named (catalogue F4).
    pub owner: Option<String>,
}

/// How the webhook fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookFaultKind {
    /// It is not called.
    Skip,
    /// It does not answer in time.
    Timeout,
    /// It answers an error.
    Error,
    /// It is not registered.
    Absent,
}
