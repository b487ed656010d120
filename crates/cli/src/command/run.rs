//! `emu run`.

use std::{
    io::IsTerminal as _,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
};

use emu_scenario::{
    file::Requires,
    load::{LoadedScenario, load},
    report::{self, Summary},
    run::{Outcome, RunEvent, RunOptions, ScenarioReport, run_scenario},
};
use futures::{StreamExt as _, stream};
use indicatif::{ProgressBar, ProgressStyle};

use super::{external, told_to_end, world_options};
use crate::{
    args::{Output, RunArgs},
    output,
};

/// Plays scenarios.
pub(crate) async fn run(args: &RunArgs) -> miette::Result<ExitCode> {
    let mut scenarios = match load(&args.paths) {
        Ok(scenarios) => scenarios,
        Err(errors) => {
            for error in errors {
                eprintln!("{:?}", miette::Report::new(error));
            }
            return Ok(ExitCode::from(2));
        }
    };
    if let Some(filter) = &args.filter {
        scenarios.retain(|one| fits(one, filter));
        if scenarios.is_empty() {
            return Err(miette::miette!("no scenario fits `{filter}`"));
        }
    }
    if args.check {
        output::line(format_args!("{} scenario files are right", scenarios.len()));
        return Ok(ExitCode::SUCCESS);
    }
    let opened = external::open(&args.world, nodes(&scenarios)).await?;
    let mut options = RunOptions {
        world: world_options(&args.world),
    };
    options.world.external = opened.as_ref().map(external::Opened::external);
    // A real cluster takes the machine for itself; in a sandbox a scenario waits half of its time.
    let sandbox = args.world.cluster.kind == emu_cluster::ClusterKind::Sandbox;
    let usual = if sandbox {
        2 * std::thread::available_parallelism().map_or(1, usize::from)
    } else {
        1
    };
    let jobs = match opened {
        // There is but one such cluster.
        Some(_) => 1,
        None => args.jobs.unwrap_or(usual).max(1),
    };
    let Some(opened) = opened else {
        let reports = play(&scenarios, &options, jobs, args).await;
        return report(&reports, args);
    };
    // Whatever happens, the cluster is left as it was.
    let reports = tokio::select! {
        reports = play(&scenarios, &options, jobs, args) => Some(reports),
        () = told_to_end() => None,
    };
    opened.close().await?;
    match reports {
        Some(reports) => report(&reports, args),
        None => Err(miette::miette!("interrupted")),
    }
}

/// How many nodes the largest of the scenarios has.
fn nodes(scenarios: &[LoadedScenario]) -> usize {
    let given = scenarios.iter().map(|one| one.scenario.given.nodes.len());
    given.max().unwrap_or(1)
}

fn report(reports: &[ScenarioReport], args: &RunArgs) -> miette::Result<ExitCode> {
    if let Some(file) = &args.junit {
        let xml = report::junit(reports).map_err(|e| miette::miette!("the JUnit report: {e}"))?;
        std::fs::write(file, xml).map_err(|e| miette::miette!("{}: {e}", file.display()))?;
    }
    let summary = Summary::of(reports);
    match args.output {
        Output::Json => output::json(&report::json(reports)),
        Output::Text => {
            if let Some(first) = reports.iter().find(|r| !r.played_on.is_empty()) {
                output::line(format_args!("\nplayed on {}", first.played_on));
            }
            output::line(summary);
        }
    }
    Ok(ExitCode::from(summary.exit_code()))
}

async fn play(
    scenarios: &[LoadedScenario],
    options: &RunOptions,
    jobs: usize,
    args: &RunArgs,
) -> Vec<ScenarioReport> {
    let text = args.output == Output::Text;
    let bar = progress(scenarios.len(), text);
    let screen = Arc::new(Mutex::new(bar));
    // Those that run programs, or wait for what a fault holds up, take longest: begun first, they do not end alone.
    let mut order: Vec<_> = scenarios.iter().enumerate().collect();
    if jobs > 1 {
        let long = [Requires::LocalPrograms, Requires::NetworkFaults];
        let is_long = |one: &LoadedScenario| one.scenario.requires.iter().any(|r| long.contains(r));
        order.sort_by_key(|(_, one)| !is_long(one));
    }
    let mut reports: Vec<(usize, ScenarioReport)> = stream::iter(order)
        .map(|(i, scenario)| {
            let screen = Arc::clone(&screen);
            async move {
                let mut listen = |event: RunEvent<'_>| {
                    let bar = screen.lock().unwrap_or_else(PoisonError::into_inner);
                    show(&event, &bar, text, args.verbose);
                };
                (i, run_scenario(scenario, options, &mut listen).await)
            }
        })
        .buffer_unordered(jobs)
        .collect()
        .await;
    screen
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .finish_and_clear();
    reports.sort_by_key(|(i, _)| *i);
    reports.into_iter().map(|(_, report)| report).collect()
}

fn show(event: &RunEvent<'_>, bar: &ProgressBar, text: bool, verbose: bool) {
    match event {
        RunEvent::Started { scenario } => bar.set_message((*scenario).to_owned()),
        RunEvent::Step(step) if verbose && text => bar.suspend(|| {
            output::line(format_args!(
                "        step {:>2} {:<4} {} ({} ms)",
                step.number,
                if step.held() { "ok" } else { "FAIL" },
                step.title,
                step.millis
            ));
        }),
        RunEvent::Step(_) => {}
        RunEvent::Finished(report) => {
            bar.inc(1);
            if text {
                bar.suspend(|| {
                    output::line(report::line(report));
                    if matches!(report.outcome, Outcome::Failed | Outcome::Broken) {
                        output::line(report::failure_story(report).trim_end());
                    }
                });
            }
        }
    }
}

/// A bar on a terminal; elsewhere the lines of the scenarios are the progress.
fn progress(total: usize, text: bool) -> ProgressBar {
    if !text || !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(total as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

fn fits(one: &LoadedScenario, filter: &str) -> bool {
    let scenario = &one.scenario;
    scenario.scenario.contains(filter)
        || scenario.tags.iter().any(|tag| tag == filter)
        || scenario.catalogue.iter().any(|id| id == filter)
}
