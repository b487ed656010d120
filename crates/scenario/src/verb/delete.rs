//! `delete`: any noun, by name.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

/// What to delete: exactly one noun.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Delete {
    pub cluster: Option<Located<String>>,
    pub addon: Option<Located<String>>,
    pub role: Option<Located<String>>,
    pub service_account: Option<ServiceAccountName>,
    pub association: Option<ServiceAccountName>,
    pub bucket: Option<Located<String>>,
    pub pod: Option<Located<String>>,
}

/// A service account by name, here and in associations.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceAccountName {
    /// The namespace.
    pub namespace: Located<String>,
    /// The service account.
    #[serde(alias = "name")]
    pub service_account: Located<String>,
    /// The cluster; the first one if absent.
    pub cluster: Option<Located<String>>,
}

impl Delete {
    pub(super) fn title(&self) -> String {
        for (noun, name) in [
            ("cluster", &self.cluster),
            ("addon", &self.addon),
            ("role", &self.role),
            ("bucket", &self.bucket),
            ("pod", &self.pod),
        ] {
            if let Some(name) = name {
                return format!("{noun} {name}");
            }
        }
        for (noun, name) in [
            ("service account", &self.service_account),
            ("association", &self.association),
        ] {
            if let Some(name) = name {
                return format!("{noun} {}/{}", name.namespace, name.service_account);
            }
        }
        "nothing".into()
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let world = &mut play.world;
        if let Some(name) = &self.pod {
            let (cluster, pod) = world.pod(name)?;
            cluster.delete_pod(&pod).await.map_err(Trouble::from)?;
            return Ok(Observation::done());
        }
        if let Some(name) = &self.service_account {
            let cluster = world.cluster(name.cluster.as_ref())?;
            let account = emu_core::ServiceAccountRef::new(
                name.namespace.as_str(),
                name.service_account.as_str(),
            );
            cluster
                .delete_service_account(&account)
                .await
                .map_err(Trouble::from)?;
            return Ok(Observation::done());
        }
        let outcome = if let Some(name) = &self.association {
            world.delete_association(name)
        } else if let Some(name) = &self.role {
            world.delete_role(name)
        } else if let Some(name) = &self.bucket {
            world.delete_bucket(name)
        } else if let Some(name) = &self.addon {
            world.delete_addon(name)
        } else if let Some(name) = &self.cluster {
            world.delete_cluster(name).await
        } else {
            Err(Trouble::new("`delete` needs a noun")
                .help("one of cluster, addon, role, serviceAccount, association, bucket, pod"))
        };
        Observation::of(outcome)
    }
}
