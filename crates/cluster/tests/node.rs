//! A real node, for as far as this machine allows: `skipped: why` where it does not.
//!
//! The test program has its own `main`, because it also plays the programs in the pods.

#[path = "node/cluster.rs"]
mod cluster;
#[path = "node/host.rs"]
mod host;
#[path = "node/lifecycle.rs"]
mod lifecycle;
#[path = "node/roles.rs"]
mod roles;
#[path = "node/virtual_time.rs"]
mod virtual_time;
#[path = "node/webhook.rs"]
mod webhook;
#[path = "node/whole.rs"]
mod whole;

use std::{path::PathBuf, process::ExitCode};

use emu_cluster::node::{self, Config};

type Outcome = Result<(), Box<dyn std::error::Error>>;
type Test = (&'static str, fn() -> Outcome);

const TESTS: &[Test] = &[
    (
        "a_node_starts_runs_a_pod_and_leaves_nothing",
        lifecycle::starts_and_leaves_nothing,
    ),
    (
        "pods_tokens_webhook_and_agent_work",
        cluster::pods_tokens_webhook_and_agent,
    ),
    ("two_nodes_live_side_by_side", lifecycle::two_at_once),
    ("a_killed_owner_leaves_nothing", lifecycle::killed_owner),
    (
        "killed_at_random_moments_it_leaves_nothing",
        lifecycle::killed_at_random,
    ),
    (
        "a_killed_undertaker_is_swept_after",
        lifecycle::killed_undertaker,
    ),
    (
        "a_jump_of_the_clock_rotates_the_token",
        virtual_time::a_jump_rotates_the_token,
    ),
    ("the_chain_holds_on_a_real_node", whole::the_chain_holds),
    (
        "amazons_agent_answers_as_a_daemon_set",
        whole::the_real_agent_answers,
    ),
    (
        "amazons_webhook_decides_about_pods",
        webhook::amazons_webhook_decides,
    ),
    (
        "moving_the_clock_moves_the_whole_node",
        whole::the_clock_moves_it,
    ),
];

fn main() -> ExitCode {
    let arguments: Vec<std::ffi::OsString> = std::env::args_os().skip(1).collect();
    if let Some((first, rest)) = arguments.split_first() {
        if first == "role" {
            return roles::main(rest);
        }
        if first == "agent" {
            return roles::twin(rest);
        }
        let root = rest.first().and_then(|r| r.to_str());
        let started = match (first.to_str(), root) {
            (Some("up"), root) => Some(lifecycle::up(root)),
            (Some("whole"), Some(root)) => Some(whole::up(root.as_ref())),
            _ => None,
        };
        if let Some(outcome) = started {
            return match outcome {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => {
                    eprintln!("{error}");
                    ExitCode::FAILURE
                }
            };
        }
    }
    let words: Vec<String> = arguments
        .iter()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    run(&words)
}

fn run(words: &[String]) -> ExitCode {
    let listing = words.iter().any(|w| w == "--list");
    let ignored = words.iter().any(|w| w == "--ignored");
    let exact = words.iter().any(|w| w == "--exact");
    let filters: Vec<&String> = words.iter().filter(|w| !w.starts_with('-')).collect();
    let wanted = |name: &str| {
        !ignored
            && (filters.is_empty()
                || filters.iter().any(|f| {
                    if exact {
                        *f == name
                    } else {
                        name.contains(f.as_str())
                    }
                }))
    };
    let mut failed = 0;
    let mut passed = 0;
    for (name, test) in TESTS.iter().filter(|(name, _)| wanted(name)) {
        if listing {
            println!("{name}: test");
            continue;
        }
        let outcome = match why_not() {
            Some(why) => {
                eprintln!("skipped: {why}");
                Ok(())
            }
            None => test(),
        };
        match outcome {
            Ok(()) => {
                passed += 1;
                println!("test {name} ... ok");
            }
            Err(error) => {
                failed += 1;
                println!("test {name} ... FAILED\n{error}");
            }
        }
    }
    if listing {
        return ExitCode::SUCCESS;
    }
    let verdict = if failed == 0 { "ok" } else { "FAILED" };
    let out = TESTS.len() - passed - failed;
    println!(
        "\ntest result: {verdict}. {passed} passed; {failed} failed; 0 ignored; 0 measured; {out} filtered out"
    );
    ExitCode::from(u8::from(failed > 0))
}

/// The folder with the newest installed Kubernetes.
fn binaries() -> Option<PathBuf> {
    emu_cluster::kubernetes::install::installed().pop()
}

fn why_not() -> Option<String> {
    if let Some(missing) = node::platform::missing().first() {
        return Some(format!("{} is missing", missing.what));
    }
    if binaries().is_none() {
        return Some("no Kubernetes binaries are installed (emu kubernetes install)".into());
    }
    None
}

/// A configuration with the newest Kubernetes.
fn config() -> Result<Config, Box<dyn std::error::Error>> {
    Ok(Config::new(binaries().ok_or("no binaries")?))
}

fn block_on<T>(future: impl Future<Output = T>) -> Result<T, std::io::Error> {
    Ok(tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?
        .block_on(future))
}
