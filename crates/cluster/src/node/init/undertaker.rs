//! The first stage, outside of the node's namespaces: starts the first process and cleans up after it.

use std::{os::unix::process::CommandExt, process::Command, time::Duration};

use nix::sched::{CloneFlags, unshare};

use super::super::{entry::STAGE, protocol::Plan, run_dir::sweep_one};

pub(super) fn run(plan: &Plan) -> Result<(), String> {
    // A session of its own: a terminal's Ctrl-C is for the owner, who then ends the node.
    let _ = nix::unistd::setsid();
    unshare(CloneFlags::CLONE_NEWPID).map_err(|e| format!("making a process namespace: {e}"))?;
    let program = std::env::current_exe().map_err(|e| format!("finding this program: {e}"))?;
    // The mark that brought us here is inherited.
    let mut child = Command::new(program)
        .arg0("emu-node")
        .arg(&plan.run_dir)
        .env(STAGE, "1")
        .spawn()
        .map_err(|e| format!("starting the first process: {e}"))?;
    let ended = child.wait();
    let removed = plan.cgroups.remove(Duration::from_secs(10));
    // Only when the owner is gone does its lock come free; then nobody else would remove the folder.
    let swept = sweep_one(&plan.run_dir);
    ended.map_err(|e| format!("waiting for the first process: {e}"))?;
    removed.map_err(|e| e.to_string())?;
    swept.map(drop).map_err(|e| e.to_string())
}
