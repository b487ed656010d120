//! `emu kubernetes`.

use std::{
    io,
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use emu_cluster::kubernetes::install::{self, ReleaseSites, Source};
use miette::{IntoDiagnostic as _, WrapErr as _, miette};
use serde_json::{Value, json};

use crate::{
    args::{At, KubectlArgs, KubernetesAction, KubernetesArgs, LoadArgs},
    control, output,
};

/// Obtains Kubernetes, or does something with the cluster that runs.
pub(crate) async fn run(args: &KubernetesArgs) -> miette::Result<ExitCode> {
    match &args.action {
        KubernetesAction::Install {
            version,
            from,
            with,
        } => install(version.as_deref(), from, with).await,
        KubernetesAction::Load(args) => load(args),
        KubernetesAction::Kubectl(args) => kubectl(args),
    }
}

async fn install(version: Option<&str>, from: &str, with: &[String]) -> miette::Result<ExitCode> {
    let source = match from {
        "go" => Source::Go,
        "release" => Source::Release(ReleaseSites::default()),
        other => {
            return Err(miette::miette!(
                help = "`--from go` or `--from release`",
                "`{other}` is no source"
            ));
        }
    };
    let version = install::find(version.unwrap_or_default()).into_diagnostic()?;
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

/// Where the running emulator's cluster has its kubeconfig: the one of that name, or the first that has one.
pub(super) fn kubeconfig(at: At, cluster: Option<&str>) -> miette::Result<Option<PathBuf>> {
    let told: Value = serde_json::from_str(&control::get(at.addr, "/_emu/clusters")?)
        .into_diagnostic()
        .wrap_err("the emulator's clusters cannot be read")?;
    let clusters = told["clusters"].as_array().into_iter().flatten();
    Ok(clusters
        .filter(|one| cluster.is_none_or(|name| one["name"] == name))
        .find_map(|one| one["kubeconfig"].as_str())
        .map(PathBuf::from))
}

/// Becomes kubectl.
fn kubectl(args: &KubectlArgs) -> miette::Result<ExitCode> {
    let kubeconfig = kubeconfig(args.at, args.cluster.as_deref())?.ok_or_else(|| {
        miette!(
            help = "`emu up --cluster node` makes one",
            "the emulator has no cluster that kubectl reaches"
        )
    })?;
    let ours = install::installed()
        .pop()
        .map(|folder| folder.join("kubectl"))
        .filter(|path| path.exists());
    let program = ours.unwrap_or_else(|| "kubectl".into());
    let error = Command::new(&program)
        .args(&args.arguments)
        .env("KUBECONFIG", kubeconfig)
        .exec();
    Err(miette!("{} cannot be run: {error}", program.display()))
}

/// Hands an archive of images to the running emulator.
fn load(args: &LoadArgs) -> miette::Result<ExitCode> {
    let from_input = args.archive == Path::new("-");
    let archive = if from_input {
        let path = std::env::temp_dir().join(format!("emu-images-{}.tar", std::process::id()));
        let kept = std::fs::File::create_new(&path)
            .and_then(|mut file| io::copy(&mut io::stdin().lock(), &mut file));
        if let Err(error) = kept {
            let _ = std::fs::remove_file(&path);
            return Err(miette!("{}: {error}", path.display()));
        }
        path
    } else {
        std::fs::canonicalize(&args.archive)
            .into_diagnostic()
            .wrap_err_with(|| args.archive.display().to_string())?
    };
    let answer = control::post(
        args.at.addr,
        "/_emu/images",
        &json!({ "archive": archive, "cluster": args.cluster }),
    );
    if from_input {
        // It has been read, or never will be.
        let _ = std::fs::remove_file(&archive);
    }
    let answer = answer?;
    for image in answer["images"].as_array().into_iter().flatten() {
        output::line(image.as_str().unwrap_or_default());
    }
    Ok(ExitCode::SUCCESS)
}
