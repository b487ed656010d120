//! A step: one verb, what is expected of it, and when it happens.

use emu_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Expect, Located};
use crate::verb::{self, Verb};

/// A step. Exactly one verb.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Step {
    /// A name, for other steps to refer to and for the report.
    pub name: Option<Located<String>>,
    /// When it happens, counted from the scenario's start; the clock is moved there first.
    pub at: Option<Span>,
    /// How long it may take, in real time. 60 s by default.
    pub timeout: Option<Span>,
    /// Create something.
    pub create: Option<Located<verb::Create>>,
    /// Change something.
    pub update: Option<Located<verb::Update>>,
    /// Delete something.
    pub delete: Option<Located<verb::Delete>>,
    /// Restart a pod or an agent.
    pub restart: Option<Located<verb::Restart>>,
    /// Call an AWS API, as a pod, a client of it, or the administrator.
    pub call: Option<Located<verb::CallApi>>,
    /// Send a raw request to the agent, from within a pod.
    pub fetch: Option<Located<verb::Fetch>>,
    /// Run a program in a pod.
    pub exec: Option<Located<verb::Exec>>,
    /// Wait for a program that `exec` started in the background.
    pub wait: Option<Located<verb::Wait>>,
    /// Move the clock forward.
    pub advance: Option<Located<Span>>,
    /// Move the clock to a named moment: `token.rotation`, `token.expiry + 1m`, `agent.renewal`,
    /// `credentials.expiry - 10m`.
    pub advance_to: Option<Located<String>>,
    /// Set the wall clock forwards or back, such as `-2h`.
    pub step: Option<Located<String>>,
    /// Renew a pod's tokens now.
    pub rotate: Option<Located<verb::Rotate>>,
    /// Keep a token by name: a pod's own, or one minted by hand.
    pub token: Option<Located<verb::Token>>,
    /// Put a fault on the network, on an API or on a token, or take it away.
    pub fault: Option<Located<verb::Fault>>,
    /// What must be so afterwards.
    pub expect: Option<Located<Expect>>,
}

impl Step {
    /// Its verb, if it has exactly one; otherwise the names of those it has.
    ///
    /// # Errors
    /// The names found, none or several.
    pub fn verb(&self) -> Result<Verb<'_>, Vec<&'static str>> {
        let mut found: Vec<Verb<'_>> = Vec::new();
        found.extend(self.create.as_ref().map(|v| Verb::Create(v)));
        found.extend(self.update.as_ref().map(|v| Verb::Update(v)));
        found.extend(self.delete.as_ref().map(|v| Verb::Delete(v)));
        found.extend(self.restart.as_ref().map(|v| Verb::Restart(v)));
        found.extend(self.call.as_ref().map(|v| Verb::Call(v)));
        found.extend(self.fetch.as_ref().map(|v| Verb::Fetch(v)));
        found.extend(self.exec.as_ref().map(|v| Verb::Exec(v)));
        found.extend(self.wait.as_ref().map(|v| Verb::Wait(v)));
        found.extend(self.advance.as_ref().map(|v| Verb::Advance(v.value)));
        found.extend(self.advance_to.as_ref().map(Verb::AdvanceTo));
        found.extend(self.step.as_ref().map(Verb::StepWall));
        found.extend(self.rotate.as_ref().map(|v| Verb::Rotate(v)));
        found.extend(self.token.as_ref().map(|v| Verb::Token(v)));
        found.extend(self.fault.as_ref().map(|v| Verb::Fault(v)));
        match found.len() {
            1 => found.pop().ok_or_else(Vec::new),
            _ => Err(found.iter().map(Verb::word).collect()),
        }
    }

    /// What to call it in a report.
    pub fn title(&self) -> String {
        match (&self.name, self.verb()) {
            (Some(name), _) => name.value.clone(),
            (None, Ok(verb)) => verb.title(),
            (None, Err(_)) => "a step".into(),
        }
    }
}
