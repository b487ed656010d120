//! Service accounts, pods and programs on a real cluster, through its API server: what every kind of real cluster shares.

mod folders;
mod pods;
mod program;

use std::{
    collections::{BTreeMap, HashMap},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use emu_core::{Journal, ServiceAccountRef, Timestamp, journal::PodRef};
pub(crate) use folders::library_folders;
pub use folders::program_folders;
use k8s_openapi::api::core::v1::{Namespace, Node, Pod, ServiceAccount};
use kube::{
    Api, Client, ResourceExt,
    api::{DeleteParams, ListParams},
};

use super::{
    apply::{MANAGED_BY, apply, label},
    token::{self, Mint},
};
use crate::{
    cluster::{ClusterError, ClusterKind, MintRequest, PodName, Result},
    token::IssuedToken,
};

/// Ends the program that carries this mark in its environment ([`MARK`]).
pub type EndMarked = Arc<dyn Fn(&str) + Send + Sync>;

/// The variable by which a program in a pod can be found from outside.
pub const MARK: &str = "EMU_PROGRAM";

/// The image of pods in which this machine's programs run; a container without an image has it as well.
pub const PROBE_IMAGE: &str = "emu.local/probe:latest";

/// How workloads are made.
#[derive(Clone)]
pub struct WorkloadsConfig {
    /// The kind of cluster, for errors.
    pub kind: ClusterKind,
    /// The cluster's name, as EKS knows it.
    pub cluster: String,
    /// Where everything is written down.
    pub journal: Journal,
    /// The image that stands for [`PROBE_IMAGE`], and for none.
    pub pod_image: String,
    /// Folders of this machine that containers without an image see at the same paths, so that programs of this machine
    /// run in them. Only where nodes share this machine's files.
    pub folders: Vec<PathBuf>,
    /// Variables of every container that does not set them itself.
    pub env: BTreeMap<String, String>,
    /// Arguments of a container that has neither an image nor a command, so that it idles; empty where the image does so by
    /// itself.
    pub idle: Vec<String>,
    /// The program that sets variables in such a container, in the words of `env`; `env` itself if empty.
    pub env_program: Vec<String>,
    /// The cluster is somebody else's: what is there and not ours is left as it is.
    pub guest: bool,
    /// Ends a program from outside; without it, one that is let go runs on in its container.
    pub end_marked: Option<EndMarked>,
}

/// Service accounts, pods and programs of one cluster.
pub struct Workloads {
    client: Client,
    config: WorkloadsConfig,
    submitted: Mutex<HashMap<PodName, (Pod, Option<String>)>>,
    accounts: Mutex<Vec<ServiceAccountRef>>,
    namespaces: Mutex<Vec<String>>,
}

impl Workloads {
    /// Those of the cluster that this client reaches.
    pub fn new(client: Client, config: WorkloadsConfig) -> Self {
        Self {
            client,
            config,
            submitted: Mutex::default(),
            accounts: Mutex::default(),
            namespaces: Mutex::default(),
        }
    }

    /// The client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The names of the nodes, oldest first.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn nodes(&self) -> Result<Vec<String>> {
        let api: Api<Node> = Api::all(self.client.clone());
        let list = api.list(&ListParams::default()).await;
        let mut nodes = list.map_err(failed("list the nodes"))?.items;
        nodes.sort_by_key(ResourceExt::creation_timestamp);
        Ok(nodes.iter().map(ResourceExt::name_any).collect())
    }

    /// Makes a namespace, unless it is there.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn namespace(&self, name: &str) -> Result<()> {
        if lock(&self.namespaces).iter().any(|known| known == name) {
            return Ok(());
        }
        let api: Api<Namespace> = Api::all(self.client.clone());
        let there = api.get_opt(name).await;
        if there.map_err(failed("look for a namespace"))?.is_none() {
            let mut namespace = Namespace::default();
            namespace.metadata.name = Some(name.to_owned());
            label(&mut namespace);
            apply(&api, &namespace)
                .await
                .map_err(other("make a namespace"))?;
        }
        // Pods are refused before it is there.
        super::pod::await_service_account(&self.client, name, "default")
            .await
            .map_err(other("wait for the default service account"))?;
        lock(&self.namespaces).push(name.to_owned());
        Ok(())
    }

    /// Creates or replaces a service account.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn apply_service_account(
        &self,
        mut account: ServiceAccount,
    ) -> Result<ServiceAccount> {
        let namespace = account.namespace().unwrap_or_else(|| "default".into());
        self.namespace(&namespace).await?;
        let meta = &mut account.metadata;
        meta.uid = None;
        meta.resource_version = None;
        meta.managed_fields = None;
        meta.creation_timestamp = None;
        label(&mut account);
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &namespace);
        if self.config.guest
            && let Some(there) = self.others_account(&api, &namespace, &account).await?
        {
            return Ok(there);
        }
        lock(&self.accounts).push(ServiceAccountRef {
            namespace,
            service_account: account.name_any(),
        });
        apply(&api, &account)
            .await
            .map_err(other("apply a service account"))
    }

    /// A service account of that name that is not ours, if it will do as it is.
    async fn others_account(
        &self,
        api: &Api<ServiceAccount>,
        namespace: &str,
        wanted: &ServiceAccount,
    ) -> Result<Option<ServiceAccount>> {
        let there = api.get_opt(&wanted.name_any()).await;
        let Some(there) = there.map_err(failed("look for a service account"))? else {
            return Ok(None);
        };
        if is_ours(&there) || self.is_our_namespace(namespace).await? {
            return Ok(None);
        }
        let annotations = there.annotations();
        let will_do = wanted
            .annotations()
            .iter()
            .all(|(name, value)| annotations.get(name) == Some(value));
        match will_do {
            true => Ok(Some(there)),
            false => Err(ClusterError::Unsupported {
                kind: self.config.kind,
                what: format!("annotate service account {namespace}/{}", there.name_any()),
                why: "it is not ours".into(),
            }),
        }
    }

    async fn is_our_namespace(&self, name: &str) -> Result<bool> {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let there = api.get_opt(name).await;
        Ok(there
            .map_err(failed("look for a namespace"))?
            .is_some_and(|namespace| is_ours(&namespace)))
    }

    /// Deletes the pods and service accounts made here, without waiting for programs. Namespaces stay.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn clear(&self) -> Result<()> {
        let pods: Vec<PodName> = lock(&self.submitted)
            .drain()
            .map(|(name, _)| name)
            .collect();
        let accounts = std::mem::take(&mut *lock(&self.accounts));
        let now = DeleteParams::default().grace_period(0);
        let pods = pods.into_iter().map(async |pod| {
            let api: Api<Pod> = Api::namespaced(self.client.clone(), &pod.namespace);
            absent_is_well(api.delete(&pod.name, &now).await)
        });
        for outcome in futures::future::join_all(pods).await {
            outcome.map_err(failed("delete a pod"))?;
        }
        let accounts = accounts.into_iter().map(async |account| {
            let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &account.namespace);
            let name = &account.service_account;
            absent_is_well(api.delete(name, &DeleteParams::default()).await)
        });
        for outcome in futures::future::join_all(accounts).await {
            outcome.map_err(failed("delete a service account"))?;
        }
        Ok(())
    }

    /// Deletes a service account.
    ///
    /// # Errors
    /// When there is none, or the API server refuses.
    pub async fn delete_service_account(&self, account: &ServiceAccountRef) -> Result<()> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), &account.namespace);
        let name = &account.service_account;
        match api.delete(name, &DeleteParams::default()).await {
            Ok(_) => Ok(()),
            Err(kube::Error::Api(status)) if status.code == 404 => Err(ClusterError::NotFound {
                what: "service account",
                name: account.to_string(),
            }),
            Err(error) => Err(failed("delete a service account")(error)),
        }
    }

    /// Mints a token by hand.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn mint_token(&self, request: MintRequest) -> Result<IssuedToken> {
        let mint = Mint {
            namespace: &request.service_account.namespace,
            service_account: &request.service_account.service_account,
            audiences: request.audiences.clone(),
            seconds: request.seconds,
            pod: request.pod.as_ref().map(|pod| pod.name.as_str()),
        };
        let (token, _) = token::mint(&self.client, &mint)
            .await
            .map_err(other("mint a token"))?;
        issued(token)
    }

    /// A pod in the words of the journal.
    pub fn reference(&self, pod: &Pod) -> PodRef {
        PodRef {
            cluster: self.config.cluster.clone(),
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
        }
    }
}

/// Whether something was applied by us.
fn is_ours(object: &impl ResourceExt) -> bool {
    let (name, value) = MANAGED_BY;
    object.labels().get(name).is_some_and(|v| v == value)
}

fn absent_is_well<T>(outcome: std::result::Result<T, kube::Error>) -> kube::Result<()> {
    match outcome {
        Err(kube::Error::Api(status)) if status.code == 404 => Ok(()),
        other => other.map(drop),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A token with what its claims say.
///
/// # Errors
/// When it is none.
pub fn issued(token: String) -> Result<IssuedToken> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let bad = || ClusterError::Kubernetes {
        what: "mint a token".into(),
        message: "the answer is no token".into(),
    };
    let claims = token.split('.').nth(1).ok_or_else(bad)?;
    let claims = URL_SAFE_NO_PAD.decode(claims).map_err(|_| bad())?;
    let claims: serde_json::Value = serde_json::from_slice(&claims).map_err(|_| bad())?;
    let time = |name: &str| {
        claims[name]
            .as_i64()
            .and_then(|seconds| Timestamp::from_second(seconds).ok())
            .ok_or_else(bad)
    };
    Ok(IssuedToken {
        jti: claims["jti"].as_str().unwrap_or_default().to_owned(),
        issued_at: time("iat")?,
        expires_at: time("exp")?,
        token,
    })
}

/// The API server's refusal in its own words; everything else with what was tried (a verb phrase).
pub(crate) fn failed(what: &str) -> impl Fn(kube::Error) -> ClusterError + use<> {
    let what = what.to_owned();
    move |error| match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 409 | 422) => {
            ClusterError::Refused {
                message: status.message.clone(),
            }
        }
        error => ClusterError::Kubernetes {
            what: format!("could not {what}"),
            message: error.to_string(),
        },
    }
}

/// The same for errors of ours.
pub(crate) fn other(what: &str) -> impl Fn(super::Error) -> ClusterError + use<> {
    let what = what.to_owned();
    move |error| match error {
        super::Error::Api(error) => failed(&what)(*error),
        error => ClusterError::Kubernetes {
            what: format!("could not {what}"),
            message: error.to_string(),
        },
    }
}
