//! `fault`: on the network or on a token; `clear: true` takes it away.

use emu_cluster::{FaultPlace, NetworkFault, NetworkFaultKind, WebhookFault, WebhookFaultKind};
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
    /// How the webhook fails, for `api-server->webhook`; absent with `clear`.
    #[serde(default)]
    pub fails: Option<WebhookFaultKind>,
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
    /// Between the API server of the first cluster and the webhook.
    #[serde(rename = "api-server->webhook")]
    ApiServerToWebhook,
}

impl Fault {
    pub(super) fn title(&self) -> String {
        let place = match self.place {
            FaultWhere::PodToAgent => "pod->agent",
            FaultWhere::AgentToEksAuth => "agent->eks-auth",
            FaultWhere::ApiServerToWebhook => "api-server->webhook",
        };
        match &self.what {
            Some(what) if !self.clear => format!("{} {place}", what.label()),
            None if self.fails.is_some() && !self.clear => place.to_owned(),
            _ => format!("cleared {place}"),
        }
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        if self.place == FaultWhere::ApiServerToWebhook {
            return self.at_webhook(play).await;
        }
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
            (FaultWhere::PodToAgent | FaultWhere::ApiServerToWebhook, ..) => {
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

    /// The webhook fails for pods created from now on; the API server goes on without it (`failurePolicy: Ignore`).
    async fn at_webhook(&self, play: &Play) -> Result<Observation, Trouble> {
        let fault = match self.fails {
            _ if self.clear => None,
            Some(what) => Some(WebhookFault {
                what,
                share: self.share.unwrap_or(1.0),
                times: self.times,
                owner: None,
            }),
            None => {
                return Err(Trouble::new(
                    "a fault at api-server->webhook needs `fails`, or `clear: true`",
                ));
            }
        };
        play.world.cluster(None)?.set_webhook_fault(fault).await?;
        Ok(Observation::done())
    }
}
