//! The two sketches of the failure catalogue, word for word.

use std::path::PathBuf;

use emu_scenario::{
    load::load,
    report::failure_story,
    run::{Outcome, RunOptions, run_scenario},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_sketches_of_the_catalogue_hold() {
    let here = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let files = [
        here.join("tests/sketches/client-caches-first-token.yaml"),
        here.join("../../scenarios/catalogue/association-propagation-race.yaml"),
    ];
    let scenarios = load(&files).unwrap_or_else(|errors| panic!("{errors:?}"));
    assert_eq!(scenarios.len(), 2);
    for scenario in &scenarios {
        let report = run_scenario(scenario, &RunOptions::default(), &mut |_| {}).await;
        match report.outcome {
            Outcome::Held => {}
            Outcome::Skipped => eprintln!("skipped: {}", report.reason.unwrap_or_default()),
            Outcome::Failed | Outcome::Broken => panic!("\n{}", failure_story(&report)),
        }
    }
}
