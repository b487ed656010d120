//! From nothing to a ready node.

use std::{
    fs::File,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::Path,
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::net::{UnixDatagram, UnixListener};

use super::{
    Error, Node,
    cgroup::Hierarchies,
    config::Config,
    entry,
    forward::{Forward, Target},
    init,
    launch::Launched,
    link::{Link, tail, within},
    netns::Inside,
    pki::{self, Pki},
    platform,
    processes::{PAUSE_IMAGE, Processes, prepare},
    protocol::Plan,
    run_dir::{RunDir, sweep, write_json},
};
use crate::{image, kubernetes};

/// When what was reached, counted from the call of [`Node::start`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Timings {
    marks: Vec<(&'static str, Duration)>,
}

impl Timings {
    /// All marks in order: what was reached, and after which time.
    pub fn marks(&self) -> &[(&'static str, Duration)] {
        &self.marks
    }

    /// The time of one mark: `namespaces`, `containerd`, `images`, `api-server`, `ready`.
    pub fn of(&self, mark: &str) -> Option<Duration> {
        self.marks
            .iter()
            .find_map(|(name, time)| (*name == mark).then_some(*time))
    }
}

/// The processes without which there is no node.
pub(super) const ESSENTIAL: [&str; 6] = [
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "containerd",
];

impl Node {
    /// Starts a node and waits until it is Ready.
    ///
    /// # Errors
    /// When something is missing on this machine, a process ends, or the deadline passes. Nothing is left behind then.
    pub async fn start(config: Config) -> Result<Self, Error> {
        let began = Instant::now();
        check(&config)?;
        sweep(&config.run_root)?;
        let run = RunDir::create(&config.run_root)?;
        let cgroups = Hierarchies::plan(&format!("emu-{}", run.id()))?;
        run.write_record(&cgroups)?;
        let mut built = Built {
            cgroups,
            launched: None,
            run: Some(run),
        };
        let limit = config.deadline;
        let started = start(config, began, &mut built);
        let result = match tokio::time::timeout(limit, started).await {
            Ok(result) => result,
            Err(_) => Err(Error::Late {
                what: "the node's start".into(),
                after: limit,
                hint: String::new(),
            }),
        };
        match result {
            Ok(parts) => Ok(Self::from_parts(parts, built)),
            Err(error) => {
                built.tear_down();
                Err(error)
            }
        }
    }
}

/// What must be taken down again, whatever happens.
pub(super) struct Built {
    pub(super) cgroups: Hierarchies,
    pub(super) launched: Option<Box<dyn Launched>>,
    pub(super) run: Option<RunDir>,
}

impl Drop for Built {
    fn drop(&mut self) {
        self.tear_down();
    }
}

/// What a started node consists of besides.
pub(super) struct Parts {
    pub(super) config: Config,
    pub(super) link: Arc<Link>,
    pub(super) inside: Inside,
    pub(super) api: Forward,
    pub(super) inward: Vec<Forward>,
    pub(super) kubeconfig: std::path::PathBuf,
    pub(super) client: kube::Client,
    pub(super) pki: Pki,
    pub(super) timings: Timings,
}

fn check(config: &Config) -> Result<(), Error> {
    if let Some(missing) = platform::missing().first() {
        return Err(Error::Unavailable(format!(
            "{} is missing ({})",
            missing.what, missing.remedy
        )));
    }
    for name in kubernetes::install::REQUIRED {
        let path = config.binaries.join(name);
        if !path.exists() {
            return Err(Error::Unavailable(format!(
                "{} is missing (emu kubernetes install)",
                path.display()
            )));
        }
    }
    Ok(())
}

async fn start(config: Config, began: Instant, built: &mut Built) -> Result<Parts, Error> {
    let mut timings = Timings::default();
    let mut mark = |name| timings.marks.push((name, began.elapsed()));
    let run = match &built.run {
        Some(run) => run.path().to_owned(),
        None => return Err(Error::Inside("no run directory".into())),
    };
    let pki_folder = run.join("pki");
    let (preparing, preparing_run) = (config.clone(), run.clone());
    let prepared = tokio::task::spawn_blocking(move || prepare(&preparing, &preparing_run));

    let processes = Processes {
        config: &config,
        run: &run,
        pki: &pki_folder,
    };
    processes.write_files()?;
    let pause = run.join("pause.tar");
    image::pause(PAUSE_IMAGE)
        .write_archive(&pause)
        .map_err(|e| Error::Inside(format!("writing the pause image: {e}")))?;

    let link = launch(&config, &run, built).await?;
    let inside = Inside::of(link.pid).map_err(Error::system("opening the node's namespaces"))?;
    mark("namespaces");

    let containerd_ready = notified(&processes, "containerd")?;
    let etcd_ready = notified(&processes, "etcd")?;
    let api_ready = notified(&processes, "kube-apiserver")?;
    link.spawn(processes.etcd()).await?;
    link.spawn(processes.containerd()).await?;

    let mut inward = Vec::new();
    for one in &config.inward {
        let listener = inside
            .listen(one.inside)
            .map_err(Error::system(format!("listening on {} inside", one.inside)))?;
        inward.push(
            Forward::start(listener, Target::Host(one.host))
                .map_err(Error::system("starting a forwarder"))?,
        );
    }
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .map_err(Error::system("listening on the host's loopback"))?;
    let target = Target::Inside(inside.clone(), config.addresses.api_server());
    let api = Forward::start(listener, target).map_err(Error::system("starting a forwarder"))?;

    let pki = prepared
        .await
        .map_err(|e| Error::Certificate(e.to_string()))??;
    drop(etcd_ready);
    link.spawn(processes.api_server()).await?;
    let server = format!("https://{}", api.address());
    let text = pki::kubeconfig(&context(&run), &server, &pki.authority, &pki.admin)?;
    let kubeconfig = run.join("kubeconfig");
    pki::write_file(&kubeconfig, &text)?;
    let client = kubernetes::client_from(&text).await?;

    // While the API server starts: images.
    let images = async {
        ready(&containerd_ready).await?;
        let containerd = began.elapsed();
        for (number, archive) in std::iter::once(&pause).chain(&config.images).enumerate() {
            link.run(processes.import(&format!("import-{number}"), archive))
                .await?;
        }
        Ok::<_, Error>((containerd, began.elapsed()))
    };
    let control = async {
        ready(&api_ready).await?;
        kubernetes::api_ready(&client).await?;
        let api = began.elapsed();
        link.spawn(processes.kubelet()).await?;
        link.spawn(processes.controller_manager()).await?;
        link.spawn(processes.scheduler()).await?;
        Ok::<_, Error>(api)
    };
    let up = async {
        let ((containerd, images), api) = tokio::try_join!(images, control)?;
        timings.marks.push(("containerd", containerd));
        timings.marks.push(("images", images));
        timings.marks.push(("api-server", api));
        kubernetes::node_ready(&client, &config.name).await?;
        timings.marks.push(("ready", began.elapsed()));
        Ok::<_, Error>(())
    };
    tokio::select! {
        result = up => result?,
        error = link.any_ends(&ESSENTIAL) => return Err(error),
    }
    Ok(Parts {
        config,
        link,
        inside,
        api,
        inward,
        kubeconfig,
        client,
        pki,
        timings,
    })
}

/// A name for the kubeconfig's context that tells nodes apart.
fn context(run: &Path) -> String {
    let id = run.file_name().unwrap_or_default().to_string_lossy();
    format!("emu-{id}")
}

async fn launch(config: &Config, run: &Path, built: &mut Built) -> Result<Arc<Link>, Error> {
    let plan = Plan {
        run_dir: run.to_owned(),
        name: config.name.clone(),
        addresses: config.addresses.clone(),
        cgroups: built.cgroups.clone(),
        agent_link: config.agent_link,
    };
    write_json(&run.join(init::PLAN), &plan)?;
    built.cgroups.create()?;
    let socket = run.join(init::SOCKET);
    let listener = UnixListener::bind(&socket).map_err(Error::file("listening at", &socket))?;
    entry::keep_constructor();
    let program = match &config.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(Error::system("finding this program"))?,
    };
    let log_path = run.join("log").join("init.log");
    let log = File::create(&log_path).map_err(Error::file("making", &log_path))?;
    let mut command = Command::new(program);
    command
        .arg0("emu-node")
        .arg(run)
        .env_clear()
        .env("PATH", platform::PATH)
        .env(entry::MARK, run)
        .current_dir("/");
    built.launched = Some(
        config
            .launcher
            .launch(command, log)
            .map_err(Error::system("starting the node's first process"))?,
    );
    let accepting = within(
        Duration::from_secs(20),
        "the start of the node's first process",
        &log_path,
        Link::accept(listener, &log_path),
    );
    tokio::pin!(accepting);
    loop {
        tokio::select! {
            link = &mut accepting => return link,
            // An early death of the first process closes nothing that we hold yet.
            () = tokio::time::sleep(Duration::from_millis(200)) => {
                if let Some(launched) = &mut built.launched
                    && launched.ended().unwrap_or(true)
                {
                    return Err(Error::Inside(tail(&log_path)));
                }
            }
        }
    }
}

/// The socket at which a process of the node says that it is ready.
fn notified(processes: &Processes<'_>, name: &str) -> Result<UnixDatagram, Error> {
    let path = processes.notify_socket(name);
    UnixDatagram::bind(&path).map_err(Error::file("listening at", path))
}

/// Waits for `READY=1`.
async fn ready(socket: &UnixDatagram) -> Result<(), Error> {
    let mut buffer = [0; 1024];
    loop {
        let length = socket
            .recv(&mut buffer)
            .await
            .map_err(Error::system("waiting for a process to be ready"))?;
        let text = String::from_utf8_lossy(&buffer[..length]);
        if text.lines().any(|line| line == "READY=1") {
            return Ok(());
        }
    }
}
