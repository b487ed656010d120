//! The node's first process: the hidden subcommand `node-init`.
//!
//! Two stages of the same program. The *undertaker* stays outside of all namespaces: it makes the process namespace, starts
//! the *first process* in it, and when that ends removes the cgroups and, if the owner is gone, the run directory. The
//! first process makes the other namespaces, mounts and links, then starts, signals and reaps the node's processes as the
//! host asks over a socket. When the host's end of the socket closes it ends, and everything inside with it.

mod mounts;
mod network;
mod supervisor;
mod undertaker;

use std::{ffi::OsString, path::Path, process::ExitCode};

use super::protocol::Plan;

/// The name of the hidden subcommand.
pub const SUBCOMMAND: &str = "node-init";
/// The argument by which the second stage is told from the first.
const INSIDE: &str = "--inside";
/// The plan's file in the run directory.
pub(crate) const PLAN: &str = "plan.json";
/// The socket's file in the run directory.
pub(crate) const SOCKET: &str = "init.sock";

/// Runs the subcommand with what follows its name: the run directory. Must be called before any thread is started.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let result = match arguments.as_slice() {
        [run] => read_plan(Path::new(run)).and_then(|plan| undertaker::run(&plan)),
        [stage, run] if stage == INSIDE => {
            read_plan(Path::new(run)).and_then(|plan| supervisor::run(&plan))
        }
        _ => Err(format!("usage: {SUBCOMMAND} RUN_DIR")),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{SUBCOMMAND}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn read_plan(run: &Path) -> Result<Plan, String> {
    let path = run.join(PLAN);
    let text = std::fs::read(&path).map_err(|e| format!("reading {}: {e}", path.display()))?;
    serde_json::from_slice(&text).map_err(|e| format!("reading {}: {e}", path.display()))
}
