//! `restart`: a pod as a rollout does, or an agent.

use emu_cluster::AgentAction;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

/// What to restart: exactly one.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Restart {
    /// A pod: deleted and created again, with a new uid and a new admission.
    pub pod: Option<Located<String>>,
    /// A pod's containers: the pod stays as admission made it.
    pub containers: Option<Located<String>>,
    /// The agent of a node.
    pub agent: Option<Located<String>>,
}

impl Restart {
    pub(super) fn title(&self) -> String {
        for (noun, name) in [
            ("pod", &self.pod),
            ("containers", &self.containers),
            ("agent", &self.agent),
        ] {
            if let Some(name) = name {
                return format!("{noun} {name}");
            }
        }
        "nothing".into()
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        if let Some(name) = &self.pod {
            let (cluster, pod) = play.world.pod(name)?;
            let object = cluster.recreate_pod(&pod).await.map_err(Trouble::from)?;
            play.forget_clients_of(&pod);
            return Ok(Observation::pod(object));
        }
        if let Some(name) = &self.containers {
            let (cluster, pod) = play.world.pod(name)?;
            cluster.restart_pod(&pod).await.map_err(Trouble::from)?;
            play.forget_clients_of(&pod);
            return Ok(Observation::done());
        }
        if let Some(node) = &self.agent {
            let cluster = play.world.cluster_of_node(node)?;
            cluster
                .agent(node, AgentAction::Restart)
                .await
                .map_err(Trouble::from)?;
            return Ok(Observation::done());
        }
        Err(Trouble::new("`restart` needs a noun").help("one of pod, containers, agent"))
    }
}
