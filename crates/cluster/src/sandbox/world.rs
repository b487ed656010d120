//! The sandbox itself: its nodes, service accounts and pods.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use async_trait::async_trait;
use emu_core::{Event, ServiceAccountRef, journal::PodRef};
use k8s_openapi::api::core::v1::{Pod, PodStatus, ServiceAccount};

use super::{
    admission,
    agent::LastWords,
    config::{AgentKind, NodeSpec, SandboxConfig},
    directory::Directory,
    faults::Faults,
    fetch,
    isolation::Isolation,
    node::{AgentNeeds, Node},
    pod::{Parts, PodRecord, Surroundings},
    programs::Spawner,
    tokens::{Mint, PodTokens},
    virtual_time::Groups,
    webhook::Webhook,
};
use crate::{
    cluster::{
        AgentAction, AgentState, Capabilities, Cluster, ClusterError, ClusterKind, MintRequest,
        PodName, Result,
    },
    fault::{FaultPlace, NetworkFault, WebhookFault},
    fetch::{FetchRequest, FetchResponse},
    program::{Program, Running},
    token::{BoundPod, IssuedToken, TokenFault, TokenRequest, TokenSubject},
};

/// A cluster in a box. Must be made and used within a multi-threaded or current-thread tokio runtime with I/O and time.
/// Dropping it ends every program, closes every socket and removes every file it made.
pub struct Sandbox {
    pub(super) world: Arc<World>,
}

pub(super) struct World {
    config: Arc<SandboxConfig>,
    isolation: Isolation,
    virtual_time: Option<Groups>,
    faults: Arc<Faults>,
    spawner: Arc<Spawner>,
    webhook: Webhook,
    accounts: Mutex<BTreeMap<ServiceAccountRef, ServiceAccount>>,
    nodes: RwLock<Vec<Arc<Node>>>,
    pods: Mutex<BTreeMap<PodName, Arc<PodRecord>>>,
    directory: Directory,
}

impl Sandbox {
    /// Starts it, with its nodes and their agents.
    ///
    /// # Errors
    /// When the machine does not do its part, or a node's agent cannot be started.
    pub async fn start(config: SandboxConfig) -> Result<Self> {
        let system = ClusterError::system;
        let isolation = match &config.isolation {
            Some(isolation) => isolation.clone(),
            None => tokio::task::spawn_blocking(Isolation::detect)
                .await
                .map_err(|e| ClusterError::System {
                    what: "find out what this machine allows".into(),
                    source: e.into(),
                })?,
        };
        let directory = Directory::new().map_err(system("make a directory for the sandbox"))?;
        let virtual_time = config.virtual_time && emu_vtime::supported().is_ok();
        let specs = config.nodes.clone();
        let sandbox = Self {
            world: Arc::new(World {
                isolation,
                virtual_time: virtual_time.then(|| Groups::new(config.clock.clone())),
                faults: Arc::new(Faults::new(config.journal.clone(), config.ids.clone())),
                spawner: Arc::new(Spawner::new().map_err(system("start a thread"))?),
                webhook: Webhook::new(&config),
                accounts: Mutex::default(),
                nodes: RwLock::default(),
                pods: Mutex::default(),
                directory,
                config: Arc::new(config),
            }),
        };
        for spec in specs {
            sandbox.add_node(spec).await?;
        }
        Ok(sandbox)
    }

    /// How pods are set apart here.
    pub fn isolation(&self) -> &Isolation {
        &self.world.isolation
    }

    /// Lets a node join, and starts its agent if it has one that starts by itself.
    ///
    /// # Errors
    /// When there is such a node, or its agent cannot be started.
    pub async fn add_node(&self, spec: NodeSpec) -> Result<()> {
        let world = &self.world;
        let started = spec.agent.started && spec.agent.kind != AgentKind::Absent;
        let node = Arc::new(Node::new(spec, &world.config));
        {
            let mut nodes = world.nodes.write().unwrap_or_else(PoisonError::into_inner);
            if nodes.iter().any(|n| n.spec.name == node.spec.name) {
                return Err(ClusterError::Exists {
                    what: "node",
                    name: node.spec.name.clone(),
                });
            }
            nodes.push(Arc::clone(&node));
        }
        world.config.journal.record(Event::NodeStarted {
            cluster: world.config.name.clone(),
            node: node.spec.name.clone(),
        });
        if started {
            node.start_agent(world.agent_needs(&node).await?).await?;
        }
        Ok(())
    }

    /// Takes a node away, with its pods.
    ///
    /// # Errors
    /// When there is no such node.
    pub async fn remove_node(&self, name: &str) -> Result<()> {
        let node = self.world.node(name)?;
        for pod in self.world.pods_on(name) {
            self.world.delete(&pod.name)?;
        }
        node.stop_agent(&self.world.config).await;
        let mut nodes = self
            .world
            .nodes
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        nodes.retain(|n| n.spec.name != name);
        Ok(())
    }

    /// The pods there are.
    pub fn pods(&self) -> Vec<PodName> {
        lock(&self.world.pods).keys().cloned().collect()
    }

    /// The variables a program of a pod gets, for whoever plays one within this process. Where pods have true
    /// addresses, these are true within the pod only.
    ///
    /// # Errors
    /// When there is no such pod or container.
    pub fn program_env(
        &self,
        pod: &PodName,
        container: Option<&str>,
    ) -> Result<BTreeMap<String, String>> {
        let pod = self.world.pod(pod)?;
        Ok(pod.env(pod.container(container)?, &self.world.config))
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn node(&self, name: &str) -> Result<Arc<Node>> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        let found = nodes.iter().find(|n| n.spec.name == name);
        found.cloned().ok_or_else(|| ClusterError::no_node(name))
    }

    pub(super) fn pod(&self, name: &PodName) -> Result<Arc<PodRecord>> {
        let found = lock(&self.pods).get(name).cloned();
        found.ok_or_else(|| ClusterError::no_pod(name))
    }

    fn pods_on(&self, node: &str) -> Vec<Arc<PodRecord>> {
        let pods = lock(&self.pods);
        let on = pods.values().filter(|p| p.node.spec.name == node);
        on.cloned().collect()
    }

    pub(super) async fn group(
        self: &Arc<Self>,
        offset: i64,
    ) -> Result<Option<Arc<emu_vtime::Group>>> {
        if self.virtual_time.is_none() {
            return Ok(None);
        }
        let world = Arc::clone(self);
        let made = tokio::task::spawn_blocking(move || {
            world
                .virtual_time
                .as_ref()
                .map(|g| g.group(offset))
                .transpose()
        });
        let what = "put programs under virtual time";
        match made.await {
            Ok(group) => group.map_err(ClusterError::system(what)),
            Err(e) => Err(ClusterError::system(what)(e.into())),
        }
    }

    async fn agent_needs(self: &Arc<Self>, node: &Arc<Node>) -> Result<AgentNeeds> {
        let group = match node.spec.agent.kind {
            AgentKind::Real(_) => self.group(node.spec.clock_offset).await?,
            _ => None,
        };
        let (world, name) = (Arc::downgrade(self), node.spec.name.clone());
        Ok(AgentNeeds {
            config: Arc::clone(&self.config),
            isolation: self.isolation.clone(),
            faults: Arc::clone(&self.faults),
            spawner: Arc::clone(&self.spawner),
            group,
            empty: self.directory.empty(),
            ended: Arc::new(move |LastWords(words)| {
                if let Some(world) = world.upgrade()
                    && let Ok(node) = world.node(&name)
                {
                    node.ended(words, &world.config);
                    world.refresh(&name);
                }
            }),
        })
    }

    /// Opens and shuts the doors of a node and its pods.
    fn refresh(&self, node: &str) {
        for pod in self.pods_on(node) {
            if let Err(e) = pod.refresh() {
                tracing::warn!("the sockets of pod {} do not obey: {e}", pod.name);
            }
        }
        if let Ok(node) = self.node(node)
            && let Err(e) = node.refresh_upstream(&self.faults)
        {
            tracing::warn!("the sockets of node {} do not obey: {e}", node.spec.name);
        }
    }

    fn delete(&self, name: &PodName) -> Result<Arc<PodRecord>> {
        let pod = lock(&self.pods).remove(name);
        let pod = pod.ok_or_else(|| ClusterError::no_pod(name))?;
        pod.close();
        pod.node.forget(&pod.reference);
        self.config.journal.record(Event::PodDeleted {
            pod: pod.reference.clone(),
        });
        Ok(pod)
    }

    fn pick(&self, pod: &Pod, node: Option<&str>) -> Result<Arc<Node>> {
        let named = pod.spec.as_ref().and_then(|s| s.node_name.as_deref());
        if let Some(name) = node.or(named) {
            return self.node(name);
        }
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        // The emptiest, as a scheduler would; the first of them.
        let load = |n: &Arc<Node>| self.pods_on(&n.spec.name).len();
        let found = nodes.iter().min_by_key(|n| load(n));
        found
            .cloned()
            .ok_or_else(|| ClusterError::no_node("at all"))
    }

    fn account(&self, account: &ServiceAccountRef, pod: &str) -> Result<ServiceAccount> {
        let known = lock(&self.accounts).get(account).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        if account.service_account == "default" {
            // Every namespace has one.
            return Ok(self.apply(account.clone(), ServiceAccount::default()));
        }
        Err(ClusterError::Refused {
            message: format!(
                "pods \"{pod}\" is forbidden: error looking up service account {account}: serviceaccount \"{}\" not \
                 found",
                account.service_account
            ),
        })
    }

    fn apply(&self, key: ServiceAccountRef, mut account: ServiceAccount) -> ServiceAccount {
        let mut accounts = lock(&self.accounts);
        let known = accounts.get(&key).and_then(|a| a.metadata.uid.clone());
        account.metadata.uid = Some(known.unwrap_or_else(|| self.config.ids.uuid().to_string()));
        account.metadata.namespace = Some(key.namespace.clone());
        account.metadata.name = Some(key.service_account.clone());
        self.webhook
            .learn(&key.namespace, &key.service_account, &account);
        accounts.insert(key, account.clone());
        account
    }

    async fn create(&self, submitted: Pod, node: Option<&str>) -> Result<Pod> {
        let mut pod = submitted.clone();
        admission::defaults(&mut pod, &self.config.ids);
        admission::validate(&pod)?;
        let meta = &pod.metadata;
        let name = PodName::new(
            meta.namespace.clone().unwrap_or_default(),
            meta.name.clone().unwrap_or_default(),
        );
        if lock(&self.pods).contains_key(&name) {
            return Err(ClusterError::Exists {
                what: "pod",
                name: name.to_string(),
            });
        }
        let node = self.pick(&pod, node)?;
        let account_name = pod
            .spec
            .as_ref()
            .and_then(|s| s.service_account_name.clone())
            .unwrap_or_default();
        let account_key = ServiceAccountRef::new(&name.namespace, &account_name);
        let account = self.account(&account_key, &name.name)?;
        let admission = self.webhook.admit(&pod, &name.namespace)?;
        let mut stored = admission.pod;
        admission::validate(&stored)?;
        let uid = self.config.ids.uuid().to_string();
        let now = self.config.clock.skewed(self.config.api_server_skew).now();
        stored.metadata.uid = Some(uid.clone());
        stored.metadata.creation_timestamp =
            Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(now));
        stored.spec.get_or_insert_default().node_name = Some(node.spec.name.clone());
        stored.status = Some(PodStatus {
            phase: Some("Running".into()),
            pod_ip: Some("127.0.0.1".into()),
            ..PodStatus::default()
        });
        let reference = PodRef {
            cluster: self.config.name.clone(),
            namespace: name.namespace.clone(),
            name: name.name.clone(),
            uid: uid.clone(),
        };
        self.config.journal.record(Event::PodAdmitted {
            pod: reference.clone(),
            service_account: account_name.clone(),
            node: node.spec.name.clone(),
            mutated: admission.mutated,
            reason: admission.reason,
            detail: admission.detail,
        });
        let mint = Mint {
            issuer: Arc::clone(&self.config.issuer),
            api_server: self.config.clock.skewed(self.config.api_server_skew),
            node: node.clock.clone(),
            journal: self.config.journal.clone(),
            pod: reference.clone(),
            subject: TokenSubject {
                namespace: name.namespace.clone(),
                service_account: account_name,
                service_account_uid: account.metadata.uid.unwrap_or_default(),
                pod: Some(BoundPod {
                    name: name.name.clone(),
                    uid: uid.clone(),
                    node: Some((node.spec.name.clone(), node.uid.clone())),
                }),
            },
        };
        let directory = self.directory.path().join(uid);
        let tokens = PodTokens::project(&stored, &directory, mint)?;
        let parts = Parts {
            name: name.clone(),
            reference,
            submitted,
            stored: stored.clone(),
            node: Arc::clone(&node),
            tokens,
            directory,
        };
        let around = Surroundings {
            config: &self.config,
            isolation: &self.isolation,
            faults: &self.faults,
            empty: &self.directory.empty(),
        };
        let record = PodRecord::create(parts, around).await?;
        lock(&self.pods).insert(name, Arc::clone(&record));
        // The agent or the faults may have changed while the pod was made.
        record
            .refresh()
            .map_err(ClusterError::system("open a pod's sockets"))?;
        Ok(stored)
    }

    fn refused(&self, pod: &Pod, error: &ClusterError) {
        if let ClusterError::Refused { message } = error {
            let meta = &pod.metadata;
            self.config.journal.record(Event::PodRefused {
                namespace: meta.namespace.clone().unwrap_or_else(|| "default".into()),
                name: meta.name.clone().unwrap_or_default(),
                message: message.clone(),
            });
        }
    }
}

#[async_trait]
impl Cluster for Sandbox {
    fn kind(&self) -> ClusterKind {
        ClusterKind::Sandbox
    }

    fn name(&self) -> &str {
        &self.world.config.name
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            virtual_time: self.world.virtual_time.is_some(),
            network_faults: true,
            token_faults: true,
            true_addresses: self.world.isolation.is_true(),
            users: nix::unistd::geteuid().is_root()
                && self.world.isolation != Isolation::UserNamespaces,
            agent_control: true,
            local_programs: true,
            imds: true,
        }
    }

    async fn nodes(&self) -> Result<Vec<String>> {
        let nodes = self
            .world
            .nodes
            .read()
            .unwrap_or_else(PoisonError::into_inner);
        Ok(nodes.iter().map(|n| n.spec.name.clone()).collect())
    }

    async fn apply_service_account(&self, account: ServiceAccount) -> Result<ServiceAccount> {
        let meta = &account.metadata;
        let namespace = meta.namespace.clone().unwrap_or_else(|| "default".into());
        let Some(name) = meta.name.clone().filter(|n| !n.is_empty()) else {
            return Err(ClusterError::Refused {
                message: "ServiceAccount \"\" is invalid: metadata.name: Required value: name or generateName is required"
                    .into(),
            });
        };
        Ok(self
            .world
            .apply(ServiceAccountRef::new(namespace, name), account))
    }

    async fn delete_service_account(&self, account: &ServiceAccountRef) -> Result<()> {
        self.world
            .webhook
            .forget(&account.namespace, &account.service_account);
        match lock(&self.world.accounts).remove(account) {
            Some(_) => Ok(()),
            None => Err(ClusterError::NotFound {
                what: "service account",
                name: account.to_string(),
            }),
        }
    }

    async fn create_pod(&self, pod: Pod, node: Option<&str>) -> Result<Pod> {
        let created = self.world.create(pod.clone(), node).await;
        created.inspect_err(|e| self.world.refused(&pod, e))
    }

    async fn pod(&self, pod: &PodName) -> Result<Pod> {
        Ok(self.world.pod(pod)?.stored.clone())
    }

    async fn delete_pod(&self, pod: &PodName) -> Result<()> {
        self.world.delete(pod).map(drop)
    }

    async fn restart_pod(&self, pod: &PodName) -> Result<()> {
        self.world.pod(pod)?.end_programs();
        Ok(())
    }

    async fn recreate_pod(&self, pod: &PodName) -> Result<Pod> {
        let old = self.world.delete(pod)?;
        let mut submitted = old.submitted.clone();
        // A generated name is drawn only once: the step that asked for this named the pod.
        submitted.metadata.name = Some(pod.name.clone());
        let node = old.node.spec.name.clone();
        drop(old);
        self.create_pod(submitted, Some(&node)).await
    }

    async fn start(&self, pod: &PodName, program: Program) -> Result<Box<dyn Running>> {
        let pod = self.world.pod(pod)?;
        let group = self.world.group(pod.node.spec.clock_offset).await?;
        let started = pod.start(program, &self.world.spawner, &self.world.config, group);
        Ok(Box::new(started.await?))
    }

    async fn read_token(&self, pod: &PodName, audience: &str) -> Result<String> {
        let record = self.world.pod(pod)?;
        let file = record
            .tokens
            .file(audience)
            .ok_or_else(|| ClusterError::NotFound {
                what: "token",
                name: format!("for {audience} in pod {pod}"),
            })?;
        std::fs::read_to_string(file).map_err(ClusterError::system("read the token's file"))
    }

    async fn rotate_tokens(&self, pod: &PodName) -> Result<()> {
        self.world.pod(pod)?.tokens.rotate()
    }

    async fn set_token_fault(&self, pod: &PodName, fault: Option<TokenFault>) -> Result<()> {
        self.world.pod(pod)?.tokens.set_fault(fault)
    }

    async fn mint_token(&self, request: MintRequest) -> Result<IssuedToken> {
        let world = &self.world;
        let key = &request.service_account;
        let known = lock(&world.accounts).get(key).cloned();
        let account = known.ok_or_else(|| ClusterError::NotFound {
            what: "service account",
            name: key.to_string(),
        })?;
        let pod = match &request.pod {
            Some(pod) => {
                let pod = world.pod(pod)?;
                Some(BoundPod {
                    name: pod.name.name.clone(),
                    uid: pod.reference.uid.clone(),
                    node: Some((pod.node.spec.name.clone(), pod.node.uid.clone())),
                })
            }
            None => None,
        };
        Ok(world.config.issuer.issue(&TokenRequest {
            subject: TokenSubject {
                namespace: key.namespace.clone(),
                service_account: key.service_account.clone(),
                service_account_uid: account.metadata.uid.unwrap_or_default(),
                pod,
            },
            audiences: request.audiences,
            now: world
                .config
                .clock
                .skewed(world.config.api_server_skew)
                .now(),
            seconds: request.seconds,
        })?)
    }

    async fn agent(&self, node: &str, action: AgentAction) -> Result<()> {
        let record = self.world.node(node)?;
        if matches!(action, AgentAction::Stop | AgentAction::Restart) {
            record.stop_agent(&self.world.config).await;
        }
        let mut outcome = Ok(());
        if matches!(action, AgentAction::Start | AgentAction::Restart) {
            outcome = record
                .start_agent(self.world.agent_needs(&record).await?)
                .await;
        }
        self.world.refresh(node);
        outcome
    }

    async fn agent_state(&self, node: &str) -> Result<AgentState> {
        Ok(self.world.node(node)?.state())
    }

    async fn fetch(&self, pod: &PodName, request: FetchRequest) -> Result<FetchResponse> {
        let record = self.world.pod(pod)?;
        fetch::fetch(&record, &request)
            .await
            .map_err(|source| ClusterError::Fetch {
                pod: pod.clone(),
                target: request.target.unwrap_or_else(|| "the agent".into()),
                source,
            })
    }

    async fn set_fault(&self, place: FaultPlace, fault: Option<NetworkFault>) -> Result<()> {
        let node = match &place {
            FaultPlace::PodToAgent(pod) => self.world.pod(pod)?.node.spec.name.clone(),
            FaultPlace::NodePodsToAgent(node) | FaultPlace::AgentToEksAuth(node) => {
                self.world.node(node)?.spec.name.clone()
            }
        };
        self.world.faults.set(place, fault);
        self.world.refresh(&node);
        Ok(())
    }

    async fn set_webhook_fault(&self, fault: Option<WebhookFault>) -> Result<()> {
        self.world.webhook.set_fault(fault);
        Ok(())
    }

    async fn teardown(&self) -> Result<()> {
        for pod in self.pods() {
            let _ = self.world.delete(&pod);
        }
        let nodes = self
            .world
            .nodes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        for node in nodes {
            node.stop_agent(&self.world.config).await;
        }
        Ok(())
    }
}

impl Drop for World {
    fn drop(&mut self) {
        // Pods first: their programs end before what they talk to.
        lock(&self.pods).clear();
    }
}
