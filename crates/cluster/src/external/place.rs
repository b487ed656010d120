//! The cluster as this process uses it, from its opening to its closing.

use std::{
    net::IpAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::AtomicBool},
    time::Duration,
};

use k8s_openapi::api::admissionregistration::v1::MutatingWebhookConfiguration;
use kube::{Api, Client, ResourceExt};
use tokio::sync::OnceCell;

use super::{
    config::{ExternalConfig, ImageLoader},
    image::Pulled,
    port::Port,
    record::{self, Record, Remembered},
};
use crate::{
    cluster::{ClusterError, Result},
    kubernetes::{
        AgentInstall, Error,
        admission::Identity,
        agent_set::AgentSet,
        amazon_webhook::Certificate,
        apply::{Listed, MANAGED_BY, installed, remove_all},
        failed, other, webhook,
    },
    sandbox::imds::SessionTokens,
};

/// How long the API server may take to answer at all, in real time.
const ANSWER: Duration = Duration::from_secs(10);
/// How long what was installed may take to be gone, in real time.
const GONE: Duration = Duration::from_secs(60);

/// A cluster that somebody else runs, opened: what is installed on it stays until it is closed.
pub struct External {
    pub(super) config: ExternalConfig,
    pub(super) image: OnceCell<Pulled>,
    /// A local agent's image that was loaded.
    pub(super) agent_image: OnceCell<String>,
    pub(super) identity: Identity,
    /// Of Amazon's webhook, should it be asked for: the same for all worlds, as its pod reads it seldom.
    pub(super) certificate: Certificate,
    /// A local webhook's image that was loaded.
    pub(super) webhook_image: OnceCell<()>,
    pub(super) ports: Ports,
    /// The agent that is installed.
    pub(super) agent: Mutex<Option<AgentInstall>>,
    /// Whether Amazon's image was found not to be had.
    pub(super) no_agent_image: AtomicBool,
    /// Held by the world that uses it.
    pub(super) turn: Arc<tokio::sync::Mutex<()>>,
    /// Whether a person was told what is installed.
    pub(super) told: Mutex<bool>,
    /// What agents, which outlive worlds, got from instance metadata.
    pub(super) metadata_tokens: SessionTokens,
    record: Mutex<Option<Record>>,
}

/// Where the cluster reaches this process.
pub(super) struct Ports {
    pub(super) webhook: Port,
    /// The agents' way to EKS Auth.
    pub(super) eks_auth: Port,
    /// Where agents get the nodes' keys.
    pub(super) metadata: Port,
    /// Where the twins send what they write down.
    pub(super) events: Port,
}

impl Ports {
    fn open(host: IpAddr, listen: Option<IpAddr>) -> Result<Self> {
        let open = || {
            let port = match listen {
                Some(listen) => Port::open_behind(host, listen),
                None => Port::open(host),
            };
            port.map_err(|source| ClusterError::System {
                what: format!(
                    "listen at {host}, where the cluster is to reach this machine \
                     (--host-address names another address of it)"
                ),
                source,
            })
        };
        Ok(Self {
            webhook: open()?,
            eks_auth: open()?,
            metadata: open()?,
            events: open()?,
        })
    }

    /// Serves nobody any more.
    pub(super) fn close(&self) {
        for port in [&self.webhook, &self.eks_auth, &self.metadata, &self.events] {
            port.close();
        }
    }
}

impl std::fmt::Debug for External {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("External")
            .field("kind", &self.config.kind)
            .field("name", &self.config.name)
            .finish_non_exhaustive()
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl External {
    /// Looks whether the cluster answers and nothing of others is in the way; removes what a killed emu left on it.
    /// Nothing else is changed before the first world starts.
    ///
    /// # Errors
    /// When it does not answer, is in use by another emu, or has an agent or webhook that is not ours.
    pub async fn open(config: ExternalConfig) -> Result<Arc<Self>> {
        let refused = |message: String| ClusterError::Kubernetes {
            what: format!("{} cluster {} cannot be used", config.kind, config.name),
            message,
        };
        match tokio::time::timeout(ANSWER, config.client.apiserver_version()).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                return Err(refused(format!("its API server does not answer: {error}")));
            }
            Err(_) => {
                let seconds = ANSWER.as_secs();
                return Err(refused(format!(
                    "its API server does not answer in {seconds} s"
                )));
            }
        }
        let record = match &config.access {
            None => None,
            Some(access) => {
                let remembered = Remembered {
                    name: config.name.clone(),
                    access: access.clone(),
                    owner: std::process::id(),
                };
                let record = Record::create(&record::folder(), &remembered).map_err(
                    ClusterError::system("remember which cluster is used, for `emu down`"),
                )?;
                match record {
                    None => return Err(refused("another emu uses it".into())),
                    some => some,
                }
            }
        };
        let client = &config.client;
        let agent = AgentSet::new(client.clone());
        let there = agent.found().await.map_err(other("look for an agent"))?;
        if there.is_some_and(|set| !is_ours(&set)) {
            return Err(refused(
                "it has an EKS Pod Identity Agent already, and that is left alone".into(),
            ));
        }
        let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
        for name in [webhook::NAME, webhook::ENDPOINT_NAME] {
            let there = api.get_opt(name).await;
            let there = there.map_err(failed("look for a webhook"))?;
            if there.is_some_and(|webhook| !is_ours(&webhook)) {
                return Err(refused(format!(
                    "it has a webhook {name} already, and that is left alone"
                )));
            }
        }
        let left = installed(client)
            .await
            .map_err(other("look for what is left"))?;
        if !left.is_empty() {
            (config.tell)("removing what an emu that was killed left behind:");
            for one in &left {
                (config.tell)(&format!("  {one}"));
            }
            remove(client)
                .await
                .map_err(other("remove what was left behind"))?;
        }
        let identity = Identity::new(&[config.host.to_string()])?;
        let ports = Ports::open(config.host, config.listen)?;
        Ok(Arc::new(Self {
            config,
            image: OnceCell::new(),
            agent_image: OnceCell::new(),
            identity,
            certificate: Certificate::new().map_err(other("make a certificate"))?,
            webhook_image: OnceCell::new(),
            ports,
            agent: Mutex::default(),
            no_agent_image: AtomicBool::new(false),
            turn: Arc::default(),
            told: Mutex::new(false),
            metadata_tokens: SessionTokens::default(),
            record: Mutex::new(record),
        }))
    }

    /// What it was opened with.
    pub fn config(&self) -> &ExternalConfig {
        &self.config
    }

    /// What brings images into its nodes, if something does.
    pub fn images(&self) -> Option<&Arc<dyn ImageLoader>> {
        self.config.images.as_ref()
    }

    /// Lets go of a cluster that goes itself, with all that was installed on it.
    pub fn abandon(&self) {
        self.ports.close();
        *lock(&self.agent) = None;
        if let Some(record) = lock(&self.record).take() {
            record.forget();
        }
    }

    /// Removes everything of ours from it, and waits until it is gone.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn close(&self) -> Result<Vec<Listed>> {
        self.ports.close();
        *lock(&self.agent) = None;
        let removed = remove(&self.config.client)
            .await
            .map_err(other("remove what was installed"))?;
        if let Some(record) = lock(&self.record).take() {
            record.forget();
        }
        Ok(removed)
    }
}

async fn remove(client: &Client) -> std::result::Result<Vec<Listed>, Error> {
    // With its pods: nobody else waits for their end.
    let agent = AgentSet::new(client.clone());
    let mut removed = Vec::new();
    if let Some(set) = agent.found().await?.filter(is_ours) {
        agent.remove().await?;
        removed.push(Listed {
            kind: "DaemonSet".into(),
            namespace: set.namespace(),
            name: set.name_any(),
        });
    }
    removed.extend(remove_all(client, GONE).await?);
    Ok(removed)
}

fn is_ours(object: &impl ResourceExt) -> bool {
    let (name, value) = MANAGED_BY;
    object.labels().get(name).is_some_and(|v| v == value)
}

/// Clusters on which an emu that was killed left something: removes it, and says of each what was removed.
///
/// # Errors
/// Nothing stops at the first cluster that does not answer; each has its own outcome.
pub async fn sweep() -> Vec<(String, Result<Vec<Listed>>)> {
    let mut outcomes = Vec::new();
    for (record, remembered) in record::left_behind(&record::folder()) {
        let removed = async {
            let client = remembered.access.client().await?;
            remove(&client)
                .await
                .map_err(other("remove what was left behind"))
        };
        let limit = ANSWER + GONE;
        let outcome = tokio::time::timeout(limit, removed)
            .await
            .unwrap_or_else(|_| {
                Err(ClusterError::Kubernetes {
                    what: "could not remove what was left behind".into(),
                    message: format!("the cluster does not answer in {} s", limit.as_secs()),
                })
            });
        if outcome.is_ok() {
            record.forget();
        }
        outcomes.push((remembered.name, outcome));
    }
    outcomes
}
