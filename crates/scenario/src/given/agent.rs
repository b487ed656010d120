//! Agents.

use emu_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// A node's agent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Agent {
    /// The release whose behaviour the twin has: `0.1.37` or `0.2`.
    pub profile: Option<Located<String>>,
    /// The hosts it binds; its own default if absent.
    pub bind_hosts: Vec<String>,
    /// The port it binds; 80 if absent.
    pub port: Option<u16>,
    /// It does not run at first.
    pub stopped: bool,
    /// How long cached credentials are kept before they are renewed.
    pub renewal: Option<Span>,
    /// How many credentials are cached; 0: none.
    pub cache_size: Option<usize>,
    /// How often it asks EKS Auth for one set of credentials at most; 3 if absent.
    pub max_attempts: Option<u32>,
}

/// An agent, or the word `absent`.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "an agent, or the word `absent`")]
pub enum AgentOr {
    /// There is none.
    Absent(AbsentWord),
    /// There is one.
    Agent(Box<Agent>),
}

/// The word `absent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AbsentWord {
    /// There is none.
    Absent,
}
