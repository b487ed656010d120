//! An instance.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use emu_cloud::Cloud;
use emu_cluster::SharedCluster;
use emu_core::{Journal, Settings, Timestamp};
use emu_gateway::Gateway;
use emu_scenario::{given, world::World};
use tokio::sync::Mutex;

use crate::{BucketBuilder, Builder, Error, Pod, RoleBuilder};

/// An emulator in this process: a fake AWS on a port of its own, and a cluster with one node. Ends when dropped.
pub struct Emu {
    pub(crate) world: Arc<Mutex<World>>,
    cloud: Arc<Cloud>,
    address: SocketAddr,
    cluster: SharedCluster,
    /// Kept so that the gateway lives as long as this.
    _gateway: Gateway,
}

impl Emu {
    /// Starts an instance with everything as usual.
    ///
    /// # Errors
    /// If no port is free, or the machine does not do its part.
    pub async fn start() -> Result<Self, Error> {
        Self::builder().start().await
    }

    /// Begins an instance with something not as usual.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn new(world: World) -> Self {
        let cluster = world
            .clusters()
            .next()
            .cloned()
            .unwrap_or_else(|| unreachable!("the builder added one"));
        Self {
            cloud: Arc::clone(world.cloud()),
            address: world.address(),
            cluster,
            _gateway: world.gateway().clone(),
            world: Arc::new(Mutex::new(world)),
        }
    }

    /// The AWS endpoint, for `AWS_ENDPOINT_URL`. The administrator's keys are `test` and `test`.
    pub fn endpoint(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Begins a role that trusts Pod Identity.
    pub fn role(&self, name: impl Into<String>) -> RoleBuilder<'_> {
        RoleBuilder::new(self, name.into())
    }

    /// Begins a bucket.
    pub fn bucket(&self, name: impl Into<String>) -> BucketBuilder<'_> {
        BucketBuilder::new(self, name.into())
    }

    /// Associates a service account with a role.
    ///
    /// # Errors
    /// If EKS refuses it.
    pub fn associate(
        &self,
        namespace: &str,
        service_account: &str,
        role: &str,
    ) -> Result<(), Error> {
        self.associate_with(given::Association {
            namespace: namespace.into(),
            service_account: service_account.into(),
            role: Some(role.into()),
            ..given::Association::default()
        })
    }

    /// Creates an association with all its members.
    ///
    /// # Errors
    /// If EKS refuses it.
    pub fn associate_with(&self, association: given::Association) -> Result<(), Error> {
        let world = self.lock()?;
        Ok(association.establish(&world)?)
    }

    /// Creates a pod with a name of its own.
    ///
    /// # Errors
    /// If it is not admitted.
    pub async fn pod(&self, namespace: &str, service_account: &str) -> Result<Pod, Error> {
        let name = format!("{service_account}-{:05x}", self.cloud.ids().below(1 << 20));
        self.pod_with(given::Pod {
            name: name.as_str().into(),
            namespace: Some(namespace.into()),
            service_account: Some(service_account.into()),
            ..given::Pod::default()
        })
        .await
    }

    /// Creates a pod with all its members.
    ///
    /// # Errors
    /// If it is not admitted.
    pub async fn pod_with(&self, pod: given::Pod) -> Result<Pod, Error> {
        let from = self.journal().last();
        let mut world = self.world.lock().await;
        let mut seen = pod.establish(&mut world).await?;
        if let Some(error) = seen.error {
            return Err(Error::new(error.message));
        }
        let all = world.journal().since(0);
        let meanwhile = all
            .iter()
            .filter(|entry| entry.seq > from)
            .cloned()
            .collect();
        seen.read_journal(meanwhile, &all);
        Pod::new(self, &world, &pod, seen)
    }

    /// What happened so far.
    pub fn journal(&self) -> &Journal {
        self.cloud.journal()
    }

    /// The clock's present reading.
    pub fn now(&self) -> Timestamp {
        self.cloud.now()
    }

    /// Moves the clock forward; what is due on the way happens on the way.
    ///
    /// # Errors
    /// If running programs could not be moved along.
    pub async fn advance(&self, by: Duration) -> Result<(), Error> {
        Ok(self.world.lock().await.advance(by).await?)
    }

    /// The knobs as they stand.
    pub fn settings(&self) -> Arc<Settings> {
        self.cloud.settings()
    }

    /// Turns the knobs.
    pub fn set_settings(&self, settings: Settings) {
        self.cloud.set_settings(settings);
    }

    /// The fake AWS itself, for what has no short way here.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// The cluster itself, for what has no short way here.
    pub fn cluster(&self) -> &SharedCluster {
        &self.cluster
    }

    pub(crate) fn lock(&self) -> Result<tokio::sync::MutexGuard<'_, World>, Error> {
        self.world
            .try_lock()
            .map_err(|_| Error::new("the instance is busy with another call; await that one first"))
    }
}

impl std::fmt::Debug for Emu {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Emu({})", self.endpoint())
    }
}
