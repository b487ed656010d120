//! The twin: listeners that answer as Amazon's agent does.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use emu_core::{Clock, Event, Journal, journal::PodRef, settings::AgentSettings};
use tokio::sync::watch;

use crate::{
    cache::Retriever,
    credentials::NodeCredentials,
    eks_auth::{EksAuth, Endpoint, SdkSettings},
    faults::AgentFaults,
    handler::{Credentials, Face, PodOf},
    http::{self, Server},
    local_validation::{KeySource, LocalValidation},
    log::{Level, Log},
    metrics::Metrics,
    profile::{Profile, UnknownProfile},
};

/// How long a shutdown waits for requests under way. Source: the agent.
const SHUTDOWN: Duration = Duration::from_secs(35);

/// A socket to serve, and what it stands for.
#[derive(Debug)]
pub struct TwinListener {
    /// A listening socket, wherever it is: in another network namespace, say.
    pub socket: TcpListener,
    /// The address pods believe to call, such as `169.254.170.23`. Listeners of one address share handler, client and
    /// cache; different addresses share nothing, as with Amazon's agent.
    pub address: String,
    /// The pod, if the socket is in one's network namespace.
    pub pod: Option<PodRef>,
}

impl TwinListener {
    /// A listener for everybody; its address is the family's.
    pub fn new(socket: TcpListener) -> Self {
        let v6 = socket.local_addr().is_ok_and(|address| address.is_ipv6());
        let address = if v6 {
            "[fd00:ec2::23]"
        } else {
            "169.254.170.23"
        };
        Self {
            socket,
            address: address.into(),
            pod: None,
        }
    }

    /// The same, in a pod's network namespace.
    #[must_use]
    pub fn in_pod(mut self, pod: PodRef) -> Self {
        self.pod = Some(pod);
        self
    }
}

/// Names a listener that was added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ListenerId(u64);

/// How a twin is made.
pub struct TwinConfig {
    /// The first listeners; more can be added.
    pub listeners: Vec<TwinListener>,
    /// `--cluster-name`.
    pub cluster: String,
    /// Where EKS Auth is.
    pub endpoint: Endpoint,
    /// The region and the number of attempts.
    pub sdk: SdkSettings,
    /// The node's keys.
    pub credentials: Arc<dyn NodeCredentials>,
    /// Profile, retention, cache size and renewal rate.
    pub settings: AgentSettings,
    /// The clock for tokens, credentials, renewals and pauses.
    pub clock: Clock,
    /// Where requests and log lines are written down.
    pub journal: Option<Journal>,
    /// The node's name, for the journal.
    pub node: String,
    /// Which pod calls from an address, where the listener does not tell.
    pub pod_of: Option<PodOf>,
    /// What goes wrong.
    pub faults: Option<Arc<dyn AgentFaults>>,
    /// Profile 0.2: the cluster's public keys. Without it rotated tokens always go to EKS Auth.
    pub keys: Option<Arc<dyn KeySource>>,
    /// How much is logged.
    pub log_level: Level,
    /// Whether the log goes to standard output.
    pub log_to_stdout: bool,
}

impl TwinConfig {
    /// A twin without listeners, with default settings, real time and no journal.
    pub fn new(
        cluster: impl Into<String>,
        endpoint: Endpoint,
        credentials: Arc<dyn NodeCredentials>,
    ) -> Self {
        Self {
            listeners: Vec::new(),
            cluster: cluster.into(),
            endpoint,
            sdk: SdkSettings::new("us-east-1"),
            credentials,
            settings: AgentSettings::default(),
            clock: Clock::new(),
            journal: None,
            node: String::new(),
            pod_of: None,
            faults: None,
            keys: None,
            log_level: Level::Info,
            log_to_stdout: false,
        }
    }
}

/// Why a twin could not start.
#[derive(Debug, thiserror::Error)]
pub enum TwinError {
    /// The settings name no profile.
    #[error(transparent)]
    Profile(#[from] UnknownProfile),
    /// Amazon's agent panics with this text.
    #[error(
        "Refresh QPS is too small ({qps}) or credentials renewal to small ({renewal:.2}s) to keep up with cache's size ({size})"
    )]
    RenewalTooSlow {
        /// `--max-service-qps`.
        qps: i64,
        /// `--max-credential-retention-before-renewal` in seconds.
        renewal: f64,
        /// `--max-cache-size`.
        size: usize,
    },
    /// A socket could not be used.
    #[error("the listener cannot be used: {0}")]
    Listener(#[from] io::Error),
}

/// A running twin. Dropping it stops it at once.
pub struct Twin {
    shared: Shared,
    addresses: Mutex<HashMap<String, Address>>,
    servers: Mutex<HashMap<ListenerId, (SocketAddr, Server)>>,
    next: AtomicU64,
    crashed: watch::Sender<Option<&'static str>>,
}

struct Address {
    credentials: Arc<Credentials>,
    sweep: Option<tokio::task::JoinHandle<()>>,
}

impl Drop for Address {
    fn drop(&mut self) {
        if let Some(sweep) = &self.sweep {
            sweep.abort();
        }
    }
}

/// What every address is made from.
struct Shared {
    config: TwinConfig,
    profile: Profile,
    metrics: Metrics,
    answered: Arc<AtomicU64>,
    log: Log,
    local: Option<Arc<LocalValidation>>,
}

impl Twin {
    /// Starts serving. Must be called inside a Tokio runtime.
    ///
    /// # Errors
    /// When the settings or a socket cannot be used.
    pub fn start(mut config: TwinConfig) -> Result<Self, TwinError> {
        let profile: Profile = config.settings.profile.parse()?;
        check_rate(&config.settings)?;
        let listeners = std::mem::take(&mut config.listeners);
        let log = Log {
            level: config.log_level,
            stdout: config.log_to_stdout,
            journal: config.journal.clone(),
            clock: config.clock.clone(),
            node: config.node.clone(),
        };
        let check_audience = !matches!(config.endpoint, Endpoint::Flag(_));
        let keys = config.keys.clone().filter(|_| profile == Profile::V0_2);
        let local = keys.map(|keys| Arc::new(LocalValidation::new(keys, check_audience)));
        if let Some(local) = local.clone() {
            let log = log.clone();
            tokio::spawn(async move {
                if let Err(e) = local.refresh().await {
                    let line = format_args!("failed to pre-populate public key cache: {e}");
                    log.write(Level::Info, &Vec::new(), line);
                }
            });
        }
        if let Some(journal) = &config.journal {
            journal.record(Event::AgentStarted {
                node: config.node.clone(),
                kind: "twin".into(),
                version: profile.as_str().into(),
            });
        }
        let twin = Self {
            shared: Shared {
                config,
                profile,
                metrics: Metrics::default(),
                answered: Arc::default(),
                log,
                local,
            },
            addresses: Mutex::default(),
            servers: Mutex::default(),
            next: AtomicU64::new(1),
            crashed: watch::Sender::new(None),
        };
        for listener in listeners {
            twin.add_listener(listener)?;
        }
        Ok(twin)
    }

    /// Serves one more socket.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn add_listener(&self, listener: TwinListener) -> io::Result<ListenerId> {
        listener.socket.set_nonblocking(true)?;
        let local = listener.socket.local_addr()?;
        let socket = tokio::net::TcpListener::from_std(listener.socket)?;
        let shared = self.credentials(&listener.address);
        let server = http::serve(
            socket,
            Arc::new(Face {
                shared,
                pod: listener.pod,
            }),
        );
        let id = ListenerId(self.next.fetch_add(1, Relaxed));
        lock(&self.servers).insert(id, (local, server));
        Ok(id)
    }

    /// Stops serving a socket at once. The cache of its address stays.
    pub fn remove_listener(&self, id: ListenerId) {
        drop(lock(&self.servers).remove(&id));
    }

    /// The local addresses served.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        let mut all: Vec<_> = lock(&self.servers)
            .iter()
            .map(|(id, (address, _))| (id.0, *address))
            .collect();
        all.sort_unstable();
        all.into_iter().map(|(_, address)| address).collect()
    }

    /// The page Amazon's agent serves at `/metrics`.
    pub fn metrics(&self) -> String {
        self.shared
            .metrics
            .render(self.shared.answered.load(Relaxed))
    }

    /// The profile it has.
    pub fn profile(&self) -> Profile {
        self.shared.profile
    }

    /// How many credentials are cached, over all addresses.
    pub fn cached(&self) -> usize {
        lock(&self.addresses)
            .values()
            .map(|address| address.credentials.retriever.len())
            .sum()
    }

    /// Resolves if a renewal panics, which ends Amazon's agent.
    pub async fn crashed(&self) -> &'static str {
        let mut crashed = self.crashed.subscribe();
        // Copied out: the future would not be `Send` with the guard in it.
        let reason = crashed
            .wait_for(Option::is_some)
            .await
            .map(|reason| *reason);
        match reason {
            Ok(Some(reason)) => reason,
            _ => std::future::pending().await,
        }
    }

    /// Stops accepting and waits for requests under way, for 35 seconds at most.
    ///
    /// # Errors
    /// When requests were still under way after that.
    pub async fn shut_down(&self) -> Result<(), tokio::time::error::Elapsed> {
        let servers: Vec<Server> = lock(&self.servers)
            .drain()
            .map(|(_, (_, server))| server)
            .collect();
        let mut stopping = tokio::task::JoinSet::new();
        for server in servers {
            stopping.spawn(server.shut_down(SHUTDOWN));
        }
        let mut outcome = Ok(());
        while let Some(stopped) = stopping.join_next().await {
            if let Ok(Err(elapsed)) = stopped {
                outcome = Err(elapsed);
            }
        }
        lock(&self.addresses).clear();
        if let Some(journal) = &self.shared.config.journal {
            journal.record(Event::AgentStopped {
                node: self.shared.config.node.clone(),
                reason: "shut down".into(),
            });
        }
        outcome
    }

    fn credentials(&self, address: &str) -> Arc<Credentials> {
        let mut addresses = lock(&self.addresses);
        if let Some(address) = addresses.get(address) {
            return Arc::clone(&address.credentials);
        }
        let made = self.shared.address(self.crashed.clone());
        let credentials = Arc::clone(&made.credentials);
        addresses.insert(address.into(), made);
        credentials
    }
}

impl Shared {
    fn address(&self, crashed: watch::Sender<Option<&'static str>>) -> Address {
        let config = &self.config;
        let auth = EksAuth::new(
            config.endpoint.clone(),
            config.sdk.clone(),
            Arc::clone(&config.credentials),
            config.clock.clone(),
            config.cluster.clone(),
            config.node.clone(),
            config.faults.clone(),
        );
        let settings = &config.settings;
        let retriever = Arc::new(Retriever::new(
            auth,
            self.profile,
            settings.max_credential_retention_before_renewal.get(),
            settings.max_cache_size,
            settings.max_service_qps,
            self.metrics.clone(),
            self.log.clone(),
            self.local.clone(),
        ));
        let sweep = retriever.caches().then(|| {
            let sweep = Arc::clone(&retriever).sweep();
            let (journal, node) = (config.journal.clone(), config.node.clone());
            tokio::spawn(async move {
                let reason = sweep.await;
                if let Some(journal) = journal {
                    journal.record(Event::AgentStopped {
                        node,
                        reason: format!("panic: {reason}"),
                    });
                }
                crashed.send_replace(Some(reason));
            })
        });
        Address {
            credentials: Arc::new(Credentials {
                retriever,
                limiter: Credentials::limiter(),
                journal: config.journal.clone(),
                pod_of: config.pod_of.clone(),
                answered: Arc::clone(&self.answered),
            }),
            sweep,
        }
    }
}

/// The check at which Amazon's agent panics on start.
fn check_rate(settings: &AgentSettings) -> Result<(), TwinError> {
    let renewal = settings.max_credential_retention_before_renewal.get();
    if renewal.is_zero() || settings.max_cache_size == 0 {
        return Ok(());
    }
    let qps = if settings.max_service_qps <= 0 {
        3
    } else {
        settings.max_service_qps
    };
    let capacity = (qps as u128).saturating_mul(u128::from(renewal.as_secs()));
    if capacity < (settings.max_cache_size / 2) as u128 {
        return Err(TwinError::RenewalTooSlow {
            qps,
            renewal: renewal.as_secs_f64(),
            size: settings.max_cache_size,
        });
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
