//! `emu down`.

use std::process::ExitCode;

use emu_cluster::docker::Provider;

use crate::{
    args::{DownArgs, Output},
    output,
};

use super::docker;

/// Removes what killed runs left behind.
pub(crate) async fn run(args: &DownArgs) -> miette::Result<ExitCode> {
    if let Some(choice) = &args.cluster {
        let provider = Provider::of(choice.kind).ok_or_else(|| {
            miette::miette!(
                "a {} cluster is not removed by its name: kind[=NAME] and k3d[=NAME] are",
                choice.kind
            )
        })?;
        let removed = docker::remove(provider, choice.context.as_deref()).await?;
        return Ok(say(args, &removed, &[]));
    }
    let root = emu_cluster::node::default_root();
    let mut removed: Vec<String> = emu_cluster::node::sweep(&root)
        .map_err(|e| miette::miette!("{e}"))?
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let mut failed = Vec::new();
    // Whole clusters first: what was installed on them goes along.
    match docker::sweep().await {
        Ok(clusters) => removed.extend(clusters),
        Err(e) => failed.push(e),
    }
    for (cluster, outcome) in emu_cluster::external::sweep().await {
        match outcome {
            Ok(listed) => removed.extend(listed.iter().map(|one| format!("{one} of {cluster}"))),
            Err(e) => failed.push(format!("cluster {cluster}: {e}")),
        }
    }
    Ok(say(args, &removed, &failed))
}

fn say(args: &DownArgs, removed: &[String], failed: &[String]) -> ExitCode {
    match args.output {
        Output::Json => output::json(&serde_json::json!({ "removed": removed })),
        Output::Text if removed.is_empty() && failed.is_empty() => {
            output::line("nothing was left behind");
        }
        Output::Text => {
            for one in removed {
                output::line(format_args!("removed {one}"));
            }
        }
    }
    for one in failed {
        eprintln!("{one}");
    }
    match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(2),
    }
}
