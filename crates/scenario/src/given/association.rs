//! Associations.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Located, PolicyText};

/// An association.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Association {
    /// The namespace.
    pub namespace: Located<String>,
    /// The service account.
    pub service_account: Located<String>,
    /// The role assumed first: a name from `roles`, or an ARN.
    pub role: Option<Located<String>>,
    /// The role assumed second.
    pub target_role: Option<Located<String>>,
    /// The cluster; the first one if absent.
    pub cluster: Option<Located<String>>,
    /// Pass no session tags.
    pub disable_session_tags: Option<bool>,
    /// A session policy.
    pub policy: Option<PolicyText>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
}
