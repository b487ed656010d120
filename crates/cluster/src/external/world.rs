//! What a world's cluster does: what it serves at this machine's address, its agents, its faults.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use emu_core::{Clock, Event};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::net::TcpStream;

use super::{
    config::ExternalClusterConfig, inside::Inside, install, nodes::Nodes, place::External,
    port::pass_on,
};
use crate::{
    cluster::{AgentState, ClusterError, PodName, Result},
    fault::{FaultPlace, NetworkFault},
    fetch::{FetchRequest, FetchResponse},
    kubernetes::{
        AgentInstall, AmazonWebhook, Workloads,
        admission::{Admission, AdmissionConfig, Way},
        agent_events,
        agent_set::AgentSet,
        inhabitants::Inhabitants,
        issued,
        projected::{TokenPlace, token_places},
    },
    node::LinkFault,
    sandbox::{
        AgentKind, Imds, NodeCredentials, NodeKeys,
        faults::Faults,
        fetch::target,
        gate::Door,
        imds::{Metadata, MetadataView},
        relay::{self, Route, Target, Wire},
    },
};

/// How long a node's keys are good for: an agent that outlives a world must not keep that world's.
const SHORT: Duration = Duration::from_secs(1);

/// A world's cluster, shared by what serves it.
pub(super) struct World {
    pub(super) config: ExternalClusterConfig,
    pub(super) external: Arc<External>,
    pub(super) nodes: Nodes,
    pub(super) workloads: Workloads,
    pub(super) inside: Inside,
    pub(super) agents: AgentSet,
    pub(super) faults: Arc<Faults>,
    pub(super) admission: Mutex<Option<Arc<Admission>>>,
    /// The agent as it is; none if the nodes have none.
    pub(super) agent: Mutex<Option<AgentInstall>>,
    /// One start or stop of an agent at a time.
    pub(super) turn: tokio::sync::Mutex<()>,
    pub(super) tasks: Mutex<Vec<tokio::task::AbortHandle>>,
    /// Keeps other worlds off the cluster.
    pub(super) held: Mutex<Option<tokio::sync::OwnedMutexGuard<()>>>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.let_go();
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// Serves nothing more; the cluster is free for another world.
    pub(super) fn let_go(&self) {
        for task in lock(&self.tasks).drain(..) {
            task.abort();
        }
        drop(lock(&self.admission).take());
        if let Some(held) = lock(&self.held).take() {
            self.external.ports.close();
            drop(held);
        }
    }

    /// Serves agents: the way to EKS Auth, keys of nodes, what twins write down.
    pub(super) fn serve(self: &Arc<Self>) -> Result<()> {
        let ports = &self.external.ports;
        let serve = || {
            ports.eks_auth.serve(self.eks_auth())?;
            ports.metadata.serve(self.metadata())?;
            ports.events.serve(self.events())
        };
        serve().map_err(ClusterError::system("serve the cluster's agents"))
    }

    fn eks_auth(self: &Arc<Self>) -> super::port::Take {
        let (nodes, faults) = (self.nodes.clone(), Arc::clone(&self.faults));
        let clock: Clock = self.config.clock.clone();
        let to = self.config.emulator.address;
        Arc::new(move |stream: TcpStream| {
            let node = stream
                .peer_addr()
                .map_or("", |peer| nodes.at(peer.ip()))
                .to_owned();
            let route = Route {
                places: vec![FaultPlace::AgentToEksAuth(node)],
                faults: Arc::clone(&faults),
                clock: clock.clone(),
            };
            Box::pin(async move { route.carry(stream.into(), &To(to)).await })
        })
    }

    fn metadata(self: &Arc<Self>) -> super::port::Take {
        let config = &self.config;
        let credentials: Arc<dyn NodeCredentials> = Arc::new(Short {
            clock: config.clock.clone(),
            source: Arc::clone(&config.node_credentials),
        });
        let of_node = |name: String| {
            let metadata = Metadata::new(
                &name,
                &config.region,
                config.clock.clone(),
                config.ids.clone(),
                Arc::clone(&credentials),
            )
            .with_tokens(&self.external.metadata_tokens);
            (name, Arc::new(metadata))
        };
        let all: std::collections::HashMap<String, Arc<Metadata>> =
            self.nodes.names().into_iter().map(of_node).collect();
        let nodes = self.nodes.clone();
        Arc::new(move |stream: TcpStream| {
            let peer = stream.peer_addr().ok();
            let found = peer.and_then(|peer| all.get(nodes.at(peer.ip())).cloned());
            Box::pin(async move {
                let Some(metadata) = found else { return };
                let view = MetadataView {
                    metadata,
                    imds: Imds::default(),
                    hops: 1,
                };
                if let Err(error) = view.serve(Box::new(stream)).await {
                    tracing::debug!(%error, "a connection to instance metadata broke");
                }
            })
        })
    }

    fn events(self: &Arc<Self>) -> super::port::Take {
        let nodes = self.nodes.clone();
        let journal = self.config.journal.clone();
        Arc::new(move |stream: TcpStream| {
            let (nodes, journal) = (nodes.clone(), journal.clone());
            Box::pin(async move {
                agent_events::record(stream, &journal, |node| nodes.name_of(node)).await;
            })
        })
    }

    /// Starts the webhook.
    pub(super) async fn start_webhook(&self, amazon: Option<AmazonWebhook>) -> Result<Admission> {
        let config = &self.config;
        let address = self.external.ports.webhook.address();
        let admission = AdmissionConfig {
            client: self.external.config.client.clone(),
            cluster: config.name.clone(),
            region: config.region.clone(),
            clock: config.clock.clone(),
            ids: config.ids.clone(),
            journal: config.journal.clone(),
            associations: Arc::clone(&config.associations),
            endpoint: config.endpoint_in_pods.clone(),
            address,
            identity: self.external.identity.clone(),
            amazon,
        };
        let external = Arc::clone(&self.external);
        let open = move |server| {
            external.ports.webhook.serve(pass_on(server))?;
            Ok(ToWebhook(external))
        };
        Admission::start(admission, open).await.map_err(|error| match error {
            ClusterError::Kubernetes { what, message } if !what.starts_with("Amazon's") => ClusterError::Kubernetes {
                what,
                message: format!(
                    "{message} (it must reach https://{address}; --host-address names another address of this machine)"
                ),
            },
            other => other,
        })
    }

    /// Follows the pods, and the logs of agents that do not send theirs.
    pub(super) fn follow(self: &Arc<Self>) {
        let client = self.external.config.client.clone();
        let pods = Inhabitants::new(&self.config.name).follow(
            client,
            self.config.journal.clone(),
            Box::new(|_| {}),
        );
        let mut tasks = vec![tokio::spawn(pods).abort_handle()];
        if self.has_real_agent() {
            let nodes = self.nodes.clone();
            let logs = self.agents.clone().follow_logs(
                self.config.journal.clone(),
                Arc::new(move |node| nodes.name_of(node)),
            );
            tasks.push(tokio::spawn(logs).abort_handle());
        }
        lock(&self.tasks).extend(tasks);
    }

    fn has_real_agent(&self) -> bool {
        matches!(
            self.config.agent_kind,
            AgentKind::Real(_) | AgentKind::Image(_)
        )
    }

    /// Sees to it that the agent runs where it is to, and says so.
    pub(super) async fn run_agent(&self, started: &[String]) -> Result<()> {
        let install = lock(&self.agent).clone();
        let Some(install) = install else {
            return Ok(());
        };
        self.external
            .run_agent(&install, &self.nodes, &self.agents)
            .await?;
        for node in started {
            let event = install::started(&self.config, node.clone()).await;
            self.config.journal.record(event);
        }
        Ok(())
    }

    /// What a node's agent is doing.
    pub(super) async fn agent_state(&self, node: &str) -> Result<AgentState> {
        let real = self.nodes.real_of(node)?;
        let install = lock(&self.agent).clone();
        let Some(install) = install else {
            return Ok(AgentState::Absent);
        };
        if install.stopped.iter().any(|stopped| stopped == real) {
            return Ok(AgentState::Stopped);
        }
        let pods = self.agents.pods(Some(real)).await;
        let pods = pods.map_err(crate::kubernetes::other("look at an agent"))?;
        let status = pods.into_iter().next().and_then(|pod| pod.status);
        let container = status
            .and_then(|status| status.container_statuses)
            .and_then(|all| all.into_iter().next());
        let ended = container.as_ref().and_then(|container| {
            let states = [&container.state, &container.last_state];
            states
                .into_iter()
                .flatten()
                .find_map(|state| state.terminated.clone())
        });
        let runs = container
            .and_then(|container| container.state)
            .is_some_and(|state| state.running.is_some());
        Ok(match (runs, ended) {
            (true, _) => AgentState::Running,
            (false, Some(ended)) => AgentState::Crashed(
                ended
                    .message
                    .unwrap_or_else(|| format!("it ended with status {}", ended.exit_code)),
            ),
            (false, None) => AgentState::Stopped,
        })
    }

    /// Puts a fault between agents and EKS Auth.
    pub(super) fn set_fault(&self, node: &str, fault: Option<NetworkFault>) -> io::Result<()> {
        let place = FaultPlace::AgentToEksAuth(node.to_owned());
        self.faults.set(place.clone(), fault);
        // With several nodes each connection is looked at by itself.
        let door = match self.nodes.is_one() {
            true => self.faults.door(&[place]),
            false => Door::Open,
        };
        self.external.ports.eks_auth.set(door)
    }

    /// Sees to it that the webhook knows what it is to know when a pod is made.
    pub(super) async fn webhook_up_to_date(&self) -> Result<()> {
        let webhook = lock(&self.admission).clone();
        match webhook {
            Some(webhook) => webhook.up_to_date().await,
            None => Ok(()),
        }
    }

    /// A new pod: writes down that the webhook had no say in it, if so.
    pub(super) fn admitted(&self, pod: &Pod) {
        let Some(webhook) = lock(&self.admission).clone() else {
            return;
        };
        let Some(reason) = webhook.missed() else {
            return webhook.admitted(pod);
        };
        let spec = pod.spec.as_ref();
        let account = spec.and_then(|spec| spec.service_account_name.clone());
        let node = spec.and_then(|spec| spec.node_name.as_deref());
        self.config.journal.record(Event::PodAdmitted {
            pod: self.workloads.reference(pod),
            service_account: account.unwrap_or_default(),
            node: self.nodes.name_of(node.unwrap_or_default()),
            mutated: false,
            reason,
            detail: None,
        });
    }

    /// A pod that runs: writes its tokens into the journal, where they can be read at once.
    pub(super) async fn settle_in(&self, pod: &Pod) {
        let ours = self.inside.ours(pod);
        for place in token_places(pod) {
            if ours.contains(&place.container) {
                self.record(pod, &place).await;
            }
        }
    }

    async fn record(&self, pod: &Pod, place: &TokenPlace) {
        let read = self.inside.read(pod, place).await;
        if let Some(token) = read.ok().and_then(|token| issued(token).ok()) {
            self.config.journal.record(Event::TokenIssued {
                pod: self.workloads.reference(pod),
                audience: place.audience.clone(),
                jti: token.jti,
                issued_at: token.issued_at,
                expires_at: token.expires_at,
                rotation: false,
            });
        }
    }

    pub(super) async fn fetch(&self, pod: &Pod, request: &FetchRequest) -> Result<FetchResponse> {
        let name = PodName::new(pod.namespace().unwrap_or_default(), pod.name_any());
        let failed = |source| ClusterError::Fetch {
            pod: name.clone(),
            target: request
                .target
                .clone()
                .unwrap_or_else(|| "169.254.170.23:80".into()),
            source,
        };
        let address = target(request, 80).map_err(failed)?;
        let to_agent = request.target.is_none();
        let journal = &self.config.journal;
        let before = journal.last();
        let fetching = self.inside.fetch(pod, request, address);
        let answer = match tokio::time::timeout(request.timeout, fetching).await {
            Ok(answer) => answer?.map_err(failed)?,
            Err(_) => return Err(failed(io::ErrorKind::TimedOut.into())),
        };
        match to_agent {
            true if self.has_real_agent() => {
                let real = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
                let node = self.nodes.name_of(&real.unwrap_or_default());
                let pod = self.workloads.reference(pod);
                journal.record(request.agent_request(node, pod, &answer));
            }
            true => agent_events::until_told(journal, before).await,
            false => {}
        }
        Ok(answer)
    }
}

struct To(SocketAddr);

#[async_trait]
impl Target for To {
    async fn serve(&self, wire: Box<dyn Wire>) -> io::Result<()> {
        relay::copy(wire, TcpStream::connect(self.0).await?).await
    }
}

/// Keys that an agent asks for anew each time.
struct Short {
    clock: Clock,
    source: Arc<dyn NodeCredentials>,
}

#[async_trait]
impl NodeCredentials for Short {
    async fn keys(&self, node: &str) -> Option<NodeKeys> {
        let keys = self.source.keys(node).await?;
        Some(NodeKeys {
            expires_at: Some(self.clock.now() + SHORT),
            ..keys
        })
    }
}

/// The API server's way to the webhook.
struct ToWebhook(Arc<External>);

impl Way for ToWebhook {
    fn disturb(&self, fault: LinkFault) {
        let door = match fault {
            LinkFault::None | LinkFault::Latency(_) => Door::Open,
            LinkFault::Refuse => Door::Refuse,
            LinkFault::Drop => Door::Blackhole,
        };
        if let Err(error) = self.0.ports.webhook.set(door) {
            tracing::warn!(%error, "the way to the webhook could not be disturbed");
        }
    }
}
