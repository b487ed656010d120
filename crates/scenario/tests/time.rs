//! Real programs on the scenario's clock, and what their hours cost.

use std::{path::PathBuf, time::Instant};

use emu_scenario::{
    load::load,
    report::failure_story,
    run::{Outcome, RunOptions, run_scenario},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hours_pass_in_seconds() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/time");
    let scenarios = load(&[folder]).unwrap_or_else(|errors| panic!("{errors:?}"));
    let mut failures = String::new();
    for scenario in &scenarios {
        let started = Instant::now();
        let report = run_scenario(scenario, &RunOptions::default(), &mut |_| {}).await;
        let took = started.elapsed();
        let name = &report.scenario;
        match report.outcome {
            Outcome::Held => eprintln!("{name}: {} ms of real time", took.as_millis()),
            Outcome::Skipped => eprintln!("skipped: {name}: {}", report.reason.unwrap_or_default()),
            Outcome::Failed | Outcome::Broken => failures.push_str(&failure_story(&report)),
        }
        for step in &report.steps {
            eprintln!("  {:>6} ms  {}", step.millis, step.title);
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
}
