//! A run as JSON.

use serde_json::{Value, json as object};

use super::Summary;
use crate::run::ScenarioReport;

/// All reports and their sum.
pub fn json(reports: &[ScenarioReport]) -> Value {
    object!({ "summary": Summary::of(reports), "scenarios": reports })
}
