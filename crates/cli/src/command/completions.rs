//! `emu completions`.

use std::process::ExitCode;

use clap::CommandFactory as _;

use crate::args::{Cli, CompletionsArgs};

/// Prints completions for a shell.
pub(crate) fn run(args: &CompletionsArgs) -> miette::Result<ExitCode> {
    clap_complete::generate(
        args.shell,
        &mut Cli::command(),
        "emu",
        &mut std::io::stdout(),
    );
    Ok(ExitCode::SUCCESS)
}
