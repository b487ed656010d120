//! The webhook of a node cluster: our server on this machine, registered with the real API server.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use emu_webhook::{
    AccountDefaults, ENDPOINT_PATH, FeedIdentities, MutationSettings, Mutator, Server,
    ServiceAccounts,
};
use k8s_openapi::api::{admissionregistration::v1::MutatingWebhookConfiguration, core::v1::Pod};
use kube::{
    Api, Client,
    api::{DeleteParams, PostParams},
};
use rustls::pki_types::pem::PemObject;

use super::config::ClusterConfig;
use crate::{
    cluster::{ClusterError, Result},
    fault::{WebhookFault, WebhookFaultKind},
    kubernetes::{Registration, apply, webhook::NAME},
    node::{Forward, Inward, LinkFault, Node, pki},
};

/// Where the API server finds it, inside the node.
const INSIDE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9443);
/// How long the API server may take to learn of the registration, in real time.
const LEARN: Duration = Duration::from_secs(20);

/// The running webhook. Dropping it stops it.
pub(super) struct Webhook {
    way: Forward,
    registration: MutatingWebhookConfiguration,
    /// Ours, by which pods learn the emulator's address.
    endpoint: Option<MutatingWebhookConfiguration>,
    client: Client,
    _server: Server,
    accounts: tokio::task::AbortHandle,
}

impl Drop for Webhook {
    fn drop(&mut self) {
        self.accounts.abort();
    }
}

impl Webhook {
    pub(super) async fn start(node: &Node, config: &ClusterConfig) -> Result<Self> {
        let system = ClusterError::system;
        let client = node.client();
        let settings = MutationSettings {
            region: config.region.clone(),
            ..MutationSettings::default()
        };
        let identities = FeedIdentities::new(Arc::clone(&config.associations), &config.name);
        let accounts = Arc::new(ServiceAccounts::new(AccountDefaults::default()));
        let mutator = Mutator::new(
            settings,
            Arc::new(identities),
            Arc::clone(&accounts),
            config.ids.clone(),
        );
        let (tls, authority) = certificate()?;
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .map_err(system("listen for the webhook"))?;
        let host = listener
            .local_addr()
            .map_err(system("listen for the webhook"))?;
        let endpoint = config.endpoint_in_pods.then(|| {
            let address = SocketAddr::from((node.config().addresses.node, config.emulator_port));
            format!("http://{address}")
        });
        let server = Server::start_with_endpoint(
            listener,
            Arc::new(tls),
            mutator,
            config.journal.clone(),
            &config.name,
            endpoint.clone(),
        )
        .map_err(system("serve the webhook"))?;
        let way = node
            .forward(Inward {
                inside: INSIDE,
                host,
            })
            .map_err(system("listen for the webhook inside the node"))?;
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
            config.clock.clone(),
            synced,
        );
        let accounts = tokio::spawn(following).abort_handle();
        let at = |path| Registration::new(format!("https://{INSIDE}{path}"), &authority);
        let webhook = Self {
            way,
            registration: at("/mutate").object(),
            endpoint: endpoint.map(|_| at(ENDPOINT_PATH).endpoint_object()),
            client,
            _server: server,
            accounts,
        };
        webhook.register().await?;
        Ok(webhook)
    }

    /// Registers it and waits until the API server calls it.
    async fn register(&self) -> Result<()> {
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        apply::apply(&api, &self.registration)
            .await
            .map_err(|e| kubernetes("register the webhook", e))?;
        let before = self.way.connections();
        self.until_called(|_| self.way.connections() != before)
            .await?;
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
            while !seen(&pods.create(&dry, &probe).await?) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok::<_, kube::Error>(())
        };
        tokio::time::timeout(LEARN, called)
            .await
            .map_err(|_| kubernetes("register the webhook", "the API server does not call it"))?
            .map_err(|e| kubernetes("register the webhook", e))
    }

    /// Makes it fail, or work again.
    pub(super) async fn set_fault(&self, fault: Option<&WebhookFault>) -> Result<()> {
        let what = fault.map(|f| f.what);
        let absent = matches!(
            what,
            Some(WebhookFaultKind::Skip | WebhookFaultKind::Absent)
        );
        let api: Api<MutatingWebhookConfiguration> = Api::all(self.client.clone());
        self.way.disturb(match what {
            Some(WebhookFaultKind::Timeout) => LinkFault::Drop,
            Some(WebhookFaultKind::Error) => LinkFault::Refuse,
            _ => LinkFault::None,
        });
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
}

fn kubernetes(what: &str, error: impl std::fmt::Display) -> ClusterError {
    ClusterError::Kubernetes {
        what: format!("could not {what}"),
        message: error.to_string(),
    }
}

/// A server configuration with a certificate of an authority of its own, and that authority in PEM.
fn certificate() -> Result<(rustls::ServerConfig, String)> {
    let bad = |e: &dyn std::fmt::Display| kubernetes("make the webhook's certificate", e);
    let ca = pki::authority("emu-webhook").map_err(|e| bad(&e))?;
    let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
    let identity = pki::server(&ca, "emu-webhook", &names).map_err(|e| bad(&e))?;
    let chain = rustls::pki_types::CertificateDer::pem_slice_iter(identity.certificate.as_bytes())
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
    Ok((config, ca.pem()))
}
