//! `emu webhook serve`: a drop-in for the original.

use std::{
    io::{self, Write as _},
    net::SocketAddr,
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use emu_core::{Clock, Ids};
use kube::{
    Client, Config,
    config::{KubeConfigOptions, Kubeconfig},
};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    sync::watch,
};

use crate::{
    AccountDefaults, ListedIdentities, MutationSettings, Mutator, ServeArgs, ServiceAccounts,
    flags::VERSION,
    instance::home,
    klog,
    secret::SecretCertificate,
    server::{
        CertificateFiles, Metrics, MetricsRoutes, Running, TlsFlagError, TlsFlags, WebhookRoutes,
        tls_config,
    },
    settings::{PodIdentitySettings, at_least_minimum},
    watch::{ConfigMapCrash, Follow, IdentitiesFile, follow_accounts, follow_config_map},
};

/// How long requests under way may take when the server stops.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// How long the first lists may hold up listening. The original listens at once and does not mutate until it has them;
/// a cluster that answers loses nothing by this wait, and one that does not is not waited for.
const FIRST_LISTS: Duration = Duration::from_secs(2);

/// What ends the server otherwise than by a signal.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No way to the API server.
    #[error("Error creating config: {0}")]
    Config(String),
    /// No client for the API server.
    #[error("Error creating clientset: {0}")]
    Client(#[source] kube::Error),
    /// The instance's metadata are needed and not there.
    #[error("Error getting instance identity document: {0}")]
    Instance(String),
    /// The identities file's directory cannot be watched.
    #[error("Error starting watcher on file {path}: {source}")]
    Identities {
        /// The flag's text.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// A TLS flag.
    #[error(transparent)]
    TlsFlag(#[from] TlsFlagError),
    /// The serving certificate cannot be read.
    #[error("Error initializing certwatcher: {0}")]
    Certificate(#[source] io::Error),
    /// The TLS configuration.
    #[error("Error initializing TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// A port cannot be listened on.
    #[error("Error listening: \"listen tcp :{port}: {source}\"")]
    Listen {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// A ConfigMap that crashes the original.
    #[error("panic: {0}")]
    Crash(#[from] ConfigMapCrash),
    /// Signals cannot be waited for.
    #[error("signals: {0}")]
    Signals(#[source] io::Error),
}

impl ServeError {
    /// What the original exits with: 2 for a panic, else klog's 255.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Crash(_) => 2,
            _ => 255,
        }
    }
}

/// Serves until SIGTERM or SIGINT; a second one ends the process at once, with status 1. What the original calls fatal
/// is printed to standard error. Gives what to exit with.
pub async fn serve(args: ServeArgs) -> ExitCode {
    match try_serve(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody to tell if standard error is closed.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// The same; errors are the caller's to print, and to exit on with [`ServeError::exit_code`].
pub async fn try_serve(args: ServeArgs) -> Result<(), ServeError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(ServeError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(ServeError::Signals)?;
    let (stop, stopped) = watch::channel(false);
    let signals = async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.send_replace(true);
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        std::process::exit(1);
    };
    tokio::select! {
        result = serve_until(args, stopped, |_| {}) => result,
        () = signals => Ok(()),
    }
}

/// Where the server listens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ports {
    /// HTTPS: `/mutate`.
    pub webhook: SocketAddr,
    /// HTTP: `/metrics`.
    pub metrics: SocketAddr,
}

/// The same, until `stopped` turns true. Tells where it listens once it does; a port of 0 is one the system chooses.
pub async fn serve_until(
    args: ServeArgs,
    stopped: watch::Receiver<bool>,
    ready: impl FnOnce(Ports) + Send,
) -> Result<(), ServeError> {
    if args.show_version {
        // Nobody to tell if standard output is closed.
        let _ = writeln!(io::stdout(), "{VERSION}");
        return Ok(());
    }
    let clock = Clock::new();
    klog::init(args.verbosity, clock.clone());
    let client = client(&args).await?;

    let accounts = Arc::new(ServiceAccounts::new(AccountDefaults {
        annotation_prefix: args.annotation_prefix.clone(),
        audience: args.token_audience.clone(),
        regional_sts: args.sts_regional_endpoint,
        token_expiration: at_least_minimum(args.token_expiration),
        compose_role_arn: if args.compose_role_arn {
            Some(home().await.map_err(ServeError::Instance)?)
        } else {
            None
        },
    }));
    let identities = Arc::new(ListedIdentities::default());
    let mutator = Mutator::new(
        settings(&args),
        identities.clone(),
        accounts.clone(),
        Ids::random(),
    )
    .with_clock(clock.clone());

    let path = &args.watch_container_credentials_config;
    let identities_file = if path.is_empty() {
        None
    } else {
        tracing::info!("Watching container credentials config file {path}");
        let file =
            IdentitiesFile::open(path, identities).map_err(|source| ServeError::Identities {
                path: path.clone(),
                source,
            })?;
        Some(file)
    };
    let tls_flags = TlsFlags::parse(&args.tls_cipher_suites, &args.tls_min_version)?;
    let files = if args.in_cluster {
        None
    } else {
        let (certificate, key) = (Path::new(&args.tls_cert), Path::new(&args.tls_key));
        Some(CertificateFiles::open(certificate, key).map_err(ServeError::Certificate)?)
    };
    let secret = Arc::new(SecretCertificate::default());
    let tls = match &files {
        Some(files) => tls_config(tls_flags, files.clone())?,
        None => tls_config(tls_flags, secret.clone())?,
    };

    let (accounts_listed, accounts_synced) = watch::channel(false);
    let (map_listed, map_synced) = watch::channel(!args.watch_config_map);
    let follow = Follow {
        annotation_prefix: args.annotation_prefix.clone(),
        resync: resync(args.resync_period),
        fetch: !args.service_account_lookup_grace_period.is_zero(),
    };
    let followers = async {
        let accounts_watch = follow_accounts(
            client.clone(),
            accounts.clone(),
            follow,
            clock.clone(),
            accounts_listed,
        );
        let map_watch = async {
            if !args.watch_config_map {
                return std::future::pending().await;
            }
            tracing::info!(
                "Watching ConfigMap pod-identity-webhook in {} namespace",
                args.namespace
            );
            let resync = resync(args.resync_period);
            let (client, accounts, clock) = (client.clone(), accounts.clone(), clock.clone());
            follow_config_map(client, &args.namespace, accounts, resync, clock, map_listed).await
        };
        let file_watch = async {
            if let Some(file) = identities_file {
                file.follow(clock.clone()).await;
            }
        };
        let certificate_watch = async {
            match files {
                Some(files) => {
                    if let Err(error) = files.follow().await {
                        tracing::error!("certificate watch error: {error}");
                    }
                }
                None => {
                    secret
                        .follow(&client, &args.namespace, &args.tls_secret, &clock)
                        .await;
                }
            }
        };
        let endless = async { tokio::join!(accounts_watch, file_watch, certificate_watch) };
        tokio::select! {
            crash = map_watch => crash,
            _ = endless => std::future::pending().await,
        }
    };
    let synced = [accounts_synced, map_synced];
    let servers = run(&args, mutator, tls, synced, stopped, ready);
    tokio::select! {
        crash = followers => Err(crash.into()),
        result = servers => result,
    }
}

/// Listens on both ports until `stopped` turns true.
async fn run(
    args: &ServeArgs,
    mutator: Mutator,
    tls: rustls::ServerConfig,
    synced: [watch::Receiver<bool>; 2],
    mut stopped: watch::Receiver<bool>,
    ready: impl FnOnce(Ports) + Send,
) -> Result<(), ServeError> {
    tracing::info!("Creating server");
    let first_lists = async {
        for mut synced in synced {
            // A follower that is gone will not list any more.
            let _ = synced.wait_for(|synced| *synced).await;
        }
    };
    tokio::select! {
        _ = tokio::time::timeout(FIRST_LISTS, first_lists) => {}
        _ = stopped.wait_for(|stopped| *stopped) => return Ok(()),
    }
    let metrics = Arc::new(Metrics::default());
    let listening = |port| move |source| ServeError::Listen { port, source };
    let metrics_server = Running::start(
        listen(args.metrics_port).map_err(listening(args.metrics_port))?,
        None,
        Arc::new(MetricsRoutes {
            mutator: mutator.clone(),
            metrics: metrics.clone(),
            debug: args.enable_debugging_handlers,
        }),
    )
    .map_err(listening(args.metrics_port))?;
    tracing::info!("Listening on :{} for metrics", args.metrics_port);
    let server = Running::start(
        listen(args.port).map_err(listening(args.port))?,
        Some(Arc::new(tls)),
        Arc::new(WebhookRoutes {
            mutator,
            metrics,
            observer: None,
            debug: args.enable_debugging_handlers,
            endpoint: None,
        }),
    )
    .map_err(listening(args.port))?;
    tracing::info!("Listening on :{}", args.port);
    ready(Ports {
        webhook: server.local_addr(),
        metrics: metrics_server.local_addr(),
    });

    // Whoever could stop us is gone: stop.
    let _ = stopped.wait_for(|stopped| *stopped).await;
    tracing::info!("Context cancelled, beginning graceful shutdown");
    let (webhook, metrics) =
        tokio::join!(server.shutdown(SHUTDOWN), metrics_server.shutdown(SHUTDOWN));
    for (name, graceful) in [("Webhook", webhook), ("Metrics", metrics)] {
        if graceful {
            tracing::info!("{name} server shutdown gracefully");
        } else {
            tracing::error!(
                "{name} server shutdown error: graceful server shutdown failed, server has been force closed"
            );
        }
    }
    Ok(())
}

/// Listens on every address, IPv6's and IPv4's, or on IPv4's alone where there is no IPv6.
fn listen(port: u16) -> io::Result<TcpListener> {
    let listener =
        std::net::TcpListener::bind(SocketAddr::from(([0_u16; 8], port))).or_else(|error| {
            match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                _ => std::net::TcpListener::bind(SocketAddr::from(([0_u8; 4], port))),
            }
        })?;
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// A resync more often than every second is one every second.
fn resync(period: Duration) -> Duration {
    if period.is_zero() {
        period
    } else {
        period.max(Duration::from_secs(1))
    }
}

fn settings(args: &ServeArgs) -> MutationSettings {
    MutationSettings {
        annotation_prefix: args.annotation_prefix.clone(),
        irsa_mount_path: args.token_mount_path.clone(),
        region: args.aws_default_region.clone(),
        pod_identity: PodIdentitySettings {
            audience: args.container_credentials_audience.clone(),
            mount_path: args.container_credentials_token_mount_path.clone(),
            volume_name: args.container_credentials_token_volume_name.clone(),
            token_path: args.container_credentials_token_path.clone(),
            full_uri: args.container_credentials_full_uri.clone(),
        },
        grace_period: args.service_account_lookup_grace_period,
    }
}

/// The client the flags describe: in the cluster if there are none, else the kubeconfig, its server overridden.
async fn client(args: &ServeArgs) -> Result<Client, ServeError> {
    let bad = |error: &dyn std::fmt::Display| ServeError::Config(error.to_string());
    let mut config = if args.kubeconfig.is_empty() && args.kube_api.is_empty() {
        tracing::warn!(
            "Neither --kubeconfig nor --master was specified.  Using the inClusterConfig.  This might not work."
        );
        Config::incluster().map_err(|e| {
            bad(&format!(
                "invalid configuration: no configuration has been provided, try setting KUBERNETES_MASTER environment \
                 variable ({e})"
            ))
        })?
    } else if args.kubeconfig.is_empty() {
        Config::new(
            args.kube_api
                .parse()
                .map_err(|e: http::uri::InvalidUri| bad(&e))?,
        )
    } else {
        let kubeconfig = Kubeconfig::read_from(&args.kubeconfig).map_err(|e| bad(&e))?;
        Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default())
            .await
            .map_err(|e| bad(&e))?
    };
    if !args.kube_api.is_empty() {
        config.cluster_url = args
            .kube_api
            .parse()
            .map_err(|e: http::uri::InvalidUri| bad(&e))?;
    }
    Client::try_from(config).map_err(ServeError::Client)
}
