//! The verbs. One file a verb: what it looks like in a file, and what it does.

mod advance;
mod call;
mod create;
mod delete;
mod exec;
mod fault;
mod fetch;
mod restart;
mod rotate;
mod token;
mod update;
mod wait;

use emu_core::Span;

pub(crate) use advance::signed as signed_span;
pub use call::CallApi;
pub use create::Create;
pub use delete::{Delete, ServiceAccountName};
pub use exec::{CommandLine, Exec};
pub use fault::{Fault, FaultWhere};
pub use fetch::{Fetch, TokenSource};
pub use restart::Restart;
pub use rotate::Rotate;
pub use token::{Mint, Tamper, Token};
pub use update::Update;
pub use wait::{Exit, Until, Wait, Written};

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

/// The verb of a step.
#[derive(Clone, Copy, Debug)]
pub enum Verb<'s> {
    /// Create something.
    Create(&'s Create),
    /// Change something.
    Update(&'s Update),
    /// Delete something.
    Delete(&'s Delete),
    /// Restart a pod or an agent.
    Restart(&'s Restart),
    /// Call an AWS API.
    Call(&'s CallApi),
    /// Send a raw request to the agent.
    Fetch(&'s Fetch),
    /// Run a program in a pod.
    Exec(&'s Exec),
    /// Wait for a program in the background.
    Wait(&'s Wait),
    /// Move the clock forward.
    Advance(Span),
    /// Move the clock to a named moment.
    AdvanceTo(&'s Located<String>),
    /// Set the wall clock.
    StepWall(&'s Located<String>),
    /// Renew tokens.
    Rotate(&'s Rotate),
    /// Keep a token.
    Token(&'s Token),
    /// Put or take away a fault.
    Fault(&'s Fault),
}

impl Verb<'_> {
    /// As written in files.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Create(_) => "create",
            Self::Update(_) => "update",
            Self::Delete(_) => "delete",
            Self::Restart(_) => "restart",
            Self::Call(_) => "call",
            Self::Fetch(_) => "fetch",
            Self::Exec(_) => "exec",
            Self::Wait(_) => "wait",
            Self::Advance(_) => "advance",
            Self::AdvanceTo(_) => "advanceTo",
            Self::StepWall(_) => "step",
            Self::Rotate(_) => "rotate",
            Self::Token(_) => "token",
            Self::Fault(_) => "fault",
        }
    }

    /// What to call the step in a report.
    pub fn title(&self) -> String {
        let rest = match self {
            Self::Create(v) => v.title(),
            Self::Update(v) => v.title(),
            Self::Delete(v) => v.title(),
            Self::Restart(v) => v.title(),
            Self::Call(v) => v.title(),
            Self::Fetch(v) => v.title(),
            Self::Exec(v) => v.title(),
            Self::Wait(v) => v.title(),
            Self::Advance(span) => span.to_string(),
            Self::AdvanceTo(text) | Self::StepWall(text) => text.value.clone(),
            Self::Rotate(v) => v.title(),
            Self::Token(v) => v.title(),
            Self::Fault(v) => v.title(),
        };
        format!("{} {rest}", self.word())
    }

    /// Does it.
    ///
    /// # Errors
    /// What could not be done at all. What was done and refused is an observation.
    pub async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        match self {
            Self::Create(v) => v.perform(play).await,
            Self::Update(v) => v.perform(play).await,
            Self::Delete(v) => v.perform(play).await,
            Self::Restart(v) => v.perform(play).await,
            Self::Call(v) => v.perform(play).await,
            Self::Fetch(v) => v.perform(play).await,
            Self::Exec(v) => v.perform(play).await,
            Self::Wait(v) => v.perform(play).await,
            Self::Advance(span) => advance::advance(play, *span).await,
            Self::AdvanceTo(moment) => advance::advance_to(play, moment).await,
            Self::StepWall(delta) => advance::step_wall(play, delta).await,
            Self::Rotate(v) => v.perform(play).await,
            Self::Token(v) => v.perform(play).await,
            Self::Fault(v) => v.perform(play).await,
        }
    }
}
