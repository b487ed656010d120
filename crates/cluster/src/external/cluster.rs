//! One world's cluster on an external one.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, atomic::Ordering},
};

use async_trait::async_trait;
use emu_core::{Event, ServiceAccountRef};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};

use super::{
    config::ExternalClusterConfig,
    inside::Inside,
    install::NO_IMAGE,
    nodes::Nodes,
    world::{World, lock},
};
use crate::{
    cluster::{
        AgentAction, AgentState, Capabilities, Cluster, ClusterError, ClusterKind, MintRequest,
        PodName, Result,
    },
    fault::{FaultPlace, NetworkFault, WebhookFault},
    fetch::{FetchRequest, FetchResponse},
    image::EMU_PROGRAM,
    kubernetes::{
        WebhookKind, Workloads, WorkloadsConfig, agent_set::AgentSet, other,
        projected::token_places,
    },
    program::{Program, Running},
    sandbox::{AgentKind, faults::Faults},
    token::{IssuedToken, TokenFault},
};

/// One world's cluster on an external one. Dropping it leaves the cluster to the next; what is installed stays until
/// [`External::close`](super::External::close).
pub struct ExternalCluster {
    world: Arc<World>,
}

impl ExternalCluster {
    /// Installs what is not there yet, and waits until it works.
    ///
    /// # Errors
    /// When another world is on the cluster, something does not come up, or the cluster does not reach this machine.
    pub async fn start(mut config: ExternalClusterConfig) -> Result<Self> {
        let external = Arc::clone(&config.external);
        if !config.twin_instead {
            return Self::start_with(config).await;
        }
        if !external.no_agent_image.load(Ordering::Relaxed) {
            match Self::start_with(config.clone()).await {
                Err(ClusterError::Agent { message, .. }) if message.contains(NO_IMAGE) => {
                    (external.config.tell)(&format!("{message}; the twin runs instead"));
                    external.no_agent_image.store(true, Ordering::Relaxed);
                }
                outcome => return outcome,
            }
        }
        config.agent_kind = AgentKind::Twin;
        Self::start_with(config).await
    }

    /// Which agent its nodes have.
    pub fn agent_kind(&self) -> &AgentKind {
        &self.world.config.agent_kind
    }

    async fn start_with(config: ExternalClusterConfig) -> Result<Self> {
        let external = Arc::clone(&config.external);
        let kind = external.config.kind;
        let held =
            Arc::clone(&external.turn)
                .try_lock_owned()
                .map_err(|_| ClusterError::Unsupported {
                    kind,
                    what: "be several clusters".into(),
                    why: "it is one, and in use".into(),
                })?;
        let client = external.config.client.clone();
        let nodes = Nodes::read(&client, kind, &config.nodes).await?;
        let image = match external.emu_image(&nodes).await {
            Ok(image) => Some(image),
            // Amazon's agent runs without it; what needs it says so.
            Err(_)
                if matches!(config.agent_kind, AgentKind::Image(_))
                    && config.webhook_kind == WebhookKind::Emu =>
            {
                None
            }
            Err(error) => return Err(error),
        };
        let install = external
            .agent_install(&config, &nodes, image.as_ref())
            .await?;
        let amazon = external.amazon_webhook(&config, image.as_ref()).await?;
        external.tell(
            install.as_ref(),
            amazon.as_ref(),
            config.endpoint_in_pods.is_some(),
        )?;
        let workloads = Workloads::new(
            client.clone(),
            WorkloadsConfig {
                kind,
                cluster: config.name.clone(),
                journal: config.journal.clone(),
                pod_image: image
                    .as_ref()
                    .map(|image| image.reference.clone())
                    .unwrap_or_default(),
                folders: Vec::new(),
                env: config.env.clone(),
                idle: vec!["pause".into()],
                env_program: [EMU_PROGRAM, "pod", "env"].map(String::from).to_vec(),
                guest: true,
                end_marked: None,
            },
        );
        let world = Arc::new(World {
            faults: Arc::new(Faults::new(config.journal.clone(), config.ids.clone())),
            agents: AgentSet::new(client.clone()),
            inside: Inside { client, image },
            admission: Mutex::default(),
            agent: Mutex::new(install),
            turn: tokio::sync::Mutex::default(),
            tasks: Mutex::default(),
            held: Mutex::new(Some(held)),
            workloads,
            nodes,
            external,
            config,
        });
        for node in world.nodes.names() {
            world.config.journal.record(Event::NodeStarted {
                cluster: world.config.name.clone(),
                node,
            });
        }
        world.serve()?;
        let names = world.nodes.names();
        let (admission, ()) =
            tokio::try_join!(world.start_webhook(amazon), world.run_agent(&names))?;
        *lock(&world.admission) = Some(Arc::new(admission));
        world.follow();
        Ok(Self { world })
    }

    /// The workloads, for what this trait does not do.
    pub fn workloads(&self) -> &Workloads {
        &self.world.workloads
    }

    /// Where agents find EKS Auth: on this machine, with the faults on the way.
    pub fn eks_auth(&self) -> SocketAddr {
        self.world.external.ports.eks_auth.address()
    }
}

#[async_trait]
impl Cluster for ExternalCluster {
    fn kind(&self) -> ClusterKind {
        self.world.external.config.kind
    }

    fn name(&self) -> &str {
        &self.world.config.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            virtual_time: false,
            network_faults: true,
            token_faults: false,
            true_addresses: true,
            users: true,
            agent_control: true,
            local_programs: false,
            imds: false,
        }
    }

    async fn nodes(&self) -> Result<Vec<String>> {
        Ok(self.world.nodes.names())
    }

    async fn apply_service_account(&self, account: ServiceAccount) -> Result<ServiceAccount> {
        self.world.workloads.apply_service_account(account).await
    }

    async fn delete_service_account(&self, account: &ServiceAccountRef) -> Result<()> {
        self.world.workloads.delete_service_account(account).await
    }

    async fn create_pod(&self, pod: Pod, node: Option<&str>) -> Result<Pod> {
        let nodes = &self.world.nodes;
        let node = match node {
            Some(node) => Some(nodes.real_of(node)?),
            None => nodes.usual(),
        };
        self.world.webhook_up_to_date().await?;
        let pod = self.world.workloads.create_pod(pod, node).await?;
        self.world.admitted(&pod);
        self.world.settle_in(&pod).await;
        Ok(pod)
    }

    async fn pod(&self, pod: &PodName) -> Result<Pod> {
        self.world.workloads.pod(pod).await
    }

    async fn delete_pod(&self, pod: &PodName) -> Result<()> {
        self.world.workloads.delete_pod(pod).await.map(drop)
    }

    async fn restart_pod(&self, name: &PodName) -> Result<()> {
        let pod = self.pod(name).await?;
        let policy = pod.spec.as_ref().and_then(|s| s.restart_policy.clone());
        if policy.as_deref() == Some("Never") {
            return Err(self.unsupported("restart a pod", "its restart policy is Never"));
        }
        let ours = self.world.inside.ours(&pod);
        let statuses = pod
            .status
            .as_ref()
            .and_then(|s| s.container_statuses.clone());
        let statuses = statuses.unwrap_or_default();
        if statuses.iter().any(|status| !ours.contains(&status.name)) {
            return Err(self.unsupported(
                "restart a pod",
                "only containers of emu's own image can be ended from here",
            ));
        }
        let before: i32 = statuses.iter().map(|status| status.restart_count).sum();
        for container in &ours {
            self.world.inside.end(&pod, container).await?;
        }
        let after = before + ours.len() as i32;
        let running = self.world.workloads.await_running(name, after).await?;
        self.world.settle_in(&running).await;
        Ok(())
    }

    async fn recreate_pod(&self, pod: &PodName) -> Result<Pod> {
        self.world.webhook_up_to_date().await?;
        let pod = self.world.workloads.recreate_pod(pod).await?;
        self.world.admitted(&pod);
        self.world.settle_in(&pod).await;
        Ok(pod)
    }

    async fn start(&self, pod: &PodName, program: Program) -> Result<Box<dyn Running>> {
        self.world.workloads.start(pod, program).await
    }

    async fn read_token(&self, pod: &PodName, audience: &str) -> Result<String> {
        let stored = self.pod(pod).await?;
        let place = token_places(&stored)
            .into_iter()
            .find(|place| place.audience == audience)
            .ok_or_else(|| ClusterError::NotFound {
                what: "token for the audience",
                name: audience.to_owned(),
            })?;
        self.world.inside.read(&stored, &place).await
    }

    async fn rotate_tokens(&self, _pod: &PodName) -> Result<()> {
        Err(self.unsupported(
            "replace a pod's tokens",
            "its kubelet decides when, and is not ours to restart",
        ))
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
        let _turn = self.world.turn.lock().await;
        let real = self.world.nodes.real_of(node)?.to_owned();
        let change = |stop: bool| {
            let mut agent = lock(&self.world.agent);
            let Some(install) = &mut *agent else {
                return Err(ClusterError::Agent {
                    node: node.to_owned(),
                    message: "the node has none".into(),
                });
            };
            install.stopped.retain(|stopped| *stopped != real);
            if stop {
                install.stopped.push(real.clone());
            }
            Ok(())
        };
        if action != AgentAction::Start {
            change(true)?;
            self.world.run_agent(&[]).await?;
            let ended = self.world.agents.end_pods(Some(&real)).await;
            ended.map_err(other("stop an agent"))?;
            self.world.config.journal.record(Event::AgentStopped {
                node: node.to_owned(),
                reason: "stopped".into(),
            });
        }
        if action != AgentAction::Stop {
            change(false)?;
            self.world.run_agent(&[node.to_owned()]).await?;
        }
        Ok(())
    }

    async fn agent_state(&self, node: &str) -> Result<AgentState> {
        self.world.agent_state(node).await
    }

    async fn fetch(&self, name: &PodName, request: FetchRequest) -> Result<FetchResponse> {
        let pod = self.pod(name).await?;
        self.world.fetch(&pod, &request).await
    }

    async fn set_fault(&self, place: FaultPlace, fault: Option<NetworkFault>) -> Result<()> {
        let FaultPlace::AgentToEksAuth(node) = place else {
            return match fault {
                None => Ok(()),
                Some(_) => Err(self.unsupported(
                    "disturb the way from pods to their agent",
                    "it lies on the node, which is not ours",
                )),
            };
        };
        self.world.nodes.real_of(&node)?;
        self.world
            .set_fault(&node, fault)
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
        let webhook = lock(&self.world.admission).clone();
        match webhook {
            Some(webhook) => webhook.set_fault(fault.as_ref()).await,
            None => Ok(()),
        }
    }

    fn kubeconfig(&self) -> Option<PathBuf> {
        let access = self.world.external.config.access.as_ref()?;
        match access.kubeconfig.as_slice() {
            [one] => Some(one.clone()),
            _ => None,
        }
    }

    async fn load_images(&self, archive: &Path) -> Result<Vec<String>> {
        match &self.world.external.config.images {
            Some(loader) => loader.load(archive).await.map(|()| Vec::new()),
            None => Err(self.unsupported("load images", "it pulls them")),
        }
    }

    async fn teardown(&self) -> Result<()> {
        self.world.let_go();
        self.world.workloads.clear().await
    }
}
