//! Clusters that somebody else runs: opened for a command, closed after it.

use std::sync::Arc;

use emu_cluster::{
    ClusterKind,
    docker::{InDocker, Provider},
    external::{Access, External, ExternalConfig, contexts, kubeconfig_files},
};
use miette::miette;

use super::docker;
use crate::args::WorldArgs;

/// A cluster that was opened.
pub(crate) struct Opened {
    external: Arc<External>,
    /// The cluster itself, where it was made in Docker.
    docker: Option<InDocker>,
}

impl Opened {
    /// The cluster.
    pub(crate) fn external(&self) -> Arc<External> {
        Arc::clone(&self.external)
    }

    /// Removes what was installed, and the cluster if it was made for this.
    pub(crate) async fn close(mut self) -> miette::Result<()> {
        if let Some(cluster) = self.docker.take_if(|cluster| cluster.goes()) {
            self.external.abandon();
            return docker::close(cluster).await;
        }
        let removed = self
            .external
            .close()
            .await
            .map(drop)
            .map_err(|e| miette!(help = "`emu down` tries again", "{e}"));
        match self.docker {
            Some(cluster) => docker::close(cluster).await.and(removed),
            None => removed,
        }
    }
}

/// Opens the cluster that is asked for, if it is one of somebody else's. Lines for a person go to standard error, where
/// they do not mix with results.
///
/// `nodes` is how many are needed, where the cluster is made.
pub(crate) async fn open(args: &WorldArgs, nodes: usize) -> miette::Result<Option<Opened>> {
    let mut made = None;
    let mut config = match args.cluster.kind {
        ClusterKind::Sandbox | ClusterKind::Node => return Ok(None),
        ClusterKind::Kubeconfig => of_kubeconfig(args).await?,
        ClusterKind::Kind => in_docker(args, Provider::Kind, nodes, &mut made).await?,
        ClusterKind::K3d => in_docker(args, Provider::K3d, nodes, &mut made).await?,
    };
    complete(&mut config, args);
    let external = External::open(config).await.map_err(|e| miette!("{e}"))?;
    Ok(Some(Opened {
        external,
        docker: made,
    }))
}

async fn in_docker(
    args: &WorldArgs,
    provider: Provider,
    nodes: usize,
    made: &mut Option<InDocker>,
) -> miette::Result<ExternalConfig> {
    let (cluster, config) = docker::open(args, provider, nodes).await?;
    *made = Some(cluster);
    Ok(config)
}

async fn of_kubeconfig(args: &WorldArgs) -> miette::Result<ExternalConfig> {
    let kubeconfig = kubeconfig_files();
    let known = contexts(&kubeconfig).map_err(|e| miette!("{e}"))?;
    let list = match known.is_empty() {
        true => "there is none in the kubeconfig (KUBECONFIG, ~/.kube/config)".to_owned(),
        false => format!("contexts: {}", known.join(", ")),
    };
    let context = args.cluster.context.clone().ok_or_else(|| {
        miette!(
            help = list.clone(),
            "a cluster is only touched by its name: --cluster kubeconfig=CONTEXT"
        )
    })?;
    if !known.contains(&context) {
        return Err(miette!(help = list, "there is no context `{context}`"));
    }
    let access = Access {
        kubeconfig: kubeconfig
            .into_iter()
            .map(|file| std::path::absolute(&file).unwrap_or(file))
            .collect(),
        context,
    };
    ExternalConfig::of_context(access, args.host_address)
        .await
        .map_err(|e| miette!("{e}"))
}

/// What the arguments say of every cluster.
fn complete(config: &mut ExternalConfig, args: &WorldArgs) {
    config.image.clone_from(&args.image);
    config.program = std::env::current_exe().ok();
    config.tell = Arc::new(|line| eprintln!("{line}"));
}
