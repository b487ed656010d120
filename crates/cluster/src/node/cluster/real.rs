//! Amazon's own agent on a real node: a DaemonSet on the node's network, from a local binary.

use std::{net::SocketAddr, path::Path, sync::Arc, time::Duration};

use emu_core::Event;
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::{apps::v1::DaemonSet, core::v1::Pod};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, ListParams, LogParams},
    runtime::wait::await_condition,
};

use super::{World, twin::upstream};
use crate::{
    cluster::{ClusterError, Result},
    image::Image,
    kubernetes::{
        AgentInstall,
        agent::{NAME, NAMESPACE},
        apply::apply,
        pod::await_deleted,
    },
    sandbox::gate::{Gate, loopback_socket},
};

/// The image's name: one for each binary of a run.
const IMAGE: &str = "emu.local/eks-pod-identity-agent:local";
/// How long it may take to be ready, in real time.
const START: Duration = Duration::from_secs(60);

/// The installed agent.
pub(super) struct Real {
    pub(super) upstream: Gate,
    log: tokio::task::AbortHandle,
}

impl Drop for Real {
    fn drop(&mut self) {
        self.log.abort();
    }
}

fn failed(world: &World, message: impl ToString) -> ClusterError {
    world.agent_failed(&message.to_string())
}

impl Real {
    pub(super) async fn start(world: &Arc<World>, binary: &Path) -> Result<Self> {
        // On the node's own loopback, which a pod on the node's network shares.
        let socket = world
            .node
            .inside()
            .run(loopback_socket)
            .map_err(|e| failed(world, e))?;
        let upstream = upstream(world, socket)?;
        world.bring_image(binary).await?;
        let install = install(world, upstream.address());
        let client = world.node.client();
        let api: Api<DaemonSet> = Api::namespaced(client.clone(), NAMESPACE);
        apply(&api, &install.object())
            .await
            .map_err(|e| failed(world, e))?;
        let ready = |set: Option<&DaemonSet>| {
            set.and_then(|s| s.status.as_ref())
                .is_some_and(|s| s.number_ready > 0)
        };
        let log = tokio::spawn(follow_log(Arc::downgrade(world), client)).abort_handle();
        let agent = Self { upstream, log };
        match tokio::time::timeout(START, await_condition(api, NAME, ready)).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => return Err(failed(world, error)),
            Err(_) => {
                let words = world.last_words().await;
                return Err(failed(world, format!("it does not become ready: {words}")));
            }
        }
        world.config.journal.record(Event::AgentStarted {
            node: world.node.config().name.clone(),
            kind: "real".into(),
            version: version(binary).await,
        });
        Ok(agent)
    }

    /// Removes it and waits until its pod is gone.
    pub(super) async fn stop(self, world: &World) -> Result<()> {
        let client = world.node.client();
        let api: Api<DaemonSet> = Api::namespaced(client.clone(), NAMESPACE);
        let pods: Api<Pod> = Api::namespaced(client.clone(), NAMESPACE);
        let ours = pods.list(&selector()).await;
        let ours = ours.map_err(|e| failed(world, e))?.items;
        api.delete(NAME, &DeleteParams::background())
            .await
            .map_err(|e| failed(world, e))?;
        for pod in ours {
            // Stopped now, but not gone before its sockets are.
            let now = DeleteParams::default().grace_period(1);
            let _ = pods.delete(&pod.name_any(), &now).await;
            await_deleted(&client, NAMESPACE, &pod)
                .await
                .map_err(|e| failed(world, e))?;
        }
        Ok(())
    }
}

fn selector() -> ListParams {
    ListParams::default().labels(&format!("app.kubernetes.io/name={NAME}"))
}

fn install(world: &World, upstream: SocketAddr) -> AgentInstall {
    let config = &world.config;
    let words = [
        "server",
        "--port",
        "80",
        "--cluster-name",
        &config.name,
        "--probe-port",
        "2703",
    ];
    AgentInstall {
        image: IMAGE.into(),
        command: Vec::new(),
        arguments: words.map(String::from).to_vec(),
        env: vec![
            ("AWS_REGION".into(), config.region.clone()),
            (
                "AWS_ENDPOINT_URL_EKS_AUTH".into(),
                format!("http://{upstream}"),
            ),
        ],
        // The node has the link already; where it is of another kind, the agent's own `initialize` adopts it as well.
        init: None,
        node_variable: None,
        token: false,
        stopped: Vec::new(),
        probe_port: 2703,
        pull_policy: "Never".into(),
    }
}

impl World {
    async fn bring_image(&self, binary: &Path) -> Result<()> {
        let archive = self.node.run_dir().join("agent.tar");
        let (path, binary) = (archive.clone(), binary.to_owned());
        tokio::task::spawn_blocking(move || {
            Image::new(IMAGE)
                .program(&binary, "/eks-pod-identity-agent")?
                .entrypoint(["/eks-pod-identity-agent"])
                .write_archive(&path)
        })
        .await
        .map_err(|e| failed(self, e))?
        .map_err(|e| failed(self, e))?;
        self.node
            .import(&archive)
            .await
            .map(drop)
            .map_err(|e| failed(self, e))
    }

    /// What the agent wrote last.
    async fn last_words(&self) -> String {
        let pods: Api<Pod> = Api::namespaced(self.node.client(), NAMESPACE);
        let Some(pod) = pods
            .list(&selector())
            .await
            .ok()
            .and_then(|list| list.items.into_iter().next())
        else {
            return "it has no pod".into();
        };
        let tail = LogParams {
            tail_lines: Some(3),
            ..LogParams::default()
        };
        pods.logs(&pod.name_any(), &tail).await.unwrap_or_default()
    }
}

/// Writes the agent's log into the journal, from each of its containers in turn.
async fn follow_log(world: std::sync::Weak<World>, client: kube::Client) {
    let pods: Api<Pod> = Api::namespaced(client, NAMESPACE);
    let follow = LogParams {
        follow: true,
        ..LogParams::default()
    };
    loop {
        let pod = pods.list(&selector()).await.ok();
        let pod = pod.and_then(|list| list.items.into_iter().next());
        if let Some(pod) = pod
            && let Ok(stream) = pods.log_stream(&pod.name_any(), &follow).await
        {
            let mut lines = stream.lines();
            while let Ok(Some(line)) = lines.try_next().await {
                let Some(world) = world.upgrade() else { return };
                let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
                world.config.journal.record(Event::Log {
                    component: "agent".into(),
                    node: Some(world.node.config().name.clone()),
                    level: value["level"].as_str().unwrap_or("info").to_owned(),
                    line,
                });
            }
        }
        if world.strong_count() == 0 {
            return;
        }
        // Its container is not there yet, or has just ended.
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What the binary says of itself.
async fn version(binary: &Path) -> String {
    let asked = tokio::process::Command::new(binary)
        .arg("version")
        .stdin(std::process::Stdio::null())
        .kill_on_drop(true)
        .output();
    match tokio::time::timeout(Duration::from_secs(2), asked).await {
        Ok(Ok(output)) => String::from_utf8_lossy(&output.stdout)
            .split_whitespace()
            .last()
            .unwrap_or_default()
            .to_owned(),
        _ => String::new(),
    }
}
