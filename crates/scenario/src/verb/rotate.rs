//! `rotate`: a pod's tokens, now.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

/// Whose tokens to renew.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Rotate {
    /// The pod.
    pub pod: Located<String>,
}

impl Rotate {
    pub(super) fn title(&self) -> String {
        format!("tokens of {}", self.pod)
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let (cluster, pod) = play.world.pod(&self.pod)?;
        cluster.rotate_tokens(&pod).await.map_err(Trouble::from)?;
        Ok(Observation::done())
    }
}
