//! Clusters that somebody else runs: opened for a command, closed after it.

use std::sync::Arc;

use emu_cluster::{
    ClusterKind,
    external::{Access, External, ExternalConfig, contexts, kubeconfig_files},
};
use miette::miette;

use crate::args::WorldArgs;

/// A cluster that was opened.
pub(crate) struct Opened {
    external: Arc<External>,
}

impl Opened {
    /// The cluster.
    pub(crate) fn external(&self) -> Arc<External> {
        Arc::clone(&self.external)
    }

    /// Removes what was installed.
    pub(crate) async fn close(self) -> miette::Result<()> {
        self.external
            .close()
            .await
            .map(drop)
            .map_err(|e| miette!(help = "`emu down` tries again", "{e}"))
    }
}

/// Opens the cluster that is asked for, if it is one of somebody else's. Lines for a person go to standard error, where
/// they do not mix with results.
pub(crate) async fn open(args: &WorldArgs) -> miette::Result<Option<Opened>> {
    let config = match args.cluster.kind {
        ClusterKind::Sandbox | ClusterKind::Node => return Ok(None),
        ClusterKind::Kubeconfig => of_kubeconfig(args).await?,
        kind => {
            return Err(miette!(
                help = "--cluster sandbox, --cluster node or --cluster kubeconfig=CONTEXT",
                "{kind} clusters are not available in this version"
            ));
        }
    };
    let external = External::open(config).await.map_err(|e| miette!("{e}"))?;
    Ok(Some(Opened { external }))
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
    let mut config = ExternalConfig::of_context(access, args.host_address)
        .await
        .map_err(|e| miette!("{e}"))?;
    complete(&mut config, args);
    Ok(config)
}

/// What the arguments say of every cluster.
fn complete(config: &mut ExternalConfig, args: &WorldArgs) {
    config.image.clone_from(&args.image);
    config.program = std::env::current_exe().ok();
    config.tell = Arc::new(|line| eprintln!("{line}"));
}
