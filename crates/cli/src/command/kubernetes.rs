//! `emu kubernetes`.

use std::process::ExitCode;

use emu_cluster::kubernetes::install::{self, ReleaseSites, Source};
use miette::IntoDiagnostic as _;

use crate::{
    args::{KubernetesAction, KubernetesArgs},
    output,
};

/// Obtains Kubernetes.
pub(crate) async fn run(args: &KubernetesArgs) -> miette::Result<ExitCode> {
    let KubernetesAction::Install {
        version,
        from,
        with,
    } = &args.action;
    let source = match from.as_str() {
        "go" => Source::Go,
        "release" => Source::Release(ReleaseSites::default()),
        other => {
            return Err(miette::miette!(
                help = "`--from go` or `--from release`",
                "`{other}` is no source"
            ));
        }
    };
    let version = install::find(version.as_deref().unwrap_or_default()).into_diagnostic()?;
    let extra: Vec<&str> = with.iter().map(String::as_str).collect();
    let folder = install::install(
        &install::cache_folder(),
        version,
        &source,
        &extra,
        &mut |progress| {
            output::line(progress);
        },
    )
    .await
    .into_diagnostic()?;
    output::line(format_args!(
        "Kubernetes {} is at {}",
        version.number,
        folder.display()
    ));
    Ok(ExitCode::SUCCESS)
}
