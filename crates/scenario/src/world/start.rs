//! From options to a world, and its end.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use emu_agent::{AgentChoice, RealAgent};
use emu_cloud::Cloud;
use emu_cluster::{Capabilities, ClusterKind, SharedCluster, kubernetes::WebhookKind};
use emu_core::{Clock, Event, Ids, Journal, Settings, Span, Timestamp};
use emu_gateway::{Gateway, Listener};

use super::{WorldOptions, cluster::ClusterAt, names::Names};
use crate::{file::Scenario, given::Given, run::Trouble};

/// A fake AWS, its gateway, and clusters. Everything ends when it is dropped.
pub struct World {
    pub(super) cloud: Arc<Cloud>,
    pub(super) gateway: Gateway,
    pub(super) address: SocketAddr,
    pub(super) options: WorldOptions,
    pub(super) real_agent: Option<RealAgent>,
    /// The image of Amazon's agent that nodes of others pulled.
    pub(super) agent_image: Option<String>,
    /// Where clusters of others find the gateway, if not at its address.
    pub(super) outside: Option<SocketAddr>,
    pub(super) clusters: Vec<ClusterAt>,
    pub(super) names: Names,
}

impl World {
    /// Starts a world with the clusters a scenario gives.
    ///
    /// # Errors
    /// If the port is taken, or a cluster does not come up.
    pub async fn start(options: &WorldOptions, scenario: &Scenario) -> Result<Self, Trouble> {
        let mut world = Self::bare(options, &scenario.given).await?;
        world.start_clusters(&scenario.given).await?;
        Ok(world)
    }

    /// Starts a world without clusters.
    ///
    /// # Errors
    /// If the port is taken.
    pub async fn bare(options: &WorldOptions, given: &Given) -> Result<Self, Trouble> {
        if options.kind == ClusterKind::Sandbox && options.webhook != WebhookKind::Emu {
            return Err(Trouble::new(
                "a sandbox has no API server that could call Amazon's webhook",
            )
            .help("--webhook is for --cluster node, kind, k3d and kubeconfig"));
        }
        let clock = Clock::new();
        let settings = settings(&options.settings, given);
        let journal = Journal::new(clock.clone(), settings.journal_entries);
        let ids = match given.seed.or(options.seed) {
            Some(seed) => Ids::seeded(seed),
            None => Ids::random(),
        };
        let cloud = Cloud::new(clock, journal, settings, ids);
        let address = options
            .address
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 0)));
        let listener = Self::listener(address)?;
        let address = listener
            .local_addr()
            .map_err(|e| Trouble::new(format!("the listener has no address: {e}")))?;
        let gateway = Gateway::start(Arc::clone(&cloud), vec![Listener::control(listener)])
            .map_err(|e| Trouble::new(format!("the gateway does not start: {e}")))?;
        let mut real_agent = match options.agent.resolve() {
            Ok(agent) => agent,
            // Nodes of others pull it.
            Err(_) if options.external.is_some() && options.agent == AgentChoice::Real => None,
            Err(e) => {
                return Err(Trouble::new(e.to_string())
                    .help("--agent /path/to/it names it; --agent twin does without"));
            }
        };
        if let Some(agent) = &mut real_agent {
            agent.ask_version().await;
        }
        Ok(Self {
            cloud,
            gateway,
            address,
            options: options.clone(),
            real_agent,
            agent_image: None,
            outside: None,
            clusters: Vec::new(),
            names: Names::default(),
        })
    }

    /// A listener for the gateway.
    ///
    /// # Errors
    /// If the port is taken, or the address is not this machine's.
    pub fn listener(address: SocketAddr) -> Result<TcpListener, Trouble> {
        TcpListener::bind(address).map_err(|e| {
            let trouble = Trouble::new(format!("cannot listen on {address}: {e}"));
            if e.kind() == std::io::ErrorKind::AddrInUse {
                trouble.help("another program (another emu?) has the port; choose one with --addr")
            } else {
                trouble
            }
        })
    }

    /// The fake AWS.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.cloud
    }

    /// The gateway.
    pub fn gateway(&self) -> &Gateway {
        &self.gateway
    }

    /// Where the gateway listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where pods find the emulator.
    pub fn address_in_pods(&self) -> String {
        self.clusters
            .first()
            .map_or_else(|| self.address().to_string(), |at| at.emulator.to_string())
    }

    /// What happened so far.
    pub fn journal(&self) -> &Journal {
        self.cloud.journal()
    }

    /// The knobs as they stand.
    pub fn settings(&self) -> Arc<Settings> {
        self.cloud.settings()
    }

    /// The clock's present reading.
    pub fn now(&self) -> Timestamp {
        self.cloud.now()
    }

    /// Virtual time since the world was made.
    pub fn elapsed(&self) -> Duration {
        self.cloud.clock().monotonic()
    }

    /// Moves the clock forward.
    ///
    /// # Errors
    /// If programs could not be moved along.
    pub async fn advance(&self, by: Duration) -> Result<(), Trouble> {
        self.cloud.clock().advance(by).await.map_err(unmoved)?;
        self.journal().record(Event::ClockMoved {
            by: Span::from(by),
            back: false,
            wall_only: false,
        });
        Ok(())
    }

    /// Sets the wall clock forwards or back.
    ///
    /// # Errors
    /// If programs could not be moved along.
    pub async fn step_wall(&self, nanos: i64) -> Result<(), Trouble> {
        self.cloud.clock().step_wall(nanos).await.map_err(unmoved)?;
        self.journal().record(Event::ClockMoved {
            by: Span::from(Duration::from_nanos(nanos.unsigned_abs())),
            back: nanos < 0,
            wall_only: true,
        });
        Ok(())
    }

    /// Waits until what was just answered is in the journal too.
    pub async fn settle(&self) {
        self.cloud.clock().settled().await;
    }

    /// What the clusters can do: what all of them can.
    pub fn capabilities(&self) -> Capabilities {
        self.clusters
            .first()
            .map(|at| at.cluster.capabilities())
            .unwrap_or_default()
    }

    /// Whether nodes run Amazon's own agent.
    pub fn real_agent(&self) -> bool {
        self.real_agent.is_some() || self.agent_image.is_some()
    }

    /// What the world is made of, in words: `sandbox, agent twin 0.1.37`.
    pub fn played_on(&self) -> String {
        let pulled = self.agent_image.as_deref();
        let tag = pulled.and_then(|image| image.rsplit_once(':'));
        let agent = match (&self.real_agent, tag) {
            (Some(real), _) => format!("real {}", real.version()),
            (None, Some((_, tag))) => format!("real {tag}"),
            (None, None) => format!("twin {}", self.settings().agent.profile),
        };
        let webhook = match self.options.webhook {
            WebhookKind::Emu => "",
            _ => ", webhook Amazon's",
        };
        format!("{}, agent {agent}{webhook}", self.options.kind)
    }

    /// The clusters.
    pub fn clusters(&self) -> impl Iterator<Item = &SharedCluster> {
        self.clusters.iter().map(|at| &at.cluster)
    }

    /// Where the real agent lies, if there is one.
    pub(super) fn real_agent_path(&self) -> Option<PathBuf> {
        self.real_agent.as_ref().map(|real| real.path().to_owned())
    }

    /// Ends everything.
    pub async fn stop(self) {
        for at in &self.clusters {
            // What cannot be taken down now is taken down when it is dropped.
            let _ = at.cluster.teardown().await;
        }
        self.gateway.stop(Duration::from_secs(5)).await;
    }
}

fn unmoved(error: std::io::Error) -> Trouble {
    match error.kind() {
        std::io::ErrorKind::Unsupported => {
            Trouble::new(format!("the clock cannot be moved: {error}"))
        }
        _ => Trouble::new(format!("a program did not follow the clock: {error}")),
    }
}

/// The knobs, as the scenario turns them.
fn settings(base: &Settings, given: &Given) -> Settings {
    let mut settings = given.settings.clone().unwrap_or_else(|| base.clone());
    if let Some(propagation) = &given.propagation {
        settings.propagation = propagation.clone();
    }
    if let Some(agent) = &given.agent {
        agent.turn(&mut settings.agent);
    }
    settings
}
