//! Accounts.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// An account, with a name to call it by.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Account {
    /// Twelve digits.
    pub id: Located<String>,
    /// A name to call it by elsewhere in the file.
    pub alias: Option<Located<String>>,
}
