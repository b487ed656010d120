//! Playing a scenario: steps in order, each observed and compared with what was expected.

mod check;
mod observation;
mod play;
mod runner;
mod skip;
mod trouble;

pub use check::{Mismatch, check};
pub use observation::{AgentAnswer, CallerSeen, Observation, PodSeen, ProgramSeen};
pub use play::Play;
pub use runner::{Outcome, RunEvent, RunOptions, ScenarioReport, StepReport, run_scenario};
pub use trouble::Trouble;
