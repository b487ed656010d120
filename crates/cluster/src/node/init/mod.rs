//! The node's first process.
//!
//! Two stages of the same program. The *undertaker* stays outside of all namespaces: it makes the process namespace, starts
//! the *first process* in it, and when that ends removes the cgroups and, if the owner is gone, the run directory. The
//! first process makes the other namespaces, mounts and links, then starts, signals and reaps the node's processes as the
//! host asks over a socket. When the host's end of the socket closes it ends, and everything inside with it.

mod mounts;
mod network;
mod supervisor;
mod undertaker;

use std::path::Path;

use super::protocol::Plan;

/// The plan's file in the run directory.
pub(crate) const PLAN: &str = "plan.json";
/// The socket's file in the run directory.
pub(crate) const SOCKET: &str = "init.sock";

/// Runs a stage to its end; returns the exit code. No thread may have been started.
pub(crate) fn main(run: &Path, inside: bool) -> i32 {
    let result = read_plan(run).and_then(|plan| {
        if inside {
            supervisor::run(&plan)
        } else {
            undertaker::run(&plan)
        }
    });
    match result {
        Ok(()) => 0,
        Err(error) => {
            eprintln!("node: {error}");
            1
        }
    }
}

fn read_plan(run: &Path) -> Result<Plan, String> {
    let path = run.join(PLAN);
    let text = std::fs::read(&path).map_err(|e| format!("reading {}: {e}", path.display()))?;
    serde_json::from_slice(&text).map_err(|e| format!("reading {}: {e}", path.display()))
}
