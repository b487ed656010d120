//! The installed agent: its DaemonSet and pods, from the first image to the last word.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};

use emu_core::{Event, Journal};
use futures::{AsyncBufReadExt as _, TryStreamExt as _};
use k8s_openapi::api::{
    apps::v1::DaemonSet,
    core::v1::{ContainerStatus, Pod},
};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams, LogParams},
    runtime::{
        conditions,
        wait::{Condition as _, await_condition},
        watcher::{self, watcher},
    },
};

use super::{
    AgentInstall, Error,
    agent::{INIT, NAME, NAMESPACE},
    apply::apply,
    pod::{await_deleted, is_pod_ready},
};

/// Reasons for waiting that waiting does not cure.
pub(crate) const HOPELESS: [&str; 7] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

/// Why the agent does not come up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AgentTrouble {
    /// What runs before it failed, with its last lines.
    #[error("{0}")]
    Init(String),
    /// Its image is not to be had.
    #[error("{0}")]
    Image(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl AgentTrouble {
    fn other(error: impl std::fmt::Display) -> Self {
        Self::Other(error.to_string())
    }
}

/// The agent of a cluster.
#[derive(Clone)]
pub(crate) struct AgentSet {
    client: Client,
    sets: Api<DaemonSet>,
    pods: Api<Pod>,
}

impl AgentSet {
    pub(crate) fn new(client: Client) -> Self {
        Self {
            sets: Api::namespaced(client.clone(), NAMESPACE),
            pods: Api::namespaced(client.clone(), NAMESPACE),
            client,
        }
    }

    /// Its DaemonSet, if there is one of that name.
    pub(crate) async fn found(&self) -> Result<Option<DaemonSet>, Error> {
        Ok(self.sets.get_opt(NAME).await?)
    }

    /// Installs it, or changes how new pods of it are.
    pub(crate) async fn apply(&self, install: &AgentInstall) -> Result<(), Error> {
        apply(&self.sets, &install.object()).await.map(drop)
    }

    /// Waits until its present form is known to the controller: pods made from now on have it.
    pub(crate) async fn observed(&self) -> Result<(), Error> {
        let seen = |set: Option<&DaemonSet>| {
            set.is_some_and(|set| {
                let status = set.status.as_ref();
                status.and_then(|s| s.observed_generation) >= set.metadata.generation
            })
        };
        await_condition(self.sets.clone(), NAME, seen)
            .await
            .map(drop)
            .map_err(|e| Error::Wait {
                what: "the agent's DaemonSet".into(),
                why: e.to_string(),
            })
    }

    /// Waits until it is ready on each of these nodes.
    pub(crate) async fn ready(
        &self,
        nodes: &[String],
        limit: Duration,
    ) -> Result<(), AgentTrouble> {
        match tokio::time::timeout(limit, self.all_ready(nodes)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                let words = self.last_words(None).await;
                let limit = limit.as_secs();
                Err(AgentTrouble::Other(format!(
                    "it does not become ready in {limit} s: {words}"
                )))
            }
        }
    }

    async fn all_ready(&self, nodes: &[String]) -> Result<(), AgentTrouble> {
        let config = watcher::Config::default().labels(&selector());
        let mut events = std::pin::pin!(watcher(self.pods.clone(), config));
        let mut ready: HashMap<String, String> = HashMap::new();
        while nodes
            .iter()
            .any(|node| !ready.values().any(|on| on == node))
        {
            match events.try_next().await {
                Ok(Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => {
                    let uid = pod.uid().unwrap_or_default();
                    ready.remove(&uid);
                    if pod.metadata.deletion_timestamp.is_some() {
                        continue;
                    }
                    match hopeless(&pod) {
                        Some(AgentTrouble::Other(why)) => {
                            let words = self.last_words(Some(&pod.name_any())).await;
                            return Err(AgentTrouble::Other(format!("{why}: {words}")));
                        }
                        Some(trouble) => return Err(trouble),
                        None => {}
                    }
                    let on = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
                    if let (true, Some(node)) = (is_pod_ready().matches_object(Some(&pod)), on) {
                        ready.insert(uid, node);
                    }
                }
                Ok(Some(watcher::Event::Delete(pod))) => {
                    ready.remove(&pod.uid().unwrap_or_default());
                }
                Ok(Some(_)) => {}
                Ok(None) => return Err(AgentTrouble::other("the watch of its pods ended")),
                // It reconnects by itself.
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
        Ok(())
    }

    /// Its pods; those of one node if one is named.
    pub(crate) async fn pods(&self, node: Option<&str>) -> Result<Vec<Pod>, Error> {
        let mut pods = self.pods.list(&list()).await?.items;
        pods.retain(|pod| {
            let on = pod.spec.as_ref().and_then(|spec| spec.node_name.as_deref());
            node.is_none_or(|node| on == Some(node))
        });
        Ok(pods)
    }

    /// Ends its pods, all or those of one node, and waits until they are gone.
    pub(crate) async fn end_pods(&self, node: Option<&str>) -> Result<(), Error> {
        for pod in self.pods(node).await? {
            // Stopped now, but not gone before its sockets are.
            let now = DeleteParams::default().grace_period(1);
            let _ = self.pods.delete(&pod.name_any(), &now).await;
            await_deleted(&self.client, NAMESPACE, &pod).await?;
        }
        Ok(())
    }

    /// Removes it and waits until its pods are gone.
    pub(crate) async fn remove(&self) -> Result<(), Error> {
        match self.sets.delete(NAME, &DeleteParams::background()).await {
            Ok(_) => {}
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error.into()),
        }
        if let Some(set) = self.found().await? {
            let uid = set.uid().unwrap_or_default();
            await_condition(self.sets.clone(), NAME, conditions::is_deleted(&uid))
                .await
                .map_err(|e| Error::Wait {
                    what: "the agent's end".into(),
                    why: e.to_string(),
                })?;
        }
        self.end_pods(None).await
    }

    /// What a pod of it, or any, wrote last.
    async fn last_words(&self, pod: Option<&str>) -> String {
        let name = match pod {
            Some(name) => name.to_owned(),
            None => match self.pods(None).await.ok().and_then(|mut pods| pods.pop()) {
                Some(pod) => pod.name_any(),
                None => return "it has no pod".into(),
            },
        };
        let tail = LogParams {
            tail_lines: Some(3),
            container: Some(NAME.into()),
            ..LogParams::default()
        };
        let words = self.pods.logs(&name, &tail).await.unwrap_or_default();
        words.trim().to_owned()
    }

    /// Writes the logs of its pods into the journal, for ever. Nodes are named as `name` has it.
    pub(crate) async fn follow_logs(
        self,
        journal: Journal,
        name: Arc<dyn Fn(&str) -> String + Send + Sync>,
    ) {
        let mut following: HashSet<String> = HashSet::new();
        let mut tasks = tokio::task::JoinSet::new();
        let config = watcher::Config::default().labels(&selector());
        let mut events = std::pin::pin!(watcher(self.pods.clone(), config));
        loop {
            let pod = match events.try_next().await {
                Ok(Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => pod,
                Ok(Some(_)) => continue,
                Ok(None) => return,
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            // A container that was started again has a log of its own.
            let Some(container) = running(&pod) else {
                continue;
            };
            if !following.insert(container) {
                continue;
            }
            let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
            let node = name(node.as_deref().unwrap_or_default());
            let (pods, journal) = (self.pods.clone(), journal.clone());
            // Aborted with this future.
            tasks.spawn(async move { follow_log(&pods, &pod.name_any(), &node, &journal).await });
        }
    }
}

async fn follow_log(pods: &Api<Pod>, pod: &str, node: &str, journal: &Journal) {
    let follow = LogParams {
        follow: true,
        container: Some(NAME.into()),
        ..LogParams::default()
    };
    let Ok(stream) = pods.log_stream(pod, &follow).await else {
        return;
    };
    let mut lines = stream.lines();
    while let Ok(Some(line)) = lines.try_next().await {
        let value: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
        journal.record(Event::Log {
            component: "agent".into(),
            node: Some(node.to_owned()),
            level: value["level"].as_str().unwrap_or("info").to_owned(),
            line,
        });
    }
}

fn selector() -> String {
    format!("app.kubernetes.io/name={NAME}")
}

fn list() -> ListParams {
    ListParams::default().labels(&selector())
}

/// The id of a pod's agent container that runs.
fn running(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let agent = statuses.iter().find(|status| status.name == NAME)?;
    agent.state.as_ref()?.running.as_ref()?;
    agent.container_id.clone()
}

/// Why a pod of the agent does not come up.
fn hopeless(pod: &Pod) -> Option<AgentTrouble> {
    let status = pod.status.as_ref()?;
    let init = status.init_container_statuses.iter().flatten();
    if let Some(words) = init
        .clone()
        .filter(|c| c.name == INIT)
        .find_map(ended_badly)
    {
        return Some(AgentTrouble::Init(words));
    }
    let main = || status.container_statuses.iter().flatten();
    for container in init.chain(main()) {
        let waiting = container.state.as_ref().and_then(|s| s.waiting.as_ref());
        if let Some(waiting) = waiting
            && let Some(reason) = waiting.reason.as_deref()
            && HOPELESS.contains(&reason)
        {
            let message = waiting.message.as_deref().unwrap_or_default();
            let text = format!("{reason}: {message}");
            return Some(match reason.contains("Image") {
                true => AgentTrouble::Image(text),
                false => AgentTrouble::Other(text),
            });
        }
    }
    let words = main().find_map(ended_badly)?;
    // The twin's own container prepares its node.
    Some(match words.contains(UNREACHABLE) {
        true => AgentTrouble::Init(words),
        false => AgentTrouble::Other("it ended".into()),
    })
}

/// What emu's program says of an address of the emulator that does not answer.
pub(crate) const UNREACHABLE: &str = "cannot be reached";

/// The last lines of a container that ended with an error.
fn ended_badly(container: &ContainerStatus) -> Option<String> {
    let states = [&container.state, &container.last_state];
    let ended = states
        .into_iter()
        .flatten()
        .find_map(|state| state.terminated.as_ref())?;
    (ended.exit_code != 0).then(|| {
        let words = ended.message.as_deref().unwrap_or_default().trim();
        match words.is_empty() {
            true => format!("it ended with status {}", ended.exit_code),
            false => words.to_owned(),
        }
    })
}
