//! Pods: created, awaited, deleted, created again.

use std::time::Duration;

use k8s_openapi::api::core::v1::{
    Container, ContainerStatus, EnvVar, HostPathVolumeSource, Pod, PodSpec, Volume, VolumeMount,
};
use kube::{
    Api, ResourceExt,
    api::{DeleteParams, PostParams},
};

use super::{PROBE_IMAGE, Workloads, failed, lock, other};
use crate::{
    cluster::{ClusterError, PodName, Result},
    kubernetes::{
        apply::label,
        pod::{await_deleted, await_pod},
    },
};

/// How long a pod may take to run, in real time.
const LIMIT: Duration = Duration::from_secs(120);

/// Reasons for waiting that waiting does not cure.
const HOPELESS: [&str; 8] = [
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
    "CrashLoopBackOff",
];

impl Workloads {
    fn pods(&self, namespace: &str) -> Api<Pod> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Creates a pod and waits until its containers run (or have ended).
    ///
    /// # Errors
    /// When the API server refuses, or the containers do not come up.
    pub async fn create_pod(&self, submitted: Pod, node: Option<&str>) -> Result<Pod> {
        let namespace = submitted.namespace().unwrap_or_else(|| "default".into());
        self.namespace(&namespace).await?;
        let mut pod = submitted.clone();
        self.complete(&mut pod, node);
        let created = self
            .pods(&namespace)
            .create(&PostParams::default(), &pod)
            .await
            .map_err(failed("create a pod"))?;
        let name = PodName::new(namespace, created.name_any());
        lock(&self.submitted).insert(name.clone(), (submitted, node.map(str::to_owned)));
        self.await_running(&name, 0).await
    }

    /// Fills in what the cluster needs and the scenario does not say.
    fn complete(&self, pod: &mut Pod, node: Option<&str>) {
        label(pod);
        pod.status = None;
        let meta = &mut pod.metadata;
        (meta.uid, meta.resource_version, meta.creation_timestamp) = (None, None, None);
        let spec = pod.spec.get_or_insert_default();
        if let Some(node) = node {
            spec.node_name = Some(node.to_owned());
        }
        let mut local = false;
        let groups = spec
            .containers
            .iter_mut()
            .chain(spec.init_containers.iter_mut().flatten());
        for container in groups {
            local |= self.complete_container(container);
        }
        if local {
            self.add_volumes(spec);
        }
    }

    /// Returns whether the container runs this machine's programs.
    fn complete_container(&self, container: &mut Container) -> bool {
        let env = container.env.get_or_insert_default();
        for (name, value) in &self.config.env {
            if !env.iter().any(|known| known.name == *name) {
                env.push(EnvVar {
                    name: name.clone(),
                    value: Some(value.clone()),
                    value_from: None,
                });
            }
        }
        let image = container.image.as_deref().unwrap_or_default();
        if !(image.is_empty() || image == PROBE_IMAGE) {
            return false;
        }
        container.image = Some(self.config.pod_image.clone());
        if container.command.is_none() && container.args.is_none() && !self.config.idle.is_empty() {
            container.args = Some(self.config.idle.clone());
        }
        container
            .image_pull_policy
            .get_or_insert_with(|| "IfNotPresent".into());
        let mounts = container.volume_mounts.get_or_insert_default();
        for (number, folder) in self.config.folders.iter().enumerate() {
            mounts.push(VolumeMount {
                name: format!("emu-local-{number}"),
                mount_path: folder.to_string_lossy().into_owned(),
                ..VolumeMount::default()
            });
        }
        !self.config.folders.is_empty()
    }

    fn add_volumes(&self, spec: &mut PodSpec) {
        let volumes = spec.volumes.get_or_insert_default();
        for (number, folder) in self.config.folders.iter().enumerate() {
            volumes.push(Volume {
                name: format!("emu-local-{number}"),
                host_path: Some(HostPathVolumeSource {
                    path: folder.to_string_lossy().into_owned(),
                    type_: None,
                }),
                ..Volume::default()
            });
        }
    }

    /// Waits until every container runs, or has ended, after at least so many restarts in all.
    ///
    /// # Errors
    /// With the reason of a container that cannot start.
    pub async fn await_running(&self, name: &PodName, restarts: i32) -> Result<Pod> {
        let settled = move |pod: Option<&Pod>| match pod {
            None => true,
            Some(pod) => verdict(pod, restarts).is_some(),
        };
        let waiting = await_pod(&self.client, &name.namespace, &name.name, settled);
        let pod = tokio::time::timeout(LIMIT, waiting)
            .await
            .map_err(|_| ClusterError::Kubernetes {
                what: format!("pod {name}"),
                message: format!("does not run after {} s", LIMIT.as_secs()),
            })?
            .map_err(other("wait for a pod"))?
            .ok_or_else(|| ClusterError::no_pod(name))?;
        match verdict(&pod, restarts) {
            Some(Err(message)) => Err(ClusterError::Kubernetes {
                what: format!("pod {name}"),
                message,
            }),
            _ => Ok(pod),
        }
    }

    /// A pod as it is stored.
    ///
    /// # Errors
    /// When there is none.
    pub async fn pod(&self, name: &PodName) -> Result<Pod> {
        self.pods(&name.namespace)
            .get_opt(&name.name)
            .await
            .map_err(failed("get a pod"))?
            .ok_or_else(|| ClusterError::no_pod(name))
    }

    /// Deletes a pod and waits until it is gone.
    ///
    /// # Errors
    /// When there is none.
    pub async fn delete_pod(&self, name: &PodName) -> Result<Pod> {
        let pod = self.pod(name).await?;
        // With no grace at all the object would be gone before its programs are.
        let now = DeleteParams::default().grace_period(1);
        self.pods(&name.namespace)
            .delete(&name.name, &now)
            .await
            .map_err(failed("delete a pod"))?;
        await_deleted(&self.client, &name.namespace, &pod)
            .await
            .map_err(other("wait for a pod's end"))?;
        lock(&self.submitted).remove(name);
        Ok(pod)
    }

    /// Deletes a pod and creates it again as it was submitted, on the same node.
    ///
    /// # Errors
    /// When there is none, or as for [`Workloads::create_pod`].
    pub async fn recreate_pod(&self, name: &PodName) -> Result<Pod> {
        let (mut submitted, node) = lock(&self.submitted)
            .get(name)
            .cloned()
            .ok_or_else(|| ClusterError::no_pod(name))?;
        let old = self.delete_pod(name).await?;
        submitted.metadata.name = Some(name.name.clone());
        submitted.metadata.generate_name = None;
        let on = old.spec.as_ref().and_then(|s| s.node_name.clone());
        self.create_pod(submitted, node.or(on).as_deref()).await
    }
}

/// How a pod's containers are: `None` while it is open, else whether they run or why not.
fn verdict(pod: &Pod, restarts: i32) -> Option<std::result::Result<(), String>> {
    let status = pod.status.as_ref()?;
    if matches!(status.phase.as_deref(), Some("Succeeded" | "Failed")) && restarts == 0 {
        return Some(Ok(()));
    }
    let all = || {
        let init = status.init_container_statuses.iter().flatten();
        init.chain(status.container_statuses.iter().flatten())
    };
    if let Some(reason) = all().find_map(hopeless) {
        return Some(Err(reason));
    }
    let containers = status.container_statuses.as_ref()?;
    let wanted = pod.spec.as_ref().map_or(0, |s| s.containers.len());
    let run = |c: &ContainerStatus| {
        c.state
            .as_ref()
            .is_some_and(|s| s.running.is_some() || s.terminated.is_some())
    };
    let restarted: i32 = containers.iter().map(|c| c.restart_count).sum();
    (containers.len() == wanted && containers.iter().all(run) && restarted >= restarts)
        .then_some(Ok(()))
}

fn hopeless(container: &ContainerStatus) -> Option<String> {
    let waiting = container.state.as_ref()?.waiting.as_ref()?;
    let reason = waiting.reason.as_deref()?;
    HOPELESS.contains(&reason).then(|| {
        format!(
            "container {}: {reason}: {}",
            container.name,
            waiting.message.as_deref().unwrap_or_default()
        )
    })
}
