//! Roles.

use std::collections::BTreeMap;

use emu_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::{Located, PolicyText, Trust};

/// A role.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Role {
    /// Its name.
    pub name: Located<String>,
    /// The owner: an id or an alias; the default account if absent.
    pub account: Option<Located<String>>,
    /// Its path; `/` if absent.
    pub path: Option<String>,
    /// Who may assume it. `pod-identity-default` if absent.
    pub trust: Option<Trust>,
    /// What it may do.
    pub permissions: Option<PolicyText>,
    /// Managed policies attached: names of AWS's, or ARNs.
    pub managed: Vec<String>,
    /// Its permissions boundary: the ARN of a managed policy.
    pub boundary: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// Its maximum session duration.
    pub max_session: Option<Span>,
}
