//! Buckets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Located, PolicyText};

/// A bucket with objects in it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Bucket {
    /// Its name.
    pub name: Located<String>,
    /// The owner: an id or an alias; the default account if absent.
    pub account: Option<Located<String>>,
    /// Objects by key, with their content.
    pub objects: BTreeMap<String, String>,
    /// Its bucket policy.
    pub policy: Option<PolicyText>,
}
