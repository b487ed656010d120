//! Starting, ending, and being killed.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use emu_cluster::{
    image::Image,
    kubernetes::pod::{await_pod, await_service_account, is_pod_ready},
    node::{Node, sweep},
};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, api::PostParams};
use serde_json::json;

use crate::{Outcome, block_on, config, host};

/// The image of this program.
pub(crate) const SELF_IMAGE: &str = "emu.local/self:1";

/// Writes an archive with this program as an image.
pub(crate) fn self_image(path: &Path) -> Outcome {
    Image::new(SELF_IMAGE)
        .program(&std::env::current_exe()?, "/self")?
        .entrypoint(["/self", "role"])
        .write_archive(path)?;
    Ok(())
}

/// Starts a node that has this program's image.
pub(crate) async fn start(root: &Path) -> Result<Node, Box<dyn std::error::Error>> {
    let archive = root.join("self.tar");
    if !archive.exists() {
        self_image(&archive)?;
    }
    let mut config = config()?;
    config.run_root = root.to_owned();
    config.images.push(archive);
    Ok(Node::start(config).await?)
}

/// A pod of this program in the namespace `default`.
pub(crate) fn pod(name: &str, words: &[&str]) -> Result<Pod, serde_json::Error> {
    serde_json::from_value(json!({
        "metadata": {"name": name},
        "spec": {"containers": [{"name": "main", "image": SELF_IMAGE, "imagePullPolicy": "Never", "args": words}]},
    }))
}

/// Creates a pod and waits until it is ready.
pub(crate) async fn run(node: &Node, pod: &Pod) -> Result<Pod, Box<dyn std::error::Error>> {
    let client = node.client();
    await_service_account(&client, "default", "default").await?;
    let api: Api<Pod> = Api::namespaced(client.clone(), "default");
    let made = api.create(&PostParams::default(), pod).await?;
    let name = made.metadata.name.clone().unwrap_or_default();
    let ready = await_pod(&client, "default", &name, is_pod_ready());
    tokio::time::timeout(Duration::from_secs(60), ready)
        .await??
        .ok_or_else(|| "the pod is gone".into())
}

pub(crate) fn starts_and_leaves_nothing() -> Outcome {
    block_on(async {
        let root = tempfile::tempdir()?;
        let before = host::state(root.path());
        let began = Instant::now();
        let node = start(root.path()).await?;
        for (mark, time) in node.timings().marks() {
            println!("{mark:12} {:.2} s", time.as_secs_f64());
        }
        run(&node, &pod("first", &["sleep"])?).await?;
        println!("first pod    {:.2} s", began.elapsed().as_secs_f64());
        let took = node.stop().await?;
        println!("teardown     {:.2} s", took.as_secs_f64());
        unchanged(&before, root.path())
    })?
}

fn unchanged(before: &host::State, root: &Path) -> Outcome {
    let difference = host::difference(before, &host::state(root));
    if difference.is_empty() {
        Ok(())
    } else {
        Err(format!("the host is not as it was:\n{difference}").into())
    }
}

pub(crate) fn two_at_once() -> Outcome {
    block_on(async {
        let root = tempfile::tempdir()?;
        let before = host::state(root.path());
        self_image(&root.path().join("self.tar"))?;
        let (one, two) = tokio::join!(start(root.path()), start(root.path()));
        let (one, two) = (one?, two?);
        let only = pod("only-here", &["sleep"])?;
        run(&one, &only).await?;
        let elsewhere: Api<Pod> = Api::namespaced(two.client(), "default");
        if elsewhere.get_opt("only-here").await?.is_some() {
            return Err("both nodes have the pod of one".into());
        }
        one.stop().await?;
        run(&two, &only).await?;
        // Dropping ends it as well.
        drop(two);
        unchanged(&before, root.path())
    })?
}

/// Starts a node and keeps it until standard input ends: `cargo test --test node -- up [ROOT]`.
pub(crate) fn up(root: Option<&str>) -> Outcome {
    block_on(async {
        let temporary = tempfile::tempdir()?;
        let root = root.map_or(temporary.path(), Path::new);
        println!("starting");
        let node = start(root).await?;
        for (mark, time) in node.timings().marks() {
            println!("{mark:12} {:.2} s", time.as_secs_f64());
        }
        println!("{}", node.kubeconfig().display());
        tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
        println!("teardown     {:.2} s", node.stop().await?.as_secs_f64());
        Ok(())
    })?
}

/// A process that owns a node; its output stays open, so that it never fails to write.
struct Owner(Child, BufReader<std::process::ChildStdout>);

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts another process that owns a node, and waits for a line of its output.
fn owner(root: &Path, until: &str) -> Result<Owner, Box<dyn std::error::Error>> {
    owner_of("up", root, until)
}

/// The same of what one of this program's words starts.
fn owner_of(word: &str, root: &Path, until: &str) -> Result<Owner, Box<dyn std::error::Error>> {
    let mut child = Command::new(std::env::current_exe()?)
        .arg(word)
        .arg(root)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let out = BufReader::new(child.stdout.take().ok_or("no output")?);
    let mut owner = Owner(child, out);
    let mut line = String::new();
    while owner.1.read_line(&mut line)? > 0 {
        if line.contains(until) {
            return Ok(owner);
        }
        line.clear();
    }
    Err(format!("the owner never said {until:?}").into())
}

/// Kills an owner at several moments of its node's life: nothing is left, without any help.
pub(crate) fn killed_owner() -> Outcome {
    let root = tempfile::tempdir()?;
    self_image(&root.path().join("self.tar"))?;
    let before = host::state(root.path());
    for (until, millis) in [
        ("starting", 0),
        ("starting", 150),
        ("starting", 1500),
        ("starting", 3600),
        ("kubeconfig", 0),
    ] {
        let owner = owner(root.path(), until)?;
        // The moment is the point here, not an event.
        std::thread::sleep(Duration::from_millis(millis));
        drop(owner);
        let end = Instant::now() + Duration::from_secs(20);
        while !host::processes(root.path()).is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        // Killed before the node had its first process: then it is the next start that removes the folder.
        sweep(root.path())?;
        unchanged(&before, root.path())
            .map_err(|e| format!("killed {millis} ms after {until:?}: {e}"))?;
    }
    Ok(())
}

/// The processes of nodes below a folder, by name.
fn pids_of(root: &Path, name: &str) -> Vec<i32> {
    let root = root.to_string_lossy();
    std::fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            let first = line.split(' ').next()?;
            let is_it = first.ends_with(name) && line.contains(&*root);
            entry.file_name().to_str()?.parse().ok().filter(|_| is_it)
        })
        .collect()
}

/// Kills the owner of a whole cluster, after one of the node's own processes in turn, at random moments from its start to a
/// pod with credentials: `EMU_TEST_KILLS` times.
pub(crate) fn killed_at_random() -> Outcome {
    let times = std::env::var("EMU_TEST_KILLS").ok();
    let times: u32 = times.and_then(|t| t.parse().ok()).unwrap_or(2);
    let root = tempfile::tempdir()?;
    self_image(&root.path().join("self.tar"))?;
    let before = host::state(root.path());
    // Any spread of moments will do.
    let mut random = u64::from(std::process::id());
    let mut struck = std::collections::BTreeMap::<_, u32>::new();
    let victims = [
        "agent",
        "kubelet",
        "etcd",
        "containerd",
        "kube-apiserver",
        "none",
    ];
    for victim in victims.into_iter().cycle().take(times as usize) {
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let millis = (random >> 33) % 9000;
        let agents = host::agents();
        // The agent comes last, on a busy machine late: it is struck from the first credentials on.
        let (until, millis) = match victim {
            "agent" => ("credentials", millis / 10),
            _ => ("starting", millis),
        };
        let owner = owner_of("whole", root.path(), until)?;
        std::thread::sleep(Duration::from_millis(millis));
        let pids: Vec<i32> = match victim {
            "agent" => host::agents().difference(&agents).copied().collect(),
            _ => pids_of(root.path(), victim),
        };
        if victim == "agent" && pids.is_empty() {
            return Err("there are credentials, and no agent to kill".into());
        }
        for pid in pids {
            let pid = nix::unistd::Pid::from_raw(pid);
            if nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).is_ok() {
                *struck.entry(victim).or_default() += 1;
            }
        }
        drop(owner);
        let left = || !host::processes(root.path()).is_empty() || host::agents() != agents;
        let end = Instant::now() + Duration::from_secs(20);
        while left() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        let is_it = |e| format!("{victim} and the owner killed after {millis} ms: {e}");
        if left() {
            return Err(is_it("processes are left".into()).into());
        }
        sweep(root.path())?;
        unchanged(&before, root.path()).map_err(|e| is_it(e.to_string()))?;
    }
    println!("killed       {times} owners, before them {struck:?}");
    // The next start works.
    block_on(async {
        start(root.path()).await?.stop().await?;
        Ok(())
    })?
}

/// Kills the owner and the undertaker together: `sweep` removes what they leave.
pub(crate) fn killed_undertaker() -> Outcome {
    let root = tempfile::tempdir()?;
    self_image(&root.path().join("self.tar"))?;
    let before = host::state(root.path());
    let owner = owner(root.path(), "kubeconfig")?;
    let undertaker = format!("emu-node {}", root.path().display());
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&undertaker) {
            let pid = entry.file_name().to_string_lossy().parse()?;
            nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            )?;
        }
    }
    drop(owner);
    if sweep(root.path())?.len() != 1 {
        return Err("nothing was swept".into());
    }
    unchanged(&before, root.path())
}
