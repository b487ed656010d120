//! The scenarios that ship hold on the sandbox.

use std::path::PathBuf;

use emu_scenario::{
    load::load,
    report::{failure_story, line},
    run::{Outcome, RunOptions, run_scenario},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn shipped_scenarios_hold() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    let scenarios = load(&[folder]).unwrap_or_else(|errors| panic!("{errors:?}"));
    let filter = std::env::var("EMU_FILTER").unwrap_or_default();
    let options = RunOptions::default();
    let mut failures = String::new();
    let mut held = 0;
    for scenario in scenarios
        .iter()
        .filter(|s| s.scenario.scenario.contains(&filter))
    {
        let report = run_scenario(scenario, &options, &mut |_| {}).await;
        eprintln!("{}", line(&report));
        match report.outcome {
            Outcome::Held => held += 1,
            Outcome::Skipped => {}
            Outcome::Failed | Outcome::Broken => failures.push_str(&failure_story(&report)),
        }
    }
    assert!(failures.is_empty(), "\n{failures}");
    assert!(held > 0, "nothing was played");
}
