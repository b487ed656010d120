//! `update`: associations, roles, settings, bucket policies.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    file::{Located, PolicyText, Trust},
    given,
    run::{Observation, Play, Trouble},
};

/// What to change: exactly one noun. What is not named stays as it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Update {
    pub association: Option<given::Association>,
    pub role: Option<RoleChange>,
    pub bucket: Option<BucketChange>,
    pub service_account: Option<given::ServiceAccount>,
    /// Knobs, merged into those there are.
    pub settings: Option<Map<String, Value>>,
}

/// A change of a role.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct RoleChange {
    /// Its name.
    pub name: Located<String>,
    /// Its new trust policy.
    pub trust: Option<Trust>,
    /// Its new permissions.
    pub permissions: Option<PolicyText>,
}

/// A change of a bucket.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BucketChange {
    /// Its name.
    pub name: Located<String>,
    /// Its new bucket policy.
    pub policy: Option<PolicyText>,
}

impl Update {
    pub(super) fn title(&self) -> String {
        if let Some(v) = &self.association {
            format!("association {}/{}", v.namespace, v.service_account)
        } else if let Some(v) = &self.role {
            format!("role {}", v.name)
        } else if let Some(v) = &self.bucket {
            format!("bucket {}", v.name)
        } else if let Some(v) = &self.service_account {
            format!("service account {}/{}", v.namespace, v.name)
        } else if self.settings.is_some() {
            "settings".into()
        } else {
            "nothing".into()
        }
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let world = &play.world;
        let outcome = if let Some(v) = &self.association {
            world.update_association(v)
        } else if let Some(v) = &self.role {
            world.update_role(&v.name, v.trust.as_ref(), v.permissions.as_ref())
        } else if let Some(v) = &self.bucket {
            world.update_bucket(&v.name, v.policy.as_ref())
        } else if let Some(v) = &self.service_account {
            v.establish(world).await
        } else if let Some(v) = &self.settings {
            world.update_settings(v)
        } else {
            Err(Trouble::new("`update` needs a noun")
                .help("one of association, role, bucket, serviceAccount, settings"))
        };
        Observation::of(outcome)
    }
}
