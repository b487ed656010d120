//! Clusters in Docker: made for a command, removed after it.

use emu_cluster::{
    docker::{Docker, Error, InDocker, Progress, Provider, Spec},
    external::{Access, ExternalConfig},
};
use miette::miette;

use super::told_to_end;
use crate::args::WorldArgs;

/// Makes the cluster that is asked for, or takes one of an earlier run; `nodes` is how many are needed.
pub(super) async fn open(
    args: &WorldArgs,
    provider: Provider,
    nodes: usize,
) -> miette::Result<(InDocker, ExternalConfig)> {
    let docker = &args.docker;
    let spec = Spec {
        nodes: docker.cluster_nodes.unwrap_or(nodes).max(1),
        image: docker.cluster_image.clone(),
        family: docker.ip_family,
        config: docker.cluster_config.clone(),
        keep: docker.keep,
        limit: docker.cluster_timeout.into(),
        ..Spec::new(provider, name(args.cluster.context.as_deref()))
    };
    let here = Docker::here();
    let program = std::env::current_exe().ok();
    let opening = async {
        let cluster = here.open_with(&spec, program, &mut tell).await?;
        let client = cluster.client(&mut tell).await?;
        Ok((cluster, client))
    };
    let (cluster, client) = tokio::select! {
        opened = opening => opened.map_err(told)?,
        () = told_to_end() => return Err(miette!("interrupted")),
    };
    let host = cluster.host();
    let mut config = ExternalConfig::new(provider.kind(), &spec.name, client, host.reached);
    config.listen = Some(host.listen);
    config.images = Some(cluster.loader());
    config.loaded = cluster.loaded().map(str::to_owned);
    config.access = Some(Access {
        kubeconfig: vec![cluster.kubeconfig()],
        context: cluster.context(),
    });
    Ok((cluster, config))
}

/// Lets go of a cluster: it goes if it was made for this run and is not to be kept.
pub(super) async fn close(cluster: InDocker) -> miette::Result<()> {
    cluster.close(&mut tell).await.map_err(told)
}

/// Removes a cluster of ours by its name. Says whether there was one.
pub(super) async fn remove(
    provider: Provider,
    context: Option<&str>,
) -> miette::Result<Vec<String>> {
    let name = name(context);
    let removed = Docker::here().down(provider, name, &mut tell).await;
    let removed = removed.map_err(told)?;
    Ok(removed
        .then(|| format!("{provider} cluster {name}"))
        .into_iter()
        .collect())
}

/// Removes what killed runs left.
pub(super) async fn sweep() -> Result<Vec<String>, String> {
    let swept = Docker::here().sweep(&mut tell).await;
    swept.map_err(|e| e.to_string())
}

fn name(context: Option<&str>) -> &str {
    context.unwrap_or(Spec::USUAL_NAME)
}

/// To standard error, where it does not mix with results.
fn tell(progress: Progress) {
    // What ends is told with its time; that it begins is worth a line only where one waits long.
    match progress {
        Progress::Begun(phase, _) if !phase.is_long() => {}
        progress => eprintln!("{progress}"),
    }
}

fn told(error: Error) -> miette::Report {
    match error.help() {
        Some(help) => miette!(help = help, "{error}"),
        None => miette!("{error}"),
    }
}
