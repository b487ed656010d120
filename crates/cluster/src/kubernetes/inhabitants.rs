//! Which pods a cluster has, by the addresses they call from: watched, so that connections can be told apart.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use emu_core::{Event, Journal, journal::PodRef};
use futures::TryStreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    runtime::watcher::{self, watcher},
};

type Gone = Box<dyn Fn(&PodRef) + Send + Sync>;

/// The pods of a cluster.
pub(crate) struct Inhabitants {
    cluster: String,
    by_uid: Mutex<HashMap<String, (PodRef, Option<IpAddr>)>>,
}

impl Inhabitants {
    pub(crate) fn new(cluster: &str) -> Arc<Self> {
        Arc::new(Self {
            cluster: cluster.to_owned(),
            by_uid: Mutex::default(),
        })
    }

    /// Follows the cluster's pods for ever.
    pub(crate) async fn follow(self: Arc<Self>, client: Client, journal: Journal, gone: Gone) {
        let pods: Api<Pod> = Api::all(client);
        loop {
            let mut events = std::pin::pin!(watcher(pods.clone(), watcher::Config::default()));
            loop {
                match events.try_next().await {
                    Ok(Some(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod))) => {
                        self.learn(&pod);
                    }
                    Ok(Some(watcher::Event::Delete(pod))) => {
                        if let Some(reference) = self.forget(&pod) {
                            gone(&reference);
                            journal.record(Event::PodDeleted { pod: reference });
                        }
                    }
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    // It reconnects by itself; the API server may just be restarting.
                    Err(error) => {
                        tracing::debug!(%error, "the watch of pods was interrupted");
                        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                    }
                }
            }
        }
    }

    /// What is known of a pod when it is stored or changed.
    pub(crate) fn learn(&self, pod: &Pod) {
        let reference = PodRef {
            cluster: self.cluster.clone(),
            namespace: pod.namespace().unwrap_or_default(),
            name: pod.name_any(),
            uid: pod.uid().unwrap_or_default(),
        };
        let host = pod.spec.as_ref().and_then(|s| s.host_network) == Some(true);
        let status = pod.status.as_ref();
        let address = status
            .and_then(|s| s.pod_ip.as_deref())
            .and_then(|ip| ip.parse().ok())
            // Pods on the node's network share its address.
            .filter(|_| !host);
        let mut known = self.lock();
        // News of a pod that is on its way out may come after it was forgotten.
        if pod.metadata.deletion_timestamp.is_none() || known.contains_key(&reference.uid) {
            known.insert(reference.uid.clone(), (reference, address));
        }
    }

    /// The pod is gone; what it was called, if that was not known yet.
    pub(crate) fn forget(&self, pod: &Pod) -> Option<PodRef> {
        let uid = pod.uid()?;
        self.lock().remove(&uid).map(|(reference, _)| reference)
    }

    /// The pod that has this address.
    pub(crate) fn at(&self, address: IpAddr) -> Option<PodRef> {
        self.lock()
            .values()
            .find_map(|(pod, ip)| (*ip == Some(address.to_canonical())).then(|| pod.clone()))
    }

    /// The pod that has this uid.
    pub(crate) fn by_uid(&self, uid: &str) -> Option<PodRef> {
        self.lock().get(uid).map(|(pod, _)| pod.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (PodRef, Option<IpAddr>)>> {
        self.by_uid.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
