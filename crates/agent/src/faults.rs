//! Faults that a scenario injects into the agent's two connections.

use std::time::Duration;

use emu_core::journal::PodRef;

/// What goes wrong between a pod and its agent.
#[derive(Clone, Debug, PartialEq)]
pub enum PodFault {
    /// The connection is closed without a reply.
    Close,
    /// The reply comes late; real time.
    Delay(Duration),
    /// Another reply is given.
    Answer {
        /// Its status.
        status: u16,
        /// Its body, without the line break at the end.
        body: String,
    },
}

/// What goes wrong between the agent and EKS Auth.
#[derive(Clone, Debug, PartialEq)]
pub enum UpstreamFault {
    /// The connection is refused.
    Refuse,
    /// The request is sent late; real time. One second or more is a timeout.
    Delay(Duration),
}

/// Asked at each request. The default is that nothing goes wrong.
pub trait AgentFaults: Send + Sync + 'static {
    /// Asked before a pod's request is looked at.
    fn pod(&self, _node: &str, _pod: Option<&PodRef>) -> Option<PodFault> {
        None
    }

    /// Asked before each attempt to call EKS Auth.
    fn upstream(&self, _node: &str) -> Option<UpstreamFault> {
        None
    }
}
