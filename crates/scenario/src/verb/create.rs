//! `create`: any noun.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    given,
    run::{Observation, Play, Trouble},
};

/// What to create: exactly one noun.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Create {
    pub cluster: Option<given::Cluster>,
    pub addon: Option<given::Addon>,
    pub role: Option<given::Role>,
    pub service_account: Option<given::ServiceAccount>,
    pub association: Option<given::Association>,
    pub bucket: Option<given::Bucket>,
    pub pod: Option<given::Pod>,
}

impl Create {
    pub(super) fn title(&self) -> String {
        if let Some(v) = &self.cluster {
            format!("cluster {}", v.name)
        } else if let Some(v) = &self.addon {
            format!("addon {}", v.name)
        } else if let Some(v) = &self.role {
            format!("role {}", v.name)
        } else if let Some(v) = &self.service_account {
            format!("service account {}/{}", v.namespace, v.name)
        } else if let Some(v) = &self.association {
            format!("association {}/{}", v.namespace, v.service_account)
        } else if let Some(v) = &self.bucket {
            format!("bucket {}", v.name)
        } else if let Some(v) = &self.pod {
            format!("pod {}/{}", v.namespace(), v.name)
        } else {
            "nothing".into()
        }
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        if let Some(pod) = &self.pod {
            return pod.establish(&mut play.world).await;
        }
        let outcome = if let Some(v) = &self.cluster {
            v.establish(&mut play.world).await
        } else if let Some(v) = &self.addon {
            v.establish(&play.world)
        } else if let Some(v) = &self.role {
            v.establish(&play.world)
        } else if let Some(v) = &self.service_account {
            v.establish(&play.world).await
        } else if let Some(v) = &self.association {
            v.establish(&play.world)
        } else if let Some(v) = &self.bucket {
            v.establish(&play.world)
        } else {
            Err(Trouble::new("`create` needs a noun")
                .help("one of cluster, addon, role, serviceAccount, association, bucket, pod"))
        };
        Observation::of(outcome)
    }
}
