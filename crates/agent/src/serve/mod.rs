//! `emu agent serve`: the twin as a process, in the place of Amazon's agent and with its flags.

mod args;
mod events;
mod initialize;
mod keys;
mod netlink;
mod probe;

use std::{io, net::TcpListener, process::ExitCode, sync::Arc, time::Duration};

use emu_core::{Clock, Span, settings::AgentSettings};
use tokio::signal::unix::{SignalKind, signal};

pub use args::{AgentCommand, ServeArgs};

use crate::{
    Endpoint, NodeCredentials, SdkSettings, Twin, TwinConfig, TwinError, TwinListener,
    credentials::{DefaultChain, RotatingFile, profile_exists, region_of_profile},
    http,
    log::{Fields, Level, Log},
};

/// How long the probe and metrics listeners may take to stop.
const SHUTDOWN: Duration = Duration::from_secs(35);

/// Runs a sub-command of the agent. The exit codes are those of Amazon's agent.
pub async fn run(command: AgentCommand) -> ExitCode {
    match command {
        AgentCommand::Version { profile, .. } => {
            println!(
                "EKS Pod Identity Agent version {} (emu's twin)",
                profile.release()
            );
            ExitCode::SUCCESS
        }
        AgentCommand::Initialize {
            verbosity,
            any_link,
        } => match level(&verbosity) {
            Ok(level) => initialize::run(&log(level), any_link),
            Err(code) => code,
        },
        AgentCommand::Serve(args) => match level(&args.verbosity) {
            Ok(level) => serve(*args, level).await,
            Err(code) => code,
        },
    }
}

fn level(text: &str) -> Result<Level, ExitCode> {
    let time = Clock::of_machine()
        .now()
        .strftime("%Y/%m/%d %H:%M:%S")
        .to_string();
    match text.parse::<Level>() {
        Ok(level) => {
            eprintln!(
                "{time} Setting logging verbosity level to: {text} ({})",
                level as u8
            );
            Ok(level)
        }
        Err(e) => {
            eprintln!("{time} Setting logging verbosity level to: {text} (0)");
            eprintln!("{time} Invalid logging verbosity: {e}");
            Err(ExitCode::FAILURE)
        }
    }
}

fn log(level: Level) -> Log {
    Log {
        level,
        stdout: true,
        journal: None,
        clock: Clock::of_machine(),
        node: String::new(),
    }
}

/// Whether the SDK would accept its configuration.
fn is_configurable() -> bool {
    let mode = set("AWS_RETRY_MODE").is_none_or(|mode| matches!(&*mode, "standard" | "adaptive"));
    let bundle = set("AWS_CA_BUNDLE").is_none_or(|path| std::fs::metadata(path).is_ok());
    mode && bundle && profile_exists()
}

/// A variable that is set and not empty.
fn set(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

async fn serve(args: ServeArgs, level: Level) -> ExitCode {
    let log = log(level);
    let fatal = |message: String| {
        log.write(Level::Fatal, &Fields::new(), message);
        ExitCode::FAILURE
    };
    if !is_configurable() {
        return fatal("Unable to initialize aws configuration, exiting".into());
    }
    let max_attempts = match set("AWS_MAX_ATTEMPTS").map(|text| text.parse::<u32>()) {
        None | Some(Ok(0)) => 3,
        Some(Ok(attempts)) => attempts,
        Some(Err(_)) => return fatal("Unable to initialize aws configuration, exiting".into()),
    };
    let region = set("AWS_REGION")
        .or_else(|| set("AWS_DEFAULT_REGION"))
        .or_else(region_of_profile)
        .unwrap_or_default();
    let endpoint = Endpoint::from_environment(&args.endpoint, |name| std::env::var(name).ok());
    if !args.endpoint.is_empty() {
        let line = format_args!(
            "Overriding EKS Auth default endpoint with {}\n",
            args.endpoint
        );
        log.write(Level::Info, &Fields::new(), line);
    }
    let credentials: Arc<dyn NodeCredentials> = if args.rotate_credentials {
        let line = "Credentials rotation enabled. Creds will be fetched and rotated from shared credentials file";
        log.write(Level::Info, &Fields::new(), line);
        Arc::new(RotatingFile::from_environment(log.clock.clone()))
    } else {
        Arc::new(DefaultChain::new(&region))
    };
    let mut config = TwinConfig::new(&args.cluster_name, endpoint, credentials);
    config.sdk = SdkSettings {
        max_attempts,
        ..SdkSettings::new(region)
    };
    config.clock = log.clock.clone();
    if let Some((journal, node)) = events::journal(&log.clock) {
        config.journal = Some(journal);
        config.node = node;
    }
    config.log_level = level;
    config.log_to_stdout = true;
    config.settings = AgentSettings {
        profile: args.profile.as_str().into(),
        max_credential_retention_before_renewal: Span(Duration::from_nanos(
            args.retention.max(0) as u64
        )),
        // A negative size is no limit.
        max_cache_size: usize::try_from(args.max_cache_size).unwrap_or(2_000),
        max_service_qps: args.max_service_qps,
        max_attempts,
    };
    if args.profile == crate::Profile::V0_2 {
        match keys::InCluster::from_environment() {
            Ok(keys) => config.keys = Some(Arc::new(keys)),
            Err(e) => {
                let line = format_args!(
                    "failed to initialize token validator: failed to initialize apiserver client: failed to build in-cluster config: {e}"
                );
                for _ in &args.bind_hosts {
                    log.write(Level::Info, &Fields::new(), line);
                }
            }
        }
    }
    let twin = match Twin::start(config) {
        Ok(twin) => Arc::new(twin),
        Err(e @ TwinError::RenewalTooSlow { .. }) => {
            eprintln!("panic: {e}");
            return ExitCode::from(2);
        }
        Err(e) => return fatal(e.to_string()),
    };
    match listen(&args, &twin, &log) {
        Ok(others) => until_told(&twin, others, &log).await,
        Err((address, e)) => fatal(format!(
            "Unable to start server: listen tcp {address}: bind: {}",
            errno(&e)
        )),
    }
}

/// Go's words for an error of the system's.
fn errno(e: &io::Error) -> String {
    let text = e.to_string();
    let bare = text.split(" (os error").next().unwrap_or_default();
    let mut letters = bare.chars();
    letters
        .next()
        .map(|first| first.to_lowercase().chain(letters).collect())
        .unwrap_or_default()
}

fn listen(
    args: &ServeArgs,
    twin: &Arc<Twin>,
    log: &Log,
) -> Result<Vec<http::Server>, (String, io::Error)> {
    let bind = |address: String| {
        let fields = vec![("bind-addr", address.clone())];
        log.write(
            Level::Info,
            &fields,
            format_args!("Pod Identity Agent version {}", args.profile.release()),
        );
        log.write(Level::Info, &fields, "Starting server...");
        TcpListener::bind(&address).map_err(|e| (address, e))
    };
    for host in &args.bind_hosts {
        let socket = bind(format!("{host}:{}", args.port))?;
        let listener = TwinListener {
            socket,
            address: host.clone(),
            pod: None,
        };
        twin.add_listener(listener).map_err(|e| (host.clone(), e))?;
    }
    let mut others = Vec::new();
    for (address, routes) in [
        (format!("localhost:{}", args.probe_port), probe::PROBE),
        (
            format!("{}:{}", args.metrics_address, args.metrics_port),
            probe::METRICS,
        ),
    ] {
        let hosts = args
            .bind_hosts
            .iter()
            .map(|host| format!("{host}:{}", args.port))
            .collect();
        let probe = probe::Probe::new(routes, hosts, Arc::clone(twin), log.clone());
        let socket = bind(address.clone())?;
        let socket = socket
            .set_nonblocking(true)
            .and_then(|()| tokio::net::TcpListener::from_std(socket));
        others.push(http::serve(
            socket.map_err(|e| (address, e))?,
            Arc::new(probe),
        ));
    }
    Ok(others)
}

async fn until_told(twin: &Twin, others: Vec<http::Server>, log: &Log) -> ExitCode {
    let (Ok(mut term), Ok(mut int)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        return ExitCode::FAILURE;
    };
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        reason = twin.crashed() => {
            eprintln!("panic: {reason}");
            return ExitCode::from(2);
        }
    }
    log.write(Level::Info, &Fields::new(), "Shutting down server...");
    let mut stopping = tokio::task::JoinSet::new();
    for server in others {
        stopping.spawn(server.shut_down(SHUTDOWN));
    }
    let stopped = twin.shut_down().await;
    let rest = stopping.join_all().await;
    if stopped.is_err() || rest.iter().any(Result::is_err) {
        log.write(
            Level::Fatal,
            &Fields::new(),
            "Server shutdown error: context deadline exceeded",
        );
        return ExitCode::FAILURE;
    }
    log.write(Level::Info, &Fields::new(), "Server gracefully stopped");
    ExitCode::SUCCESS
}
