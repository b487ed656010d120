//! From a scenario to a report on it.

use std::{
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use emu_core::{Event, Span};
use serde::Serialize;

use super::{Mismatch, Observation, Play, Trouble, check, skip};
use crate::{
    explain::{Explanation, explain},
    file::{Located, Scenario, Step},
    load::LoadedScenario,
    world::{World, WorldOptions},
};

/// How scenarios are played.
#[derive(Clone, Debug, Default)]
pub struct RunOptions {
    /// The world they are played in.
    pub world: WorldOptions,
}

/// What a listener of a run is told.
#[derive(Debug)]
pub enum RunEvent<'e> {
    /// A scenario begins.
    Started {
        /// Its name.
        scenario: &'e str,
    },
    /// A step ended.
    Step(&'e StepReport),
    /// A scenario ended.
    Finished(&'e ScenarioReport),
}

/// How a scenario ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// All held.
    Held,
    /// An expectation failed.
    Failed,
    /// It cannot be played here.
    Skipped,
    /// It could not be set up, or a step could not be done.
    Broken,
}

/// A scenario as it was played.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ScenarioReport {
    /// Its name.
    pub scenario: String,
    /// Its file.
    pub file: PathBuf,
    /// How it ended.
    pub outcome: Outcome,
    /// Why it was skipped or is broken.
    pub reason: Option<String>,
    /// Where in the file the reason lies.
    pub place: Option<(usize, usize)>,
    /// What would be right.
    pub help: Option<String>,
    /// Its steps, as far as they were played.
    pub steps: Vec<StepReport>,
    /// Real time it took, in milliseconds.
    pub millis: u64,
    /// What it was played on, such as `sandbox, agent twin 0.1.37`.
    pub played_on: String,
}

/// A step as it was played.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepReport {
    /// Its place, from 1.
    pub number: usize,
    /// Its title.
    pub title: String,
    /// The line it begins in.
    pub line: usize,
    /// What did not hold.
    pub mismatches: Vec<Mismatch>,
    /// Why it could not be done.
    pub trouble: Option<String>,
    /// This kind of cluster cannot do it.
    pub unsupported: bool,
    /// Why it went as it did, if something was refused.
    pub explanations: Vec<Explanation>,
    /// What was seen.
    pub observation: Observation,
    /// Real time it took, in milliseconds.
    pub millis: u64,
}

impl StepReport {
    /// Whether all held.
    pub fn held(&self) -> bool {
        self.mismatches.is_empty() && self.trouble.is_none()
    }
}

/// Plays a scenario in a world of its own.
pub async fn run_scenario(
    loaded: &LoadedScenario,
    options: &RunOptions,
    listen: &mut (dyn FnMut(RunEvent<'_>) + Send),
) -> ScenarioReport {
    let started = Instant::now();
    listen(RunEvent::Started {
        scenario: &loaded.scenario.scenario,
    });
    let mut report = ScenarioReport {
        scenario: loaded.scenario.scenario.value.clone(),
        file: loaded.file.clone(),
        outcome: Outcome::Held,
        reason: None,
        place: None,
        help: None,
        steps: Vec::new(),
        millis: 0,
        played_on: String::new(),
    };
    if let Err(trouble) = play(loaded, options, &mut report, listen).await {
        report.outcome = if trouble.unsupported {
            Outcome::Skipped
        } else {
            Outcome::Broken
        };
        report.reason = Some(trouble.message);
        report.place = trouble.place;
        report.help = trouble.help;
    }
    report.millis = millis(started);
    listen(RunEvent::Finished(&report));
    report
}

async fn play(
    loaded: &LoadedScenario,
    options: &RunOptions,
    report: &mut ScenarioReport,
    listen: &mut (dyn FnMut(RunEvent<'_>) + Send),
) -> Result<(), Trouble> {
    let scenario: &Scenario = &loaded.scenario;
    // Absolute: a program enters the pod's namespaces before it goes there.
    let folder = std::fs::canonicalize(&loaded.file)
        .ok()
        .and_then(|file| file.parent().map(PathBuf::from));
    let mut options = options.world.clone();
    options.folders.extend(folder.clone());
    let mut world = World::start(&options, scenario).await?;
    report.played_on = world.played_on();
    if let Some(reason) = skip::reason(scenario, world.capabilities(), world.real_agent()) {
        report.outcome = Outcome::Skipped;
        report.reason = Some(reason);
        world.stop().await;
        return Ok(());
    }
    let outcome = async {
        world.establish(&scenario.given).await?;
        let mut play = Play::new(Arc::clone(&loaded.scenario), world, folder);
        let origin = play.world.elapsed();
        for (i, step) in scenario.steps.iter().enumerate() {
            let seen = play_step(&mut play, origin, i, step).await;
            let held = seen.held();
            listen(RunEvent::Step(&seen));
            if seen.trouble.is_some() {
                report.outcome = if seen.unsupported {
                    Outcome::Skipped
                } else {
                    Outcome::Broken
                };
                report.place = Some((step.line, step.column));
                report.reason.clone_from(&seen.trouble);
            } else if !held {
                report.outcome = Outcome::Failed;
            }
            report.steps.push(seen);
            if !held {
                break;
            }
        }
        play.end_programs().await;
        Ok(play.world)
    }
    .await;
    match outcome {
        Ok(world) => {
            world.stop().await;
            Ok(())
        }
        Err(trouble) => Err(trouble),
    }
}

async fn play_step(
    play: &mut Play,
    origin: Duration,
    i: usize,
    step: &Located<Step>,
) -> StepReport {
    let started = Instant::now();
    let mut report = StepReport {
        number: i + 1,
        title: step.title(),
        line: step.line,
        mismatches: Vec::new(),
        trouble: None,
        unsupported: false,
        explanations: Vec::new(),
        observation: Observation::done(),
        millis: 0,
    };
    let limit = step.timeout.map_or(Duration::from_secs(60), Span::get);
    match tokio::time::timeout(limit, act(play, origin, i, step)).await {
        Err(_) => report.trouble = Some(format!("the step took longer than {}", Span::from(limit))),
        Ok(Err(trouble)) => {
            report.unsupported = trouble.unsupported;
            report.trouble = Some(match trouble.help {
                Some(help) => format!("{} ({help})", trouble.message),
                None => trouble.message,
            });
        }
        Ok(Ok(seen)) => {
            if let Some(expect) = &step.expect {
                report.mismatches = check(expect, &seen, &|name| play.seen.get(name));
            } else if seen.allowed == Some(false) {
                // Without an expectation a step must succeed.
                report.mismatches.push(Mismatch {
                    key: "allowed".into(),
                    expected: "that the step succeeds, for it expects nothing else".into(),
                    found: seen.error.as_ref().map_or_else(
                        || "it was refused".into(),
                        |e| format!("{}: {}", e.code, e.message),
                    ),
                });
            }
            if seen.allowed == Some(false) || !report.mismatches.is_empty() {
                report.explanations = explain(&seen);
            }
            if let Some(name) = &step.name {
                play.seen.insert(name.value.clone(), seen.clone());
            }
            report.observation = seen;
        }
    }
    play.world.journal().record(Event::StepFinished {
        step: i,
        held: report.held(),
    });
    report.millis = millis(started);
    report
}

async fn act(
    play: &mut Play,
    origin: Duration,
    i: usize,
    step: &Located<Step>,
) -> Result<Observation, Trouble> {
    if let Some(at) = step.at {
        let target = origin + at.get();
        let now = play.world.elapsed();
        if target > now {
            play.world.advance(target - now).await?;
        }
    }
    let verb = step.verb().map_err(|found| {
        Trouble::new(match found.as_slice() {
            [] => "the step has no verb".to_owned(),
            several => format!(
                "the step has {} verbs: {}",
                several.len(),
                several.join(", ")
            ),
        })
        .at(step)
    })?;
    let from = play.world.journal().record(Event::StepStarted {
        step: i,
        title: step.title(),
    });
    let mut seen = verb.perform(play).await?;
    play.world.settle().await;
    let all = play.world.journal().since(0);
    let meanwhile = all
        .iter()
        .filter(|entry| entry.seq > from)
        .cloned()
        .collect();
    seen.read_journal(meanwhile, &all);
    Ok(seen)
}

fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}
