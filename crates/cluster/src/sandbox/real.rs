//! Amazon's own agent on a node: in the node's network namespace it binds the true addresses itself, takes its keys from
//! the node's metadata and finds EKS Auth where the emulator is.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use emu_core::{Event, Journal, exchanges::Arrival, journal::PodRef};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::watch,
};

use super::{
    agent::{Agent, Family, LastWords, bound},
    config::Imds,
    dial::Dialer,
    gate::{Door, Gate, loopback_socket},
    imds::MetadataView,
    node::{AgentNeeds, Node, Up},
    pod::METADATA,
    relay::Target,
    space::{self, Entry, Shown, Space, SpacePlan},
    watch::Watched,
};
use crate::kubernetes::agent_words::{behaviour, environment};

/// How long the agent may take to listen, in real time.
const START: Duration = Duration::from_secs(10);

/// The pause between two looks at whether it listens, in real time.
const LOOK: Duration = Duration::from_millis(5);

/// Starts the agent and waits until it listens, or has ended.
pub(super) async fn start(
    node: &Node,
    binary: &Path,
    needs: &AgentNeeds,
) -> io::Result<Result<Up, LastWords>> {
    let place = match needs.isolation.is_true() {
        true => Place::in_namespaces(node, needs).await?,
        false => Place::on_loopback(node, needs).await?,
    };
    let mut entry = Entry::new(place.space.clone(), Path::new("/"))?;
    entry.own_group = true;
    let settings = node.spec.agent.settings.as_ref();
    let settings = settings.unwrap_or(&needs.config.agent);
    let mut command = Command::new(binary);
    command
        .args(&place.args)
        .args(behaviour(settings))
        .args(&node.spec.agent.args)
        .env_clear()
        .envs(&place.env)
        .envs(environment(settings))
        .envs(&node.spec.agent.env)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    entry.apply(command.as_std_mut());
    if let Some(group) = &needs.group {
        group.prepare(command.as_std_mut());
    }
    let version = emu_agent::asked_version(binary).await.unwrap_or_default();
    let mut child = needs.spawner.spawn(command).await?;
    let (stop, mut stopped) = watch::channel(false);
    let (ended, mut end) = watch::channel(None::<String>);
    let log = Log {
        node: node.spec.name.clone(),
        journal: needs.config.journal.clone(),
        last: Arc::default(),
    };
    let tell = Arc::clone(&needs.ended);
    let (up, mut is_up) = watch::channel(false);
    tokio::spawn(async move {
        let readers = log.follow(&mut child);
        let status = tokio::select! {
            status = child.wait() => status,
            _ = stopped.changed() => {
                let _ = child.start_kill();
                let _ = child.wait().await;
                return;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(1), readers.join_all()).await;
        let words = log.last_words(status);
        ended.send_replace(Some(words.clone()));
        if *is_up.borrow_and_update() {
            tell(LastWords(words));
        }
    });
    let dialer = Arc::new(Dialer::new(place.space.clone()));
    let listening = async {
        for address in &place.listens {
            while dialer.connect(address.1).await.is_err() {
                tokio::time::sleep(LOOK).await;
            }
        }
    };
    let in_time = tokio::select! {
        words = end.wait_for(Option::is_some) => {
            let words = words.ok().and_then(|w| w.clone()).unwrap_or_default();
            return Ok(Err(LastWords(words)));
        }
        listening = tokio::time::timeout(START, listening) => listening,
    };
    if in_time.is_err() {
        return Err(io::Error::new(
            io::ErrorKind::TimedOut,
            "it does not listen, though it runs",
        ));
    }
    up.send_replace(true);
    Ok(Ok(Up {
        agent: Arc::new(Running {
            node: node.spec.name.clone(),
            journal: needs.config.journal.clone(),
            dialer,
            listens: place.listens,
            stop,
            _metadata: place.metadata,
        }),
        upstream: place.upstream,
        started: Some(("real", version)),
    }))
}

/// Where the agent runs.
struct Place {
    space: Option<Arc<Space>>,
    listens: Vec<(Family, SocketAddr)>,
    args: Vec<String>,
    env: BTreeMap<String, String>,
    upstream: Arc<Gate>,
    metadata: Option<Gate>,
}

impl Place {
    async fn in_namespaces(node: &Node, needs: &AgentNeeds) -> io::Result<Self> {
        let spec = &node.spec;
        let emulator = needs.config.emulator_in_pods;
        let metadata = SocketAddr::from((METADATA, 80));
        let mut addresses: Vec<IpAddr> = vec![super::agent::V4.into(), METADATA.into()];
        if spec.ipv6 && space::has_ipv6() {
            addresses.push(super::agent::V6.into());
        }
        if !emulator.ip().is_loopback() {
            addresses.push(emulator.ip());
        }
        let plan = SpacePlan {
            addresses,
            bind: vec![emulator, metadata],
            shown: nothing_of_the_users(needs),
        };
        let isolation = needs.isolation.clone();
        let (space, sockets) =
            tokio::task::spawn_blocking(move || Space::create(&isolation, &plan)).await??;
        let mut sockets = sockets.into_iter();
        let mut next = || sockets.next().ok_or(io::ErrorKind::UnexpectedEof);
        let upstream = node.upstream_gate(next()?, needs)?;
        let metadata = metadata_gate(node, next()?)?;
        let listens: Vec<_> = bound(&spec.agent.bind_hosts)
            .into_iter()
            .map(|family| (family, family.address(spec.agent.port)))
            .collect();
        let mut args = common_args(needs, spec.agent.port);
        for host in &spec.agent.bind_hosts {
            args.extend(["--bind-hosts".into(), host.clone()]);
        }
        Ok(Self {
            space: Some(Arc::new(space)),
            listens,
            args,
            env: common_env(needs, emulator),
            upstream,
            metadata: Some(metadata),
        })
    }

    /// Without namespaces: everything on free loopback ports, and keys that are handed over once.
    async fn on_loopback(node: &Node, needs: &AgentNeeds) -> io::Result<Self> {
        let free = || {
            Ok::<_, io::Error>(
                std::net::TcpListener::bind("127.0.0.1:0")?
                    .local_addr()?
                    .port(),
            )
        };
        let (port, probe, metrics) = (free()?, free()?, free()?);
        let upstream = node.upstream_gate(loopback_socket()?, needs)?;
        let mut args = common_args(needs, port);
        args.extend(
            [
                "--bind-hosts",
                "127.0.0.1",
                "--metrics-address",
                "127.0.0.1",
            ]
            .map(String::from),
        );
        args.extend(["--probe-port".into(), probe.to_string()]);
        args.extend(["--metrics-port".into(), metrics.to_string()]);
        let mut env = common_env(needs, upstream.address());
        env.insert("AWS_EC2_METADATA_DISABLED".into(), "true".into());
        for file in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            env.insert(file.into(), "/dev/null".into());
        }
        if let Some(keys) = needs.config.node_credentials.keys(&node.spec.name).await {
            env.insert("AWS_ACCESS_KEY_ID".into(), keys.access_key_id);
            env.insert("AWS_SECRET_ACCESS_KEY".into(), keys.secret_access_key);
            env.extend(keys.session_token.map(|t| ("AWS_SESSION_TOKEN".into(), t)));
        }
        Ok(Self {
            space: None,
            listens: vec![(Family::V4, ([127, 0, 0, 1], port).into())],
            args,
            env,
            upstream,
            metadata: None,
        })
    }
}

fn common_args(needs: &AgentNeeds, port: u16) -> Vec<String> {
    let port = port.to_string();
    [
        "server",
        "--cluster-name",
        &needs.config.name,
        "--port",
        &port,
    ]
    .map(String::from)
    .to_vec()
}

fn common_env(needs: &AgentNeeds, emulator: SocketAddr) -> BTreeMap<String, String> {
    let mut env = BTreeMap::from([
        ("AWS_REGION".to_owned(), needs.config.region.clone()),
        (
            "AWS_ENDPOINT_URL_EKS_AUTH".to_owned(),
            format!("http://{emulator}"),
        ),
    ]);
    for kept in ["PATH", "HOME", "TMPDIR"] {
        env.extend(std::env::var(kept).ok().map(|v| (kept.to_owned(), v)));
    }
    env
}

fn nothing_of_the_users(needs: &AgentNeeds) -> Vec<Shown> {
    let files = std::env::home_dir().map(|home| home.join(".aws"));
    let shown = files.filter(|f| f.is_dir()).map(|target| Shown {
        source: needs.empty.clone(),
        target,
        read_only: true,
    });
    shown.into_iter().collect()
}

fn metadata_gate(node: &Node, socket: std::os::fd::OwnedFd) -> io::Result<Gate> {
    // A node without a word on metadata has it, for itself.
    let view = Arc::new(MetadataView {
        metadata: Arc::clone(&node.metadata),
        imds: node.spec.imds.unwrap_or(Imds {
            enabled: true,
            hop_limit: 1,
        }),
        hops: 1,
    });
    let serve = move |arrival: Arrival| {
        let view = Arc::clone(&view);
        tokio::spawn(async move { view.serve(Box::new(arrival.serve())).await });
    };
    let gate = Gate::new(socket, node.clock.exchanges(), Arc::new(serve))?;
    gate.set(Door::Open)?;
    Ok(gate)
}

/// The agent's output, on its way into the journal.
#[derive(Clone)]
struct Log {
    node: String,
    journal: Journal,
    last: Arc<Mutex<String>>,
}

impl Log {
    fn follow(&self, child: &mut Child) -> tokio::task::JoinSet<()> {
        let mut readers = tokio::task::JoinSet::new();
        if let Some(out) = child.stdout.take() {
            readers.spawn(self.clone().lines(out));
        }
        if let Some(err) = child.stderr.take() {
            readers.spawn(self.clone().lines(err));
        }
        readers
    }

    async fn lines(self, pipe: impl AsyncRead + Unpin) {
        let mut lines = BufReader::new(pipe).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            let text = |name: &str| value.get(name).and_then(|v| v.as_str()).map(str::to_owned);
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) =
                text("msg").unwrap_or_else(|| line.clone());
            self.journal.record(Event::Log {
                component: "agent".into(),
                node: Some(self.node.clone()),
                level: text("level").unwrap_or_else(|| "info".into()),
                line,
            });
        }
    }

    fn last_words(&self, status: io::Result<std::process::ExitStatus>) -> String {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match (last.as_str(), status) {
            ("", Ok(status)) => status.to_string(),
            ("", Err(e)) => e.to_string(),
            (words, _) => words.to_owned(),
        }
    }
}

/// An agent that listens.
struct Running {
    node: String,
    journal: Journal,
    dialer: Arc<Dialer>,
    listens: Vec<(Family, SocketAddr)>,
    /// Dropped or written to, it ends the process.
    stop: watch::Sender<bool>,
    _metadata: Option<Gate>,
}

#[async_trait]
impl Agent for Running {
    fn answers(&self, family: Family) -> bool {
        self.listens.iter().any(|(f, _)| *f == family)
    }

    async fn target(&self, family: Family, pod: &PodRef) -> io::Result<Arc<dyn Target>> {
        let found = self.listens.iter().find(|(f, _)| *f == family);
        let (_, address) = found.ok_or(io::ErrorKind::ConnectionRefused)?;
        Ok(Arc::new(Watched {
            dialer: Arc::clone(&self.dialer),
            address: *address,
            node: self.node.clone(),
            pod: pod.clone(),
            journal: self.journal.clone(),
        }))
    }

    fn forget(&self, _pod: &PodRef) {}

    async fn stop(&self) {
        self.stop.send_replace(true);
        // The watcher holds the receiver until the process is gone.
        self.stop.closed().await;
    }
}
