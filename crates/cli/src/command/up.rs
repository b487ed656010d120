//! `emu up`.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    path::PathBuf,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use emu_cluster::ClusterKind;
use emu_core::{Event, Journal};
use emu_scenario::{
    given::Given,
    load::read_file,
    world::{World, WorldOptions},
};
use futures::{FutureExt as _, future::BoxFuture};
use http::{Method, Request, Response, StatusCode};
use miette::miette;
use rustix::event::{PollFd, PollFlags};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::Mutex,
};

use super::{clusters, external, world_options};
use crate::{args::UpArgs, descriptor, output};

pub(super) type Shared = Arc<Mutex<World>>;

/// Stays up until Ctrl-C.
pub(crate) async fn run(args: &UpArgs) -> miette::Result<ExitCode> {
    let mut options = world_options(&args.world);
    options.address = Some(args.addr);
    options.settings.lenient_roles = args.lenient_roles;
    options.endpoint_in_pods = !args.no_endpoint_in_pods;
    let given = match &args.file {
        Some(file) => read_file(file)
            .map_err(miette::Report::new)?
            .scenario
            .given
            .clone(),
        None => Given::default(),
    };
    // A cluster takes long to make, and to make for nothing.
    drop(World::listener(args.addr).map_err(|t| told(&t))?);
    let opened = external::open(&args.world, 1).await?;
    options.external = opened.as_ref().map(external::Opened::external);
    let outcome = stay_up(args, &options, &given).await;
    match opened {
        Some(opened) => outcome
            .and(opened.close().await)
            .map(|()| ExitCode::SUCCESS),
        None => outcome.map(|()| ExitCode::SUCCESS),
    }
}

async fn stay_up(args: &UpArgs, options: &WorldOptions, given: &Given) -> miette::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| miette!("signals: {e}"))?;
    let mut world = World::bare(options, given).await.map_err(|t| told(&t))?;
    let gateway = world.gateway().clone();
    let journal = world.journal().clone();
    let address = world.address();
    tell(address, &world.played_on());
    // A sandbox comes into being with its cluster, in an instant; a real cluster is what one wants to be there.
    if args.file.is_some() || options.kind != ClusterKind::Sandbox {
        let began = Instant::now();
        let starting = async {
            world.start_clusters(given).await?;
            world.establish(given).await
        };
        tokio::select! {
            outcome = starting => outcome.map_err(|t| told(&t))?,
            _ = tokio::signal::ctrl_c() => return Err(miette!("interrupted")),
            _ = terminate.recv() => return Err(miette!("interrupted")),
        }
        if options.external.is_some() {
            let took = began.elapsed().as_secs_f64();
            eprintln!("webhook and agent are installed and answer: {took:.1} s");
        }
    }
    let kubeconfigs: Vec<(String, PathBuf)> = world
        .clusters()
        .filter_map(|c| Some((c.name().to_owned(), c.kubeconfig()?)))
        .collect();
    let known: BTreeSet<String> = world.clusters().map(|c| c.name().to_owned()).collect();
    let shared: Shared = Arc::new(Mutex::new(world));
    gateway.extend(extension(&shared));
    gateway.on_reset(reset(&shared));
    gateway.set_ready(true);
    let follower = tokio::spawn(follow_clusters(Arc::clone(&shared), journal, known));
    advise(args, address, &kubeconfigs);
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
    follower.abort();
    gateway.set_ready(false);
    for cluster in shared.lock().await.clusters() {
        // The rest is taken down when this process ends.
        let _ = cluster.teardown().await;
    }
    gateway.stop(Duration::from_secs(2)).await;
    Ok(())
}

fn tell(address: SocketAddr, played_on: &str) {
    output::line(format_args!(
        "emu {} on http://{address} ({played_on})",
        env!("CARGO_PKG_VERSION")
    ));
    if !address.ip().is_loopback() {
        output::line(format_args!(
            "This address can be reached from other machines: everybody there has the administrator\u{2019}s key."
        ));
    }
}

/// What can be done now.
fn advise(args: &UpArgs, address: SocketAddr, kubeconfigs: &[(String, PathBuf)]) {
    let flag = if args.addr.port() == 4566 {
        String::new()
    } else {
        format!(" --addr {address}")
    };
    let line = |command: &str, what: &str| output::line(format_args!("  {command:<40}  {what}"));
    if args.world.cluster.kind == ClusterKind::Sandbox {
        line(
            &format!("eval \"$(emu env{flag})\""),
            "point AWS clients here",
        );
        line(
            &format!("emu exec{flag} NAMESPACE/ACCOUNT -- CMD"),
            "run a program as a pod",
        );
    } else {
        line(
            &format!("eval \"$(emu env{flag})\""),
            "point AWS clients and kubectl here",
        );
        line(
            &format!("emu kubernetes load{flag} FILE.tar"),
            "bring your images in",
        );
        for (name, path) in kubeconfigs {
            line(
                &format!("KUBECONFIG={}", path.display()),
                &format!("cluster {name}"),
            );
        }
    }
    output::line("Ready.");
}

fn told(trouble: &emu_scenario::run::Trouble) -> miette::Report {
    match &trouble.help {
        Some(help) => miette!(help = help.clone(), "{}", trouble.message),
        None => miette!("{}", trouble.message),
    }
}

/// Gives every cluster that EKS gets to know a place to run.
async fn follow_clusters(world: Shared, journal: Journal, mut known: BTreeSet<String>) {
    let mut written = journal.subscribe();
    let mut seen = 0;
    loop {
        written.mark_unchanged();
        for entry in journal.since(seen) {
            seen = entry.seq;
            match &entry.event {
                Event::ClusterCreated { cluster, .. } if known.insert(cluster.clone()) => {
                    if let Err(trouble) = run_cluster(&world, cluster).await {
                        eprintln!("cluster {cluster}: {trouble}");
                    }
                }
                Event::ClusterDeleted { cluster } => {
                    known.remove(cluster);
                    world.lock().await.forget_cluster(cluster).await;
                }
                _ => {}
            }
        }
        if written.changed().await.is_err() {
            return;
        }
    }
}

async fn run_cluster(world: &Shared, name: &str) -> Result<(), emu_scenario::run::Trouble> {
    let mut world = world.lock().await;
    let found = world.cloud().eks.find(world.cloud(), name);
    match found {
        Some((key, _)) => world.run_cluster(key, &[]).await,
        None => Ok(()),
    }
}

fn reset(world: &Shared) -> emu_gateway::Reset {
    let world = Arc::clone(world);
    Arc::new(move || {
        let world = Arc::clone(&world);
        async move {
            world.lock().await.forget_clusters().await;
            Ok(())
        }
        .boxed()
    })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ExecRequest {
    namespace: String,
    service_account: String,
    cluster: Option<String>,
    process: i32,
    /// A Unix socket at which the way onto the pod's clock is awaited.
    door: PathBuf,
}

fn extension(world: &Shared) -> emu_gateway::Extension {
    let world = Arc::clone(world);
    Arc::new(
        move |request: Request<Bytes>| -> BoxFuture<'static, Option<Response<Bytes>>> {
            let world = Arc::clone(&world);
            async move {
                let answered = match (request.method(), request.uri().path()) {
                    (&Method::POST, "/_emu/exec") => exec(&world, request.body()).await,
                    (&Method::GET, "/_emu/clusters") => Ok(clusters::list(&world).await),
                    (&Method::POST, "/_emu/images") => clusters::load(&world, request.body()).await,
                    _ => return None,
                };
                Some(match answered {
                    Ok(body) => answer(StatusCode::OK, &body),
                    Err(message) => answer(StatusCode::BAD_REQUEST, &json!({ "message": message })),
                })
            }
            .boxed()
        },
    )
}

async fn exec(world: &Shared, body: &[u8]) -> Result<Value, String> {
    let request: ExecRequest = serde_json::from_slice(body).map_err(|e| e.to_string())?;
    let process = rustix::process::Pid::from_raw(request.process)
        .ok_or("no such process")
        .and_then(|pid| {
            rustix::process::pidfd_open(pid, rustix::process::PidfdFlags::NONBLOCK)
                .map_err(|_| "the process cannot be watched; is it on this machine?")
        })
        .map_err(str::to_owned)?;
    let (pod, entrance, invitation) = world
        .lock()
        .await
        .visit(
            request.cluster.as_deref(),
            &request.namespace,
            &request.service_account,
        )
        .await
        .map_err(|t| match t.help {
            Some(help) => format!("{} ({help})", t.message),
            None => t.message,
        })?;
    let (world, name) = (Arc::clone(world), pod.clone());
    tokio::spawn(async move {
        // The thread ends with the visitor; nothing waits for it when we end first.
        let (sender, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            let mut watched = [PollFd::new(&process, PollFlags::IN)];
            let _ = rustix::event::poll(&mut watched, None);
            let _ = sender.send(());
        });
        let _ = ended.await;
        world.lock().await.leave(&name).await;
    });
    let tracer = invitation.as_ref().map(|invitation| invitation.tracer_id());
    if let Some(invitation) = &invitation {
        descriptor::send(&request.door, invitation.door())
            .map_err(|e| format!("the way onto the pod's clock cannot be handed on: {e}"))?;
    }
    Ok(json!({ "pod": pod, "entrance": entrance, "tracer": tracer }))
}

fn answer(status: StatusCode, body: &Value) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        http::header::CONTENT_TYPE,
        http::HeaderValue::from_static("application/json"),
    );
    response
}
