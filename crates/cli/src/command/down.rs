//! `emu down`.

use std::process::ExitCode;

use crate::{
    args::{DownArgs, Output},
    output,
};

/// Removes what killed runs left behind.
pub(crate) async fn run(args: &DownArgs) -> miette::Result<ExitCode> {
    let root = emu_cluster::node::default_root();
    let mut removed: Vec<String> = emu_cluster::node::sweep(&root)
        .map_err(|e| miette::miette!("{e}"))?
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut failed = Vec::new();
    for (cluster, outcome) in emu_cluster::external::sweep().await {
        match outcome {
            Ok(listed) => removed.extend(listed.iter().map(|one| format!("{one} of {cluster}"))),
            Err(e) => failed.push(format!("cluster {cluster}: {e}")),
        }
    }
    match args.output {
        Output::Json => output::json(&serde_json::json!({ "removed": removed })),
        Output::Text if removed.is_empty() && failed.is_empty() => {
            output::line("nothing was left behind")
        }
        Output::Text => {
            for one in &removed {
                output::line(format_args!("removed {one}"));
            }
        }
    }
    for one in &failed {
        eprintln!("{one}");
    }
    Ok(match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(2),
    })
}
