//! Add-ons.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// An add-on of a cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Addon {
    /// Its name, such as `eks-pod-identity-agent`.
    pub name: Located<String>,
    /// Its version; the newest if absent.
    pub version: Option<String>,
    /// The cluster; the first one if absent.
    pub cluster: Option<Located<String>>,
    /// Its configuration, as text.
    pub configuration: Option<String>,
}
