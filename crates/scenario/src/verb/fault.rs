//! `fault`: on the network or on a token; `clear: true` takes it away.

use emu_cluster::{FaultPlace, NetworkFault, NetworkFaultKind};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

/// A fault.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// Where.
    #[serde(rename = "where")]
    pub place: FaultWhere,
    /// What; absent with `clear`.
    #[serde(default)]
    pub what: Option<NetworkFaultKind>,
    /// The pod, for `pod->agent`.
    #[serde(default)]
    pub pod: Option<Located<String>>,
    /// The node, for `agent->eks-auth` and for all pods of a node.
    #[serde(default)]
    pub node: Option<Located<String>>,
    /// The share of connections it strikes.
    #[serde(default)]
    pub share: Option<f64>,
    /// How often it strikes.
    #[serde(default)]
    pub times: Option<u32>,
    /// Take it away.
    #[serde(default)]
    pub clear: bool,
}

/// Where a fault is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum FaultWhere {
    /// Between a pod (or all pods of a node) and the agent.
    #[serde(rename = "pod->agent")]
    PodToAgent,
    /// Between an agent and EKS Auth.
    #[serde(rename = "agent->eks-auth")]
    AgentToEksAuth,
}

impl Fault {
    pub(super) fn title(&self) -> String {
        let place = match self.place {
            FaultWhere::PodToAgent => "pod->agent",
            FaultWhere::AgentToEksAuth => "agent->eks-auth",
        };
        match &self.what {
            Some(what) if !self.clear => format!("{} {place}", what.label()),
            _ => format!("cleared {place}"),
        }
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let (cluster, place) = match (self.place, &self.pod, &self.node) {
            (FaultWhere::PodToAgent, Some(pod), _) => {
                let (cluster, pod) = play.world.pod(pod)?;
                (cluster, FaultPlace::PodToAgent(pod))
            }
            (FaultWhere::PodToAgent, None, Some(node)) => (
                play.world.cluster_of_node(node)?,
                FaultPlace::NodePodsToAgent(node.value.clone()),
            ),
            (FaultWhere::AgentToEksAuth, _, Some(node)) => (
                play.world.cluster_of_node(node)?,
                FaultPlace::AgentToEksAuth(node.value.clone()),
            ),
            (FaultWhere::AgentToEksAuth, _, None) => {
                let cluster = play.world.cluster(None)?;
                let node = cluster
                    .nodes()
                    .await
                    .map_err(Trouble::from)?
                    .into_iter()
                    .next();
                (
                    cluster,
                    FaultPlace::AgentToEksAuth(node.unwrap_or_default()),
                )
            }
            (FaultWhere::PodToAgent, None, None) => {
                return Err(Trouble::new(
                    "a fault at pod->agent needs a `pod` or a `node`",
                ));
            }
        };
        let fault = match &self.what {
            _ if self.clear => None,
            Some(what) => Some(NetworkFault {
                what: what.clone(),
                share: self.share.unwrap_or(1.0),
                times: self.times,
            }),
            None => return Err(Trouble::new("a fault needs `what`, or `clear: true`")),
        };
        cluster
            .set_fault(place, fault)
            .await
            .map_err(Trouble::from)?;
        Ok(Observation::done())
    }
}
