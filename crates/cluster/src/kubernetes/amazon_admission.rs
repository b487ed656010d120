//! Amazon's webhook at work: installed, told of associations, and what it made of pods.

use std::{
    collections::HashSet,
    io,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use emu_core::{
    AssociationFeed, Event, Journal, ServiceAccountRef,
    journal::{MutationReason, PodRef},
};
use emu_webhook::{Mutator, SKIP_LABEL};
use futures::TryStreamExt as _;
use k8s_openapi::api::{
    apps::v1::Deployment,
    core::v1::{Event as PodEvent, Pod},
};
use kube::{
    Api, Client, ResourceExt,
    api::{ApiResource, DynamicObject, ListParams, PostParams},
    core::GroupVersionKind,
    runtime::{
        wait::await_condition,
        watcher::{self, watcher},
    },
};
use serde_json::{Value, json};

use super::{
    Error,
    admission::LEARN,
    amazon_pod::{given, hopeless},
    amazon_webhook::{AmazonWebhook, AssociationsFile, BESIDE, FILE_NAME, NAME, NAMESPACE, file},
    apply::{MANAGED_BY, apply},
    pod::{exec, is_pod_ready},
};
use crate::{
    cluster::{ClusterError, Result},
    image::EMU_PROGRAM,
};

/// How long it may take to be ready, in real time: an image may have to be pulled.
const START: Duration = Duration::from_secs(120);
/// How long it may take to know a new file of associations, in real time.
const KNOW: Duration = Duration::from_secs(10);
/// How often it is looked whether associations have become visible, in real time: the feed has no bell, and pods of others
/// announce themselves to nobody.
const LOOK: Duration = Duration::from_millis(200);
/// The namespace of the revisions in the file; no real one can have this name.
const REVISION: &str = "emu:revision";

/// Files of this process are told apart by it.
static REVISIONS: AtomicU64 = AtomicU64::new(1);

/// Amazon's webhook on a cluster.
pub(crate) struct Amazon {
    pub(crate) client: Client,
    pub(crate) install: AmazonWebhook,
    pub(crate) cluster: String,
    pub(crate) associations: Arc<dyn AssociationFeed>,
    pub(crate) journal: Journal,
    /// Ours, which knows the reasons.
    pub(crate) mutator: Mutator,
    told: tokio::sync::Mutex<Option<Told>>,
    /// The uids of pods that were written down.
    seen: Mutex<HashSet<String>>,
}

/// What the file says.
struct Told {
    revision: u64,
    associations: Vec<ServiceAccountRef>,
}

fn failed(what: &str, why: impl std::fmt::Display) -> ClusterError {
    ClusterError::Kubernetes {
        what: format!("Amazon's webhook: could not {what}"),
        message: why.to_string(),
    }
}

impl Amazon {
    pub(crate) fn new(
        client: Client,
        install: AmazonWebhook,
        cluster: String,
        associations: Arc<dyn AssociationFeed>,
        journal: Journal,
        mutator: Mutator,
    ) -> Self {
        Self {
            client,
            install,
            cluster,
            associations,
            journal,
            mutator,
            told: tokio::sync::Mutex::default(),
            seen: Mutex::default(),
        }
    }

    /// Installs it, but for its registration; it answers and knows the associations when this returns.
    pub(crate) async fn install(&self) -> Result<()> {
        let objects = self.install.objects().map_err(|e| failed("make it", e))?;
        for object in &objects {
            self.install_one(object).await?;
        }
        tokio::time::timeout(START, self.ready())
            .await
            .unwrap_or_else(|_| {
                let seconds = START.as_secs();
                Err(failed("start it", format!("not ready in {seconds} s")))
            })?;
        self.tell().await
    }

    async fn install_one(&self, object: &DynamicObject) -> Result<()> {
        let types = object.types.clone().unwrap_or_default();
        let kind = GroupVersionKind::try_from(&types).map_err(|e| failed("install it", e))?;
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = match object.namespace() {
            Some(namespace) => Api::namespaced_with(self.client.clone(), &namespace, &resource),
            None => Api::all_with(self.client.clone(), &resource),
        };
        let there = api.get_opt(&object.name_any()).await;
        let there = there.map_err(|e| failed("look what is there", e))?;
        if there.is_some_and(|there| {
            there.labels().get(MANAGED_BY.0).map(String::as_str) != Some(MANAGED_BY.1)
        }) {
            let (kind, name) = (types.kind, object.name_any());
            return Err(failed(
                "install it",
                format!("the cluster has a {kind} {name} already, and that is left alone"),
            ));
        }
        let applied = apply(&api, object).await;
        applied.map(drop).map_err(|e| failed("install it", e))
    }

    /// Waits until its present form, and nothing else, is ready.
    async fn ready(&self) -> Result<()> {
        let deployments: Api<Deployment> = Api::namespaced(self.client.clone(), NAMESPACE);
        let settled = |deployment: Option<&Deployment>| {
            deployment.is_some_and(|deployment| {
                let status = deployment.status.clone().unwrap_or_default();
                status.observed_generation >= deployment.metadata.generation
                    && status.updated_replicas == Some(1)
                    && status.ready_replicas == Some(1)
                    && status.replicas == Some(1)
            })
        };
        tokio::select! {
            settled = await_condition(deployments, NAME, settled) => {
                settled.map(drop).map_err(|e| failed("start it", e))
            }
            why = self.trouble() => Err(failed("start it", why)),
        }
    }

    /// Why it will never be ready; pending as long as it may be.
    async fn trouble(&self) -> String {
        let config = watcher::Config::default().labels(&selector());
        let mut events = std::pin::pin!(watcher(self.pods(), config));
        loop {
            match events.try_next().await {
                Ok(Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => {
                    if let Some(why) = hopeless(&pod) {
                        let told = self.events(&pod).await;
                        return format!("{why}{told}");
                    }
                }
                Ok(Some(_)) => {}
                // It reconnects by itself.
                _ => tokio::time::sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// What the cluster complains of a pod.
    async fn events(&self, pod: &Pod) -> String {
        let events: Api<PodEvent> = Api::namespaced(self.client.clone(), NAMESPACE);
        let uid = pod.uid().unwrap_or_default();
        let of_pod =
            ListParams::default().fields(&format!("involvedObject.uid={uid},type=Warning"));
        let mut text = String::new();
        for event in events.list(&of_pod).await.into_iter().flatten() {
            let (reason, message) = (event.reason, event.message);
            text.push_str(&format!(
                "\n  {}: {}",
                reason.unwrap_or_default(),
                message.unwrap_or_default()
            ));
        }
        text
    }

    fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), NAMESPACE)
    }

    /// Its pod that runs.
    async fn pod(&self) -> Result<String> {
        use kube::runtime::wait::Condition as _;
        let of_it = ListParams::default().labels(&selector());
        let pods = self.pods().list(&of_it).await;
        let pods = pods.map_err(|e| failed("look for its pod", e))?;
        let ready = pods.into_iter().find(|pod| {
            pod.metadata.deletion_timestamp.is_none() && is_pod_ready().matches_object(Some(pod))
        });
        ready
            .map(|pod| pod.name_any())
            .ok_or_else(|| failed("look for its pod", "none is ready"))
    }

    /// Tells it the associations that are visible now; it knows them when this returns.
    pub(crate) async fn tell(&self) -> Result<()> {
        let mut told = self.told.lock().await;
        let mut visible = self.associations.visible(&self.cluster);
        visible.sort();
        let pod = self.pod().await?;
        if let Some(told) = &*told
            && told.associations == visible
            && self.knows(&pod, told.revision).await.unwrap_or(false)
        {
            return Ok(());
        }
        // Unknown until it is known: whoever comes after a failure tells it again.
        *told = None;
        let revision = REVISIONS.fetch_add(1, Ordering::Relaxed);
        self.write(&pod, &text(&visible, revision)).await?;
        let mut last = String::new();
        let known = async {
            loop {
                match self.knows(&pod, revision).await {
                    Ok(true) => return,
                    Ok(false) => {}
                    Err(error) => last = format!(": {error}"),
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let known = tokio::time::timeout(KNOW, known).await;
        known.map_err(|_| {
            let seconds = KNOW.as_secs();
            failed(
                "tell it the associations",
                format!("it does not know them after {seconds} s{last}"),
            )
        })?;
        *told = Some(Told {
            revision,
            associations: visible,
        });
        Ok(())
    }

    async fn write(&self, pod: &str, text: &str) -> Result<()> {
        let what = "write its file of associations";
        match &self.install.associations {
            AssociationsFile::Folder(folder) => {
                write_whole(&folder.join(FILE_NAME), text.as_bytes()).map_err(|e| failed(what, e))
            }
            AssociationsFile::Beside { .. } => {
                let length = text.len().to_string();
                let words = [EMU_PROGRAM, "pod", "write", &file(), &length].map(String::from);
                let input = Some(text.as_bytes());
                let output = exec(&self.client, NAMESPACE, pod, Some(BESIDE), &words, input)
                    .await
                    .map_err(|e| failed(what, e))?;
                match output.code {
                    0 => Ok(()),
                    _ => Err(failed(what, String::from_utf8_lossy(&output.stderr).trim())),
                }
            }
        }
    }

    /// Whether it has read this revision of the file: asks it, through the API server, about a pod that is nowhere.
    async fn knows(&self, pod: &str, revision: u64) -> std::result::Result<bool, Error> {
        let review = json!({
            "apiVersion": "admission.k8s.io/v1beta1",
            "kind": "AdmissionReview",
            "request": {
                "uid": "emu", "namespace": REVISION, "operation": "CREATE",
                "kind": {"group": "", "version": "v1", "kind": "Pod"},
                "resource": {"group": "", "version": "v1", "resource": "pods"},
                "object": {
                    "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "revision"},
                    "spec": {
                        "serviceAccountName": revision.to_string(),
                        "containers": [{"name": "none", "image": "none"}],
                    },
                },
            },
        });
        let port = self.install.port();
        let request = http::Request::post(format!(
            "/api/v1/namespaces/{NAMESPACE}/pods/https:{pod}:{port}/proxy/mutate"
        ))
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(review.to_string().into_bytes())
        .map_err(|e| Error::Object(e.to_string()))?;
        let answer: Value = self.client.request(request).await?;
        Ok(!answer["response"]["patch"].is_null())
    }

    /// Tries until the API server asks it, or asks it no more.
    pub(crate) async fn until_asked(&self, asked: bool) -> Result<()> {
        let known = async {
            while self.is_asked().await? != asked {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Ok(())
        };
        let why = match asked {
            true => "the API server does not reach it by its service, or is not let through",
            false => "the API server still calls it",
        };
        tokio::time::timeout(LEARN, known)
            .await
            .map_err(|_| failed("register it", why))?
    }

    /// Whether the API server asks it: tries a pod of its own account, without making it.
    async fn is_asked(&self) -> Result<bool> {
        let dry = PostParams {
            dry_run: true,
            field_manager: None,
        };
        let probe: Pod = serde_json::from_value(json!({
            "metadata": {"generateName": "emu-webhook-"},
            "spec": {"serviceAccountName": NAME, "containers": [{"name": "none", "image": "none"}]},
        }))
        .map_err(|e| failed("try a pod", e))?;
        let tried = self.pods().create(&dry, &probe).await;
        Ok(given(&tried.map_err(|e| failed("try a pod", e))?).is_some())
    }

    /// Writes down what it made of a pod, once.
    pub(crate) fn admitted(&self, pod: &Pod) {
        let uid = pod.uid().unwrap_or_default();
        let namespace = pod.namespace().unwrap_or_default();
        let spec = pod.spec.clone().unwrap_or_default();
        let account = spec.service_account_name.unwrap_or_default();
        let is_its_own = namespace == NAMESPACE && account == NAME;
        if is_its_own
            || pod.labels().contains_key(SKIP_LABEL)
            || !self
                .seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(uid)
        {
            return;
        }
        // What ours would have said of it tells why.
        let ours = self.mutator.admit(pod, &namespace).ok();
        let expected = ours.as_ref().map(|ours| ours.reason);
        let mutated = given(pod);
        let (reason, detail) = match (mutated, expected) {
            (Some(seen), _) => (seen, None),
            (None, Some(MutationReason::Association | MutationReason::RoleAnnotation)) => {
                let detail = "Amazon's webhook left the pod as it was";
                (MutationReason::Unknown, Some(detail.to_owned()))
            }
            (None, Some(expected)) => (expected, ours.and_then(|ours| ours.detail)),
            (None, None) => (MutationReason::Unknown, None),
        };
        self.journal.record(Event::PodAdmitted {
            pod: PodRef {
                cluster: self.cluster.clone(),
                namespace,
                name: pod.name_any(),
                uid: pod.uid().unwrap_or_default(),
            },
            service_account: account,
            // As with ours: at admission it is seldom known.
            node: String::new(),
            mutated: mutated.is_some(),
            reason,
            detail,
        });
    }

    /// Tells it what becomes visible, and writes down what it makes of pods that others create, for ever. `faulty` says
    /// whether it fails on purpose.
    pub(crate) async fn follow(self: Arc<Self>, faulty: impl Fn() -> bool) {
        let tell = async {
            loop {
                tokio::time::sleep(LOOK).await;
                if let Err(error) = self.tell_if_changed().await {
                    tracing::warn!(%error, "Amazon's webhook was not told of associations");
                }
            }
        };
        let watch = async {
            let pods: Api<Pod> = Api::all(self.client.clone());
            let mut events = std::pin::pin!(watcher(pods, watcher::Config::default()));
            let mut before = HashSet::new();
            let mut begun = false;
            loop {
                match events.try_next().await {
                    // They were there before it was.
                    Ok(Some(watcher::Event::InitApply(pod))) if !begun => {
                        before.extend(pod.uid());
                    }
                    Ok(Some(watcher::Event::InitDone)) => begun = true,
                    Ok(Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => {
                        let old = pod.uid().is_some_and(|uid| before.contains(&uid));
                        if !old && !faulty() {
                            self.admitted(&pod);
                        }
                    }
                    Ok(Some(_)) => {}
                    _ => tokio::time::sleep(Duration::from_millis(100)).await,
                }
            }
        };
        tokio::join!(tell, watch);
    }

    async fn tell_if_changed(&self) -> Result<()> {
        let mut visible = self.associations.visible(&self.cluster);
        visible.sort();
        let told = self.told.lock().await;
        if told.as_ref().is_some_and(|t| t.associations == visible) {
            return Ok(());
        }
        drop(told);
        self.tell().await
    }
}

fn selector() -> String {
    format!("app.kubernetes.io/name={NAME}")
}

/// The file: the visible associations, the webhook's own account to see whether it is asked, and the file's revision.
fn text(visible: &[ServiceAccountRef], revision: u64) -> String {
    let own = [
        ServiceAccountRef::new(NAMESPACE, NAME),
        ServiceAccountRef::new(REVISION, revision.to_string()),
    ];
    let all: Vec<&ServiceAccountRef> = visible.iter().chain(&own).collect();
    json!({ "identities": all }).to_string()
}

/// Replaces a file as a whole: whoever watches it never reads half of it.
///
/// # Errors
/// When it cannot be written.
pub fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    std::fs::write(&beside, bytes)?;
    std::fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_amazons_webhook_reads() {
        let text = text(&[ServiceAccountRef::new("shop", "api")], 7);
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            read,
            json!({"identities": [
                {"namespace": "shop", "serviceAccount": "api"},
                {"namespace": "kube-system", "serviceAccount": "pod-identity-webhook"},
                {"namespace": "emu:revision", "serviceAccount": "7"},
            ]})
        );
    }
}
