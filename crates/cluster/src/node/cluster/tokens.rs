//! The tokens that the kubelet projects into pods.

use std::{
    io,
    time::{Duration, Instant},
};

use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::{World, processes};
use crate::{
    cluster::{ClusterError, PodName, Result},
    kubernetes::{
        issued,
        projected::{TokenPlace, token_places},
    },
};

/// How long the kubelet may take to project new tokens, in real time.
const LIMIT: Duration = Duration::from_secs(90);

/// The id by which containerd knows a container.
fn container_id<'a>(pod: &'a Pod, container: &str) -> Option<&'a str> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|s| s.name == container)?;
    status
        .container_id
        .as_deref()?
        .strip_prefix("containerd://")
}

impl World {
    /// A new pod: remembers its address, and writes its tokens into the journal.
    pub(super) fn settle_in(&self, pod: &Pod) {
        self.inhabitants.learn(pod);
        for place in token_places(pod) {
            self.record(pod, &place);
        }
    }

    fn record(&self, pod: &Pod, place: &TokenPlace) {
        let token = self
            .read(pod, place)
            .ok()
            .and_then(|token| issued(token).ok());
        if let Some(token) = token {
            let audience = place.audience.clone();
            self.learn_of(self.workloads.reference(pod), audience, token);
        }
    }

    fn read(&self, pod: &Pod, place: &TokenPlace) -> io::Result<String> {
        let pid = self.process_of(pod, container_id(pod, &place.container))?;
        let bytes = processes::read_file(pid, &place.file)?;
        String::from_utf8(bytes).map_err(io::Error::other)
    }

    pub(super) fn read_token(&self, pod: &Pod, audience: &str) -> Result<String> {
        let place = token_places(pod)
            .into_iter()
            .find(|p| p.audience == audience);
        let name = PodName::new(pod.namespace().unwrap_or_default(), pod.name_any());
        let place = place.ok_or_else(|| ClusterError::NotFound {
            what: "token",
            name: format!("for {audience} in pod {name}"),
        })?;
        self.read(pod, &place)
            .map_err(ClusterError::system(format!("read a token of pod {name}")))
    }

    /// Restarts the kubelet: it remembers no token, so it projects new ones.
    pub(super) async fn rotate_tokens(&self, pod: &Pod) -> Result<()> {
        let before: Vec<(TokenPlace, Option<String>)> = token_places(pod)
            .into_iter()
            .map(|place| (place.clone(), self.read(pod, &place).ok()))
            .collect();
        let failed = |e: crate::node::Error| ClusterError::Kubernetes {
            what: "could not restart the kubelet".into(),
            message: e.to_string(),
        };
        self.node.kill("kubelet").await.map_err(failed)?;
        self.node.restart("kubelet").await.map_err(failed)?;
        let end = Instant::now() + LIMIT;
        for (place, old) in before {
            // A file in another mount namespace, on a file system of the kubelet's: nothing tells of its change.
            while self.read(pod, &place).ok() == old {
                if Instant::now() > end {
                    let file = &place.file;
                    return Err(ClusterError::Kubernetes {
                        what: "could not rotate a token".into(),
                        message: format!("the kubelet left {} as it was", file.display()),
                    });
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            self.record(pod, &place);
        }
        self.node.ready(LIMIT).await.map_err(failed)
    }
}
