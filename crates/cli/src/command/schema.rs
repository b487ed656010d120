//! `emu schema`.

use std::process::ExitCode;

/// Prints the JSON schema of scenario files.
pub(crate) fn run() -> miette::Result<ExitCode> {
    crate::output::json(&emu_scenario::file::schema());
    Ok(ExitCode::SUCCESS)
}
