//! `emu down`.

use std::process::ExitCode;

use crate::{
    args::{DownArgs, Output},
    output,
};

/// Removes what killed runs left behind.
pub(crate) fn run(args: &DownArgs) -> miette::Result<ExitCode> {
    let root = emu_cluster::node::default_root();
    let removed: Vec<String> = emu_cluster::node::sweep(&root)
        .map_err(|e| miette::miette!("{e}"))?
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    match args.output {
        Output::Json => output::json(&serde_json::json!({ "removed": removed })),
        Output::Text if removed.is_empty() => output::line("nothing was left behind"),
        Output::Text => {
            for one in &removed {
                output::line(format_args!("removed {one}"));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
