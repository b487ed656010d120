//! Clusters.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// A cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cluster {
    /// Its name.
    pub name: Located<String>,
    /// The owner: an id or an alias; the default account if absent.
    pub account: Option<Located<String>>,
    /// The Kubernetes version EKS shows.
    pub version: Option<String>,
    /// There is an IAM OIDC provider for its issuer, as IRSA needs it.
    pub oidc_provider: bool,
}
