//! What a scenario needs of the cluster and the machine; without it, it is skipped with a reason.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A capability.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Requires {
    /// Programs, agents and the cluster follow the clock when it is moved.
    VirtualTime,
    /// Network faults can be injected.
    NetworkFaults,
    /// Each pod has the true addresses and paths.
    TrueAddresses,
    /// Agents can be started and stopped node by node.
    AgentControl,
    /// Programs of this machine can be run in pods.
    LocalPrograms,
    /// Instance metadata is played for each node.
    Imds,
    /// Amazon's own agent.
    RealAgent,
    /// Python on this machine.
    Python3,
    /// Python with boto3 on this machine.
    Boto3,
    /// The AWS command line on this machine.
    AwsCli,
}

impl Requires {
    /// As written in files.
    pub fn word(self) -> String {
        serde_json::to_value(self)
            .ok()
            .and_then(|v| v.as_str().map(str::to_owned))
            .unwrap_or_default()
    }
}
