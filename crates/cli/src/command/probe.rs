//! `emu probe`: the small program that plays a pod.

use std::process::ExitCode;

use crate::args::ProbeArgs;

/// Plays a pod.
pub(crate) async fn run(args: ProbeArgs) -> miette::Result<ExitCode> {
    Ok(emu_probe::run(args.arguments).await)
}
