//! How an instance is made.

use emu_agent::AgentChoice;
use emu_core::Settings;
use emu_scenario::{
    given::Given,
    world::{World, WorldOptions},
};

use crate::{Emu, Error};

/// How an instance is made; [`Emu::builder`] begins one.
#[derive(Clone, Debug, Default)]
pub struct Builder {
    options: WorldOptions,
    cluster: Option<String>,
    #[cfg(feature = "testcontainers")]
    container: Option<crate::container::Handle>,
}

impl Builder {
    /// The name of the cluster; `demo` if not said.
    #[must_use]
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = Some(name.into());
        self
    }

    /// On a real cluster in a container, instead of the sandbox. One instance after another: the cluster is one.
    #[cfg(feature = "testcontainers")]
    #[must_use]
    pub fn on(mut self, cluster: &crate::container::ClusterContainer) -> Self {
        self.container = Some(cluster.handle());
        self
    }

    /// Which agent the node runs: Amazon's own if it is installed, or the twin, if not said.
    #[must_use]
    pub fn agent(mut self, agent: AgentChoice) -> Self {
        self.options.agent = agent;
        self
    }

    /// The knobs.
    #[must_use]
    pub fn settings(mut self, settings: Settings) -> Self {
        self.options.settings = settings;
        self
    }

    /// The seed of everything random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.options.seed = Some(seed);
        self
    }

    /// Starts the instance.
    ///
    /// # Errors
    /// If no port is free, or the machine does not do its part.
    pub async fn start(self) -> Result<Emu, Error> {
        let options = self.options().await?;
        let mut world = World::bare(&options, &Given::default()).await?;
        let cluster = emu_scenario::given::Cluster {
            name: self.cluster.as_deref().unwrap_or("demo").into(),
            ..emu_scenario::given::Cluster::default()
        };
        world.add_cluster(&cluster, &[]).await?;
        Ok(Emu::new(world))
    }

    #[cfg(feature = "testcontainers")]
    async fn options(&self) -> Result<WorldOptions, Error> {
        let mut options = self.options.clone();
        if let Some(container) = &self.container {
            options.kind = emu_cluster::ClusterKind::Kubeconfig;
            options.external = Some(container.external().await?);
        }
        Ok(options)
    }

    #[cfg(not(feature = "testcontainers"))]
    async fn options(&self) -> Result<WorldOptions, Error> {
        Ok(self.options.clone())
    }
}
