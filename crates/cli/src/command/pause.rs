//! `emu pause`: the first process of pods made from our images.

use std::process::ExitCode;

use nix::sys::{
    signal::{SigSet, Signal},
    wait::{WaitPidFlag, waitpid},
};

/// Waits for the end, and reaps what is orphaned meanwhile.
pub(crate) fn run() -> miette::Result<ExitCode> {
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGCHLD] {
        signals.add(signal);
    }
    signals
        .thread_block()
        .map_err(|e| miette::miette!("signals cannot be waited for: {e}"))?;
    loop {
        match signals.wait() {
            Ok(Signal::SIGCHLD) => {
                while waitpid(None, Some(WaitPidFlag::WNOHANG)).is_ok_and(|s| s.pid().is_some()) {}
            }
            _ => return Ok(ExitCode::SUCCESS),
        }
    }
}
