//! Service accounts.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// A service account.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct ServiceAccount {
    /// The namespace.
    pub namespace: Located<String>,
    /// The name.
    pub name: Located<String>,
    /// The cluster; the first one if absent.
    pub cluster: Option<Located<String>>,
    /// The IRSA role: a name from `roles`, or an ARN. Written as the annotation `eks.amazonaws.com/role-arn`.
    pub role: Option<Located<String>>,
    /// Further annotations.
    pub annotations: BTreeMap<String, String>,
}
