//! A scenario file as a whole.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Located, Requires, Step};
use crate::given::Given;

/// A scenario: what is given, what is done, what is expected.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Scenario {
    /// Its name: letters, digits, hyphens. Unique among the files of a run.
    pub scenario: Located<String>,
    /// What it shows, in a sentence or two.
    #[serde(default)]
    pub description: Option<String>,
    /// The ids of the failure catalogue it reproduces.
    #[serde(default)]
    pub catalogue: Vec<String>,
    /// Words to filter by.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Whose time it plays in.
    #[serde(default)]
    pub clock: ClockKind,
    /// What it needs; without it, it is skipped.
    #[serde(default)]
    pub requires: Vec<Requires>,
    /// The world before the first step.
    #[serde(default)]
    pub given: Given,
    /// What is done, in order.
    #[serde(default)]
    pub steps: Vec<Located<Step>>,
}

/// Whose time a scenario plays in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ClockKind {
    /// The emulator's, which can be moved.
    #[default]
    Virtual,
    /// Real time only.
    Real,
}

/// The JSON schema of scenario files.
pub fn schema() -> serde_json::Value {
    let mut schema = schemars::schema_for!(Scenario);
    schema.insert("title".into(), "emu scenario".into());
    schema.to_value()
}
