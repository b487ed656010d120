//! A cluster in Docker, while this process uses it.

use std::{
    net::{IpAddr, Ipv4Addr},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;

use super::{
    Error, HostAddress, Phase, Progress, Provider, Spec,
    command::Commands,
    k3d, kind,
    open::{network, strs},
    record::{Place, Record},
};
use crate::{
    cluster::{ClusterError, Result as ClusterResult},
    external::ImageLoader,
    kubernetes,
};

/// How long an archive may take into all nodes.
pub(super) const LOAD: Duration = Duration::from_secs(300);
/// How long a cluster may take to be removed.
const REMOVE: Duration = Duration::from_secs(120);
/// How long the API server may take to answer once the provider says that it is there.
const ANSWER: Duration = Duration::from_secs(90);

/// A cluster in Docker that is there and reaches this machine. What this process made goes with it, unless it is to be kept.
#[derive(Debug)]
pub struct InDocker {
    commands: Commands,
    spec: Spec,
    place: Place,
    made: bool,
    nodes: usize,
    host: HostAddress,
    /// The image that went in while it came up.
    loaded: Option<String>,
    closed: bool,
}

impl InDocker {
    pub(super) fn new(
        commands: &Commands,
        spec: &Spec,
        place: &Place,
        made: bool,
        nodes: usize,
    ) -> Self {
        let nowhere = IpAddr::from(Ipv4Addr::UNSPECIFIED);
        Self {
            commands: commands.clone(),
            spec: spec.clone(),
            place: place.clone(),
            made,
            nodes,
            host: HostAddress {
                reached: nowhere,
                listen: nowhere,
            },
            loaded: None,
            closed: false,
        }
    }

    pub(super) fn reached_at(mut self, host: HostAddress, loaded: Option<String>) -> Self {
        self.host = host;
        self.loaded = loaded;
        self
    }

    /// What was asked for.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    /// How its nodes reach this machine.
    pub fn host(&self) -> HostAddress {
        self.host
    }

    /// Whether it was made just now; otherwise it is one of an earlier run.
    pub fn made(&self) -> bool {
        self.made
    }

    /// The reference of the image that [`Docker::open_with`](super::Docker::open_with) brought into its nodes, if it did.
    pub fn loaded(&self) -> Option<&str> {
        self.loaded.as_deref()
    }

    /// An administrator's kubeconfig, for this machine alone.
    pub fn kubeconfig(&self) -> PathBuf {
        self.place.kubeconfig()
    }

    /// The context in [`kubeconfig`](Self::kubeconfig).
    pub fn context(&self) -> String {
        format!("{}-{}", self.spec.provider, self.spec.name)
    }

    /// How many nodes it has.
    pub fn nodes(&self) -> usize {
        self.nodes
    }

    /// Brings images into all its nodes.
    pub fn loader(&self) -> Arc<dyn ImageLoader> {
        Arc::new(Loader {
            commands: self.commands.clone(),
            provider: self.spec.provider,
            name: self.spec.name.clone(),
        })
    }

    /// An administrator's client, once the API server answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn client(
        &self,
        tell: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<kube::Client, Error> {
        let provider = self.spec.provider;
        tell(Progress::Begun(Phase::Answer, provider));
        let began = Instant::now();
        let silent = |said: String| Error::Silent {
            provider,
            name: self.spec.name.clone(),
            said,
        };
        let path = self.kubeconfig();
        let text = std::fs::read_to_string(&path).map_err(Error::file(&path))?;
        let client = kubernetes::client_from(&text)
            .await
            .map_err(|e| silent(e.to_string()))?;
        kubernetes::api_ready_within(&client, ANSWER)
            .await
            .map_err(|e| silent(e.to_string()))?;
        tell(Progress::Done(Phase::Answer, provider, began.elapsed()));
        Ok(client)
    }

    /// Removes it, if this process made it and it is not to be kept; otherwise it is there for the next.
    ///
    /// # Errors
    /// When it could not be removed.
    pub async fn close(mut self, tell: &mut (dyn FnMut(Progress) + Send)) -> Result<(), Error> {
        self.closed = true;
        if self.goes() {
            self.removal().run(tell).await
        } else {
            self.leave();
            Ok(())
        }
    }

    /// Whether [`close`](Self::close) removes it.
    pub fn goes(&self) -> bool {
        // One that is not complete yet is of no use to anybody.
        let complete = self.place.read().is_some_and(|r| r.container.is_some());
        self.made && !(self.spec.keep && complete)
    }

    fn removal(&self) -> Removal {
        Removal::new(
            &self.commands,
            self.spec.provider,
            &self.spec.name,
            &self.place,
        )
    }

    fn leave(&self) {
        if let Some(record) = self.place.read() {
            // Otherwise it is taken for one that was left behind, and removed by `emu down`.
            let _ = self.place.write(&Record {
                owner: None,
                ..record
            });
        }
    }
}

impl Drop for InDocker {
    fn drop(&mut self) {
        if self.closed {
        } else if self.goes() {
            self.removal().run_blocking();
        } else {
            self.leave();
        }
    }
}

struct Loader {
    commands: Commands,
    provider: Provider,
    name: String,
}

#[async_trait]
impl ImageLoader for Loader {
    async fn load(&self, archive: &Path) -> ClusterResult<()> {
        let words = match self.provider {
            Provider::Kind => kind::load(&self.name, archive),
            Provider::K3d => k3d::load(&self.name, archive),
        };
        let loaded = async {
            self.commands
                .run(&strs(&words), LOAD, &mut |_| {})
                .await?
                .ok()
        };
        loaded
            .await
            .map(drop)
            .map_err(|e| ClusterError::Kubernetes {
                what: format!("bringing images into the {} cluster", self.provider),
                message: e.to_string(),
            })
    }
}

/// The end of a cluster.
pub(super) struct Removal {
    commands: Commands,
    provider: Provider,
    delete: Vec<String>,
    network: Option<String>,
    place: Place,
}

impl Removal {
    pub(super) fn new(commands: &Commands, provider: Provider, name: &str, place: &Place) -> Self {
        let delete = match provider {
            Provider::Kind => kind::delete(name, &place.kubeconfig()),
            Provider::K3d => k3d::delete(name),
        };
        // kind leaves its network, which was not there before us; k3d does not.
        let ours = place.read().is_some_and(|r| r.made_network);
        let network =
            (ours && provider == Provider::Kind).then(|| network(&Spec::new(provider, name)));
        Self {
            commands: commands.clone(),
            provider,
            delete,
            network,
            place: place.clone(),
        }
    }

    pub(super) async fn run(&self, tell: &mut (dyn FnMut(Progress) + Send)) -> Result<(), Error> {
        tell(Progress::Begun(Phase::Delete, self.provider));
        let began = Instant::now();
        self.commands
            .run(&strs(&self.delete), REMOVE, &mut |_| {})
            .await?
            .ok()?;
        if let Some(network) = &self.network {
            // It stays where other clusters use it.
            self.commands
                .ask(&["docker", "network", "rm", network])
                .await?;
        }
        self.place.remove();
        tell(Progress::Done(
            Phase::Delete,
            self.provider,
            began.elapsed(),
        ));
        Ok(())
    }

    /// The same where nothing can be awaited. What cannot be removed is remembered, for `emu down`.
    fn run_blocking(&self) {
        if self.commands.run_blocking(&strs(&self.delete)) {
            if let Some(network) = &self.network {
                self.commands
                    .run_blocking(&["docker", "network", "rm", network]);
            }
            self.place.remove();
        }
    }
}
