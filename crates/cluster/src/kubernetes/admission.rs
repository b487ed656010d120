//! Our webhook on a real cluster: the server on this machine, registered with the API server.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use emu_core::{
    AssociationFeed, AssociationState, Clock, Ids, Journal, ServiceAccountRef,
    journal::MutationReason,
};
use emu_webhook::{
    AccountDefaults, ENDPOINT_PATH, FeedIdentities, Identities, MutationSettings, Mutator, Server,
    ServiceAccounts,
};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use rustls::pki_types::pem::PemObject;

use super::{
    Registration, amazon_admission::Amazon, amazon_webhook::AmazonWebhook, apply, webhook::NAME,
};
use crate::{
    cluster::{ClusterError, Result},
    fault::{WebhookFault, WebhookFaultKind},
    node::{LinkFault, pki},
};

/// How long the API server may take to learn of the registration, in real time.
pub(super) const LEARN: Duration = Duration::from_secs(20);

/// What the webhook is made of.
pub(crate) struct AdmissionConfig {
    pub(crate) client: Client,
    /// The cluster's name, as EKS knows it.
    pub(crate) cluster: String,
    pub(crate) region: String,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) journal: Journal,
    pub(crate) associations: Arc<dyn AssociationFeed>,
    /// Where pods that others make learn to find the emulator, if they do.
    pub(crate) endpoint: Option<String>,
    /// Where the API server finds it.
    pub(crate) address: SocketAddr,
    pub(crate) identity: Identity,
    /// Amazon's webhook, where it does the work; ours is then only asked for the emulator's address.
    pub(crate) amazon: Option<AmazonWebhook>,
}

/// The way from where the API server calls to where the server listens.
pub(crate) trait Way: Send + Sync + 'static {
    /// Disturbs it, open connections included.
    fn disturb(&self, fault: LinkFault);
}

impl Way for crate::node::Forward {
    fn disturb(&self, fault: LinkFault) {
        self.disturb(fault);
    }
}

/// Identities that count how often one is looked for: once for each pod that is reviewed, tried ones included.
struct Counted {
    identities: FeedIdentities,
    reviews: Arc<AtomicU64>,
}

impl Identities for Counted {
    fn state(&self, account: &ServiceAccountRef) -> AssociationState {
        self.reviews.fetch_add(1, Ordering::Relaxed);
        self.identities.state(account)
    }

    fn all(&self) -> Vec<ServiceAccountRef> {
        self.identities.all()
    }
}

/// The running webhook. Dropping it stops it; its registration stays.
pub(crate) struct Admission {
    way: Box<dyn Way>,
    registration: MutatingWebhookConfiguration,
    /// Ours, by which pods learn the emulator's address.
    endpoint: Option<MutatingWebhookConfiguration>,
    client: Client,
    reviews: Arc<AtomicU64>,
    fault: Arc<Mutex<Option<WebhookFaultKind>>>,
    _server: Server,
    amazon: Option<Arc<Amazon>>,
    tasks: Vec<tokio::task::AbortHandle>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Admission {
    /// Starts the server, opens the way to its address and registers it; it works when this returns.
    pub(crate) async fn start<W: Way>(
        config: AdmissionConfig,
        open: impl FnOnce(SocketAddr) -> io::Result<W>,
    ) -> Result<Self> {
        let system = ClusterError::system;
        let client = config.client;
        let settings = MutationSettings {
            region: config.region,
            ..MutationSettings::default()
        };
        let reviews = Arc::<AtomicU64>::default();
        let identities = Counted {
            identities: FeedIdentities::new(Arc::clone(&config.associations), &config.cluster),
            reviews: Arc::clone(&reviews),
        };
        let accounts = Arc::new(ServiceAccounts::new(AccountDefaults::default()));
        let mutator = Mutator::new(
            settings,
            Arc::new(identities),
            Arc::clone(&accounts),
            config.ids,
        );
        let amazon = config.amazon.map(|install| {
            Arc::new(Amazon::new(
                client.clone(),
                install,
                config.cluster.clone(),
                config.associations,
                config.journal.clone(),
                mutator.clone(),
            ))
        });
        let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(system("listen for the webhook"))?;
        let host = listener
            .local_addr()
            .map_err(system("listen for the webhook"))?;
        let server = Server::start_with_endpoint(
            listener,
            Arc::clone(&config.identity.tls),
            mutator,
            config.journal,
            &config.cluster,
            config.endpoint.clone(),
        )
        .map_err(system("serve the webhook"))?;
        let way = open(host).map_err(system("let the API server reach the webhook"))?;
        let follow = emu_webhook::watch::Follow {
            annotation_prefix: "eks.amazonaws.com".into(),
            resync: Duration::ZERO,
            fetch: false,
        };
        let (synced, _) = tokio::sync::watch::channel(false);
        let following = emu_webhook::watch::follow_accounts(
            client.clone(),
            accounts,
            follow,
            config.clock,
            synced,
        );
        let mut tasks = vec![tokio::spawn(following).abort_handle()];
        let (registration, endpoint) =
            registrations(config.address, &config.identity, config.endpoint.is_some());
        let fault = Arc::<Mutex<Option<WebhookFaultKind>>>::default();
        if let Some(amazon) = &amazon {
            amazon.install().await?;
            let fault = Arc::clone(&fault);
            let faulty = move || {
                fault
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .is_some()
            };
            let following = Arc::clone(amazon).follow(faulty);
            tasks.push(tokio::spawn(following).abort_handle());
        }
        let webhook = Self {
            way: Box::new(way),
            registration,
            endpoint,
            client,
            reviews,
            fault,
            _server: server,
            amazon,
            tasks,
        };
        webhook.register().await?;
        Ok(webhook)
    }

    /// Registers it and waits until the API server calls it.
    async fn register(&self) -> Result<()> {
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        let applied = match &self.amazon {
            Some(amazon) => apply::apply(&api, &amazon.install.registration()).await,
            None => apply::apply(&api, &self.registration).await,
        };
        applied.map_err(|e| kubernetes("register the webhook", e))?;
        match &self.amazon {
            Some(amazon) => amazon.until_asked(true).await?,
            None => {
                let before = self.reviews.load(Ordering::Relaxed);
                self.until_called(|_| self.reviews.load(Ordering::Relaxed) != before)
                    .await?;
            }
        }
        let Some(endpoint) = &self.endpoint else {
            return Ok(());
        };
        apply::apply(&api, endpoint)
            .await
            .map_err(|e| kubernetes("register the webhook", e))?;
        self.until_called(|pod| {
            let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
            containers.into_iter().all(|one| one.env.is_some())
        })
        .await
    }

    /// Tries pods, without making them, until the API server is seen to know: there is no other way to learn it.
    async fn until_called(&self, seen: impl Fn(&Pod) -> bool) -> Result<()> {
        let pods: Api<Pod> = Api::namespaced(self.client.clone(), "default");
        let dry = PostParams {
            dry_run: true,
            field_manager: None,
        };
        let probe: Pod = serde_json::from_value(serde_json::json!({
            "metadata": {"generateName": "emu-webhook-"},
            "spec": {"containers": [{"name": "none", "image": "none"}]},
        }))
        .map_err(|e| kubernetes("register the webhook", e))?;
        let called = async {
            // Without it pods are refused; on a young cluster it comes a moment later.
            super::pod::await_service_account(&self.client, "default", "default")
                .await
                .map_err(|e| kubernetes("register the webhook", e))?;
            while !seen(
                &pods
                    .create(&dry, &probe)
                    .await
                    .map_err(|e| kubernetes("register the webhook", e))?,
            ) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        tokio::time::timeout(LEARN, called)
            .await
            .map_err(|_| kubernetes("register the webhook", "the API server does not call it"))?
    }

    /// Why it had no say in a pod, while it fails.
    pub(crate) fn missed(&self) -> Option<MutationReason> {
        let fault = *self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        fault.map(|what| match what {
            WebhookFaultKind::Skip => MutationReason::WebhookFault,
            WebhookFaultKind::Timeout => MutationReason::WebhookTimeout,
            WebhookFaultKind::Error => MutationReason::WebhookError,
            WebhookFaultKind::Absent => MutationReason::NoWebhook,
        })
    }

    /// Makes it fail, or work again.
    pub(crate) async fn set_fault(&self, fault: Option<&WebhookFault>) -> Result<()> {
        let what = fault.map(|f| f.what);
        let absent = matches!(
            what,
            Some(WebhookFaultKind::Skip | WebhookFaultKind::Absent)
        );
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        let way = match what {
            Some(WebhookFaultKind::Timeout) => LinkFault::Drop,
            Some(WebhookFaultKind::Error) => LinkFault::Refuse,
            _ => LinkFault::None,
        };
        if let Some(amazon) = &self.amazon {
            return self.set_amazons_fault(amazon, &api, what, way).await;
        }
        self.way.disturb(way);
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = what;
        let there = api
            .get_opt(NAME)
            .await
            .map_err(|e| kubernetes("look for the registration", e))?
            .is_some();
        match (absent, there) {
            (true, true) => api
                .delete(NAME, &DeleteParams::default())
                .await
                .map(drop)
                .map_err(|e| kubernetes("remove the registration", e)),
            (false, false) => self.register().await,
            _ => Ok(()),
        }
    }

    /// Amazon's own is left alone: the API server is sent where nobody answers, or nowhere.
    async fn set_amazons_fault(
        &self,
        amazon: &Amazon,
        api: &Api<MutatingWebhookConfiguration>,
        what: Option<WebhookFaultKind>,
        way: LinkFault,
    ) -> Result<()> {
        let told = |e: super::Error| kubernetes("change the registration", e);
        let set = |what| *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = what;
        match what {
            None => {
                self.way.disturb(LinkFault::None);
                self.register().await?;
                set(None);
                return Ok(());
            }
            Some(WebhookFaultKind::Skip | WebhookFaultKind::Absent) => {
                self.way.disturb(LinkFault::None);
                match api.delete(NAME, &DeleteParams::default()).await {
                    Ok(_) => {}
                    Err(kube::Error::Api(status)) if status.code == 404 => {}
                    Err(error) => return Err(told(error.into())),
                }
            }
            Some(WebhookFaultKind::Timeout | WebhookFaultKind::Error) => {
                // Refused first: so it is soon seen that the API server knows.
                self.way.disturb(LinkFault::Refuse);
                apply::apply(api, &self.registration).await.map_err(told)?;
            }
        }
        set(what);
        amazon.until_asked(false).await?;
        self.way.disturb(way);
        Ok(())
    }

    /// Sees to it that the webhook knows the associations that are visible now.
    pub(crate) async fn up_to_date(&self) -> Result<()> {
        match &self.amazon {
            Some(amazon) => amazon.tell().await,
            None => Ok(()),
        }
    }

    /// A new pod: writes down what became of it, where the webhook does not do that itself.
    pub(crate) fn admitted(&self, pod: &Pod) {
        if let Some(amazon) = &self.amazon
            && self.missed().is_none()
        {
            amazon.admitted(pod);
        }
    }
}

fn kubernetes(what: &str, error: impl std::fmt::Display) -> ClusterError {
    ClusterError::Kubernetes {
        what: format!("could not {what}"),
        message: error.to_string(),
    }
}

/// What is registered for a webhook at this address: Amazon's, and the one by which pods learn the emulator's address.
pub(crate) fn registrations(
    address: SocketAddr,
    identity: &Identity,
    endpoint: bool,
) -> (
    MutatingWebhookConfiguration,
    Option<MutatingWebhookConfiguration>,
) {
    let at = |path| Registration::new(format!("https://{address}{path}"), &identity.authority);
    (
        at("/mutate").object(),
        endpoint.then(|| at(ENDPOINT_PATH).endpoint_object()),
    )
}

/// A server's certificate of an authority of its own.
#[derive(Clone)]
pub(crate) struct Identity {
    tls: Arc<rustls::ServerConfig>,
    /// The authority, in PEM.
    authority: String,
}

impl Identity {
    /// One for a server with these names and addresses.
    pub(crate) fn new(names: &[String]) -> Result<Self> {
        let bad = |e: &dyn std::fmt::Display| kubernetes("make the webhook's certificate", e);
        let ca = pki::authority("emu-webhook").map_err(|e| bad(&e))?;
        let identity = pki::server(&ca, "emu-webhook", names).map_err(|e| bad(&e))?;
        let chain =
            rustls::pki_types::CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
                .collect::<std::result::Result<Vec<_>, _>>()
                .map_err(|e| bad(&e))?;
        let key = rustls::pki_types::PrivateKeyDer::from_pem_slice(identity.key.as_bytes())
            .map_err(|e| bad(&e))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| bad(&e))?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(|e| bad(&e))?;
        Ok(Self {
            tls: Arc::new(config),
            authority: ca.pem(),
        })
    }
}
