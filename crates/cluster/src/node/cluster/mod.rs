//! A cluster of one real node: pods, tokens, admission and the network are Kubernetes's own, the agent is a DaemonSet; the
//! emulator and the webhook run in this process and are found inside the node.

mod agent;
mod barrier;
mod clock;
mod config;
mod detour;
mod doors;
mod kubelet;
mod metadata;
mod processes;
mod programs;
mod rotation;
mod tokens;
mod webhook;
mod world;

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use async_trait::async_trait;
use emu_core::{Event, ServiceAccountRef};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};

pub use self::config::ClusterConfig;
use self::{agent::Agent, barrier::Barrier, clock::NodeClock, doors::Door};
use super::{Node, launch::Virtual};
use crate::{
    cluster::{
        AgentAction, AgentState, Capabilities, Cluster, ClusterError, ClusterKind, MintRequest,
        PodName, Result,
    },
    fault::{FaultPlace, NetworkFault, WebhookFault, WebhookFaultKind},
    fetch::{FetchRequest, FetchResponse},
    kubernetes::{
        Workloads, WorkloadsConfig, admission::Admission, agent_events, inhabitants::Inhabitants,
        program_folders,
    },
    program::{Program, Running},
    sandbox::{AgentKind, faults::Faults},
    token::{IssuedToken, TokenFault},
};

/// A cluster of one real node. Dropping it takes the node down.
pub struct NodeCluster {
    world: Arc<World>,
}

struct World {
    config: ClusterConfig,
    node: Node,
    workloads: Workloads,
    /// Folders of this machine that pods without an image see.
    folders: Arc<[PathBuf]>,
    inhabitants: Arc<Inhabitants>,
    faults: Arc<Faults>,
    barrier: Mutex<Barrier>,
    /// Where connections of pods to the agent are disturbed one by one, once that was needed.
    detour: Mutex<Option<Door>>,
    agent: Mutex<Option<Agent>>,
    state: Mutex<AgentState>,
    /// One start or stop of the agent at a time.
    turn: tokio::sync::Mutex<()>,
    webhook: Mutex<Option<Arc<Admission>>>,
    webhook_fault: Mutex<Option<WebhookFaultKind>>,
    /// Listeners inside the node: the emulator's, the instance metadata's.
    open: Mutex<Vec<Door>>,
    watch: Mutex<Option<tokio::task::AbortHandle>>,
    virtual_time: Option<NodeClock>,
    tokens: Mutex<rotation::Known>,
}

impl Drop for World {
    fn drop(&mut self) {
        if let Some(watch) = lock(&self.watch).take() {
            watch.abort();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl NodeCluster {
    /// Starts the node, the webhook and the agent.
    ///
    /// # Errors
    /// When the node cannot run here, or something does not come up.
    pub async fn start(mut config: ClusterConfig) -> Result<Self> {
        let virtual_time = match config.virtual_time && emu_vtime::supported().is_ok() {
            true => Some(
                tokio::task::block_in_place(|| NodeClock::new(&config.clock))
                    .map_err(ClusterError::system("put the node under virtual time"))?,
            ),
            false => None,
        };
        if let Some(clock) = &virtual_time {
            config.node.launcher = Arc::new(Virtual(Arc::clone(clock.group())));
        }
        let node =
            Node::start(config.node.clone())
                .await
                .map_err(|e| ClusterError::Kubernetes {
                    what: "could not start the node".into(),
                    message: e.to_string(),
                })?;
        let folders = match &config.program_folders {
            Some(folders) => folders.clone(),
            None => program_folders(node.run_dir(), &config.more_folders),
        };
        let workloads = Workloads::new(
            node.client(),
            WorkloadsConfig {
                kind: ClusterKind::Node,
                cluster: config.name.clone(),
                journal: config.journal.clone(),
                pod_image: super::PAUSE_IMAGE.into(),
                folders: folders.clone(),
                env: config.env.clone(),
                idle: Vec::new(),
                env_program: Vec::new(),
                guest: false,
                // Programs are started here, not by it.
                end_marked: None,
            },
        );
        let world = Arc::new(World {
            inhabitants: Inhabitants::new(&config.name),
            faults: Arc::new(Faults::new(config.journal.clone(), config.ids.clone())),
            barrier: Mutex::default(),
            detour: Mutex::default(),
            agent: Mutex::default(),
            state: Mutex::new(match config.agent_kind {
                AgentKind::Absent => AgentState::Absent,
                _ => AgentState::Stopped,
            }),
            turn: tokio::sync::Mutex::default(),
            webhook: Mutex::default(),
            webhook_fault: Mutex::default(),
            open: Mutex::default(),
            watch: Mutex::default(),
            virtual_time,
            tokens: Mutex::default(),
            config,
            node,
            workloads,
            folders: folders.into(),
        });
        if let Some(clock) = &world.virtual_time {
            clock.watch(&world);
        }
        world.config.journal.record(Event::NodeStarted {
            cluster: world.config.name.clone(),
            node: world.node.config().name.clone(),
        });
        world.follow_pods();
        world.open_emulator()?;
        let metadata = metadata::open(&world)
            .map_err(ClusterError::system("open the node's instance metadata"))?;
        lock(&world.open).push(metadata);
        let webhook = world.start_webhook().await?;
        *lock(&world.webhook) = Some(Arc::new(webhook));
        if world.config.agent_kind != AgentKind::Absent && world.config.agent_started {
            world.start_agent().await?;
        }
        Ok(Self { world })
    }

    /// The node.
    pub fn node(&self) -> &Node {
        &self.world.node
    }

    /// The workloads, for what this trait does not do.
    pub fn workloads(&self) -> &Workloads {
        &self.world.workloads
    }

    /// Where pods find the emulator.
    pub fn emulator_in_pods(&self) -> std::net::SocketAddr {
        self.world.emulator_in_pods()
    }
}

/// The part of every cgroup's path that tells this node from others.
fn node_id(node: &Node) -> String {
    let name = node.run_dir().file_name().unwrap_or_default();
    format!("emu-{}", name.to_string_lossy())
}

#[async_trait]
impl Cluster for NodeCluster {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Node
    }

    fn name(&self) -> &str {
        &self.world.config.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            virtual_time: self.world.virtual_time.is_some(),
            network_faults: true,
            token_faults: false,
            true_addresses: true,
            users: true,
            agent_control: true,
            local_programs: true,
            imds: true,
        }
    }

    async fn nodes(&self) -> Result<Vec<String>> {
        self.world.workloads.nodes().await
    }

    async fn apply_service_account(&self, account: ServiceAccount) -> Result<ServiceAccount> {
        self.world.workloads.apply_service_account(account).await
    }

    async fn delete_service_account(&self, account: &ServiceAccountRef) -> Result<()> {
        self.world.workloads.delete_service_account(account).await
    }

    async fn create_pod(&self, pod: Pod, node: Option<&str>) -> Result<Pod> {
        if let Some(node) = node {
            self.world.check_node(node)?;
        }
        self.world.webhook_up_to_date().await?;
        let pod = self.world.workloads.create_pod(pod, node).await?;
        self.world.settle_in(&pod);
        self.world.admitted_without_webhook(&pod);
        Ok(pod)
    }

    async fn pod(&self, pod: &PodName) -> Result<Pod> {
        self.world.workloads.pod(pod).await
    }

    async fn delete_pod(&self, pod: &PodName) -> Result<()> {
        let old = self.world.workloads.delete_pod(pod).await?;
        self.world.gone(&old);
        Ok(())
    }

    async fn restart_pod(&self, name: &PodName) -> Result<()> {
        let pod = self.pod(name).await?;
        let policy = pod.spec.as_ref().and_then(|s| s.restart_policy.clone());
        if policy.as_deref() == Some("Never") {
            return Err(self.unsupported("restart a pod", "its restart policy is Never"));
        }
        let (mut restarts, mut killed) = (0, 0);
        let containers = pod
            .status
            .and_then(|status| status.container_statuses)
            .unwrap_or_default();
        for container in containers {
            restarts += container.restart_count;
            let id = container.container_id.as_deref().unwrap_or_default();
            if let Some(id) = id.strip_prefix("containerd://") {
                self.world
                    .node
                    .kill_container(id)
                    .await
                    .map_err(|e| ClusterError::Kubernetes {
                        what: "could not restart a pod".into(),
                        message: e.to_string(),
                    })?;
                killed += 1;
            }
        }
        let workloads = &self.world.workloads;
        workloads
            .await_running(name, restarts + killed)
            .await
            .map(drop)
    }

    async fn recreate_pod(&self, pod: &PodName) -> Result<Pod> {
        self.world.webhook_up_to_date().await?;
        let pod = self.world.workloads.recreate_pod(pod).await?;
        self.world.settle_in(&pod);
        self.world.admitted_without_webhook(&pod);
        Ok(pod)
    }

    async fn start(&self, pod: &PodName, program: Program) -> Result<Box<dyn Running>> {
        self.world.start_program(pod, program).await
    }

    async fn read_token(&self, pod: &PodName, audience: &str) -> Result<String> {
        let stored = self.pod(pod).await?;
        self.world.read_token(&stored, audience)
    }

    async fn rotate_tokens(&self, pod: &PodName) -> Result<()> {
        let stored = self.pod(pod).await?;
        self.world.rotate_tokens(&stored).await
    }

    async fn set_token_fault(&self, _pod: &PodName, fault: Option<TokenFault>) -> Result<()> {
        match fault {
            None => Ok(()),
            Some(_) => Err(self.unsupported(
                "make a token file go wrong",
                "the kubelet writes it, and puts it right again",
            )),
        }
    }

    async fn mint_token(&self, request: MintRequest) -> Result<IssuedToken> {
        self.world.workloads.mint_token(request).await
    }

    async fn agent(&self, node: &str, action: AgentAction) -> Result<()> {
        self.world.check_node(node)?;
        if action != AgentAction::Start {
            self.world.stop_agent().await?;
        }
        if action != AgentAction::Stop {
            self.world.start_agent().await?;
        }
        Ok(())
    }

    async fn agent_state(&self, node: &str) -> Result<AgentState> {
        self.world.check_node(node)?;
        Ok(lock(&self.world.state).clone())
    }

    async fn fetch(&self, name: &PodName, request: FetchRequest) -> Result<FetchResponse> {
        let pod = self.pod(name).await?;
        let began = Instant::now();
        let journal = &self.world.config.journal;
        let before = journal.last();
        let fetching = self.world.fetch(&pod, &request);
        let answer = tokio::time::timeout(request.timeout, fetching)
            .await
            .ok()
            // What came while this thread could not look has come too late all the same.
            .filter(|_| began.elapsed() <= request.timeout)
            .unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|source| ClusterError::Fetch {
                pod: name.clone(),
                target: request.target.clone().unwrap_or_else(|| "the agent".into()),
                source,
            })?;
        match self.world.config.agent_kind {
            _ if request.target.is_some() => {}
            AgentKind::Twin => agent_events::until_told(journal, before).await,
            // Amazon's agent does not tell who asked what; of our own requests we know.
            _ => {
                let node = self.world.node.config().name.clone();
                let pod = self.world.workloads.reference(&pod);
                journal.record(request.agent_request(node, pod, &answer));
            }
        }
        Ok(answer)
    }

    async fn set_fault(&self, place: FaultPlace, fault: Option<NetworkFault>) -> Result<()> {
        let pod = match &place {
            FaultPlace::PodToAgent(pod) => Some(self.pod(pod).await?),
            FaultPlace::NodePodsToAgent(node) | FaultPlace::AgentToEksAuth(node) => {
                self.world.check_node(node)?;
                None
            }
        };
        tokio::task::block_in_place(|| self.world.set_fault(place, fault, pod.as_ref()))
            .map_err(ClusterError::system("put a fault on the network"))
    }

    async fn set_webhook_fault(&self, fault: Option<WebhookFault>) -> Result<()> {
        if let Some(fault) = &fault
            && (fault.share < 1.0 || fault.times.is_some() || fault.owner.is_some())
        {
            return Err(self.unsupported(
                "make the webhook fail for some pods",
                "the API server calls it for all or for none",
            ));
        }
        let webhook = lock(&self.world.webhook).clone();
        if let Some(webhook) = webhook {
            webhook.set_fault(fault.as_ref()).await?;
        }
        *lock(&self.world.webhook_fault) = fault.map(|fault| fault.what);
        Ok(())
    }

    fn kubeconfig(&self) -> Option<PathBuf> {
        Some(self.world.node.kubeconfig().to_owned())
    }

    async fn load_images(&self, archive: &Path) -> Result<Vec<String>> {
        let loaded = self.world.node.import(archive).await;
        loaded.map_err(|e| ClusterError::Kubernetes {
            what: format!("could not load the images of {}", archive.display()),
            message: e.to_string(),
        })
    }

    async fn teardown(&self) -> Result<()> {
        // The real agent goes with its node.
        drop(lock(&self.world.agent).take());
        *lock(&self.world.state) = AgentState::Stopped;
        drop(lock(&self.world.webhook).take());
        lock(&self.world.open).clear();
        drop(lock(&self.world.detour).take());
        if let Some(watch) = lock(&self.world.watch).take() {
            watch.abort();
        }
        self.world
            .node
            .stop()
            .await
            .map(drop)
            .map_err(|e| ClusterError::Kubernetes {
                what: "could not take the node down".into(),
                message: e.to_string(),
            })
    }
}
