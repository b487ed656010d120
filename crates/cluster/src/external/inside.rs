//! Into a pod: through its container where that is of emu's image, else through one of emu's image put beside it.

use std::{io, net::SocketAddr};

use k8s_openapi::api::core::v1::Pod;
use kube::{
    Api, Client, ResourceExt,
    api::{AttachParams, AttachedProcess, Patch, PatchParams},
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::image::Pulled;
use crate::{
    cluster::{ClusterError, PodName, Result},
    fetch::{FetchRequest, FetchResponse},
    image::EMU_PROGRAM,
    kubernetes::{
        apply::FIELD_MANAGER,
        failed, other,
        pod::{await_pod, exec},
        projected::TokenPlace,
    },
    sandbox::{fetch::head, http1},
};

/// The name of the container that is put into pods of other images.
const BESIDE: &str = "emu";

/// The way into pods.
pub(super) struct Inside {
    pub(super) client: Client,
    /// Emu's own image, where the cluster has it.
    pub(super) image: Option<Pulled>,
}

impl Inside {
    /// Containers of emu's own image.
    pub(super) fn ours(&self, pod: &Pod) -> Vec<String> {
        let Some(image) = &self.image else {
            return Vec::new();
        };
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        containers
            .filter(|c| c.image.as_ref() == Some(&image.reference))
            .map(|c| c.name.clone())
            .collect()
    }

    /// A container of a pod in which emu is.
    async fn container(&self, pod: &Pod) -> Result<String> {
        if let Some(ours) = self.ours(pod).into_iter().next() {
            return Ok(ours);
        }
        let image = self
            .image
            .as_ref()
            .ok_or_else(|| ClusterError::Kubernetes {
                what: "the way into a pod".into(),
                message: "it needs emu's own image, which this cluster does not have".into(),
            })?;
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let there = pod
            .spec
            .iter()
            .flat_map(|spec| spec.ephemeral_containers.iter().flatten())
            .any(|c| c.name == BESIDE);
        if !there {
            // It shares the pod's network, and sees the files its first container sees.
            let first = pod.spec.iter().flat_map(|spec| &spec.containers).next();
            let mounts = first
                .and_then(|c| c.volume_mounts.clone())
                .unwrap_or_default();
            let mounts: Vec<_> = mounts
                .into_iter()
                .filter(|m| m.sub_path.is_none())
                .collect();
            let patch = json!({"spec": {"ephemeralContainers": [{
                "name": BESIDE,
                "image": image.reference,
                "imagePullPolicy": image.policy,
                "command": [EMU_PROGRAM, "pause"],
                "volumeMounts": mounts,
            }]}});
            let api: Api<Pod> = Api::namespaced(self.client.clone(), &namespace);
            let params = PatchParams {
                field_manager: Some(FIELD_MANAGER.into()),
                ..PatchParams::default()
            };
            api.patch_ephemeral_containers(&name, &params, &Patch::Strategic(patch))
                .await
                .map_err(failed("put a container of emu's into a pod"))?;
        }
        let runs = |pod: Option<&Pod>| {
            let statuses = pod
                .and_then(|pod| pod.status.as_ref())
                .and_then(|status| status.ephemeral_container_statuses.as_ref());
            statuses.into_iter().flatten().any(|status| {
                let state = status.state.as_ref();
                status.name == BESIDE && state.is_some_and(|state| state.running.is_some())
            })
        };
        await_pod(&self.client, &namespace, &name, runs)
            .await
            .map_err(other("wait for a container of emu's in a pod"))?;
        Ok(BESIDE.into())
    }

    /// What a token's file holds.
    pub(super) async fn read(&self, pod: &Pod, place: &TokenPlace) -> Result<String> {
        let container = self.container(pod).await?;
        let words = [EMU_PROGRAM, "pod", "read", &place.file.to_string_lossy()].map(String::from);
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        let output = exec(
            &self.client,
            &namespace,
            &name,
            Some(&container),
            &words,
            None,
        )
        .await
        .map_err(other("read a token"))?;
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).trim().to_owned();
        match output.code {
            0 => Ok(text(output.stdout)),
            _ => Err(ClusterError::System {
                what: format!("read a token of pod {}", PodName::new(namespace, name)),
                source: io::Error::other(text(output.stderr)),
            }),
        }
    }

    /// Ends the first process of a container of ours.
    pub(super) async fn end(&self, pod: &Pod, container: &str) -> Result<()> {
        let words = [EMU_PROGRAM, "pod", "end"].map(String::from);
        let (namespace, name) = (pod.namespace().unwrap_or_default(), pod.name_any());
        // The container may be gone before its answer is through.
        let _ = exec(
            &self.client,
            &namespace,
            &name,
            Some(container),
            &words,
            None,
        )
        .await;
        Ok(())
    }

    /// One HTTP request from within a pod.
    pub(super) async fn fetch(
        &self,
        pod: &Pod,
        request: &FetchRequest,
        address: SocketAddr,
    ) -> Result<io::Result<FetchResponse>> {
        let container = self.container(pod).await?;
        let words = [EMU_PROGRAM, "pod", "relay", &address.to_string()].map(String::from);
        let namespace = pod.namespace().unwrap_or_default();
        let api: Api<Pod> = Api::namespaced(self.client.clone(), &namespace);
        let params = AttachParams::default()
            .container(container)
            .stdin(true)
            .stdout(true)
            .stderr(true)
            .max_stdout_buf_size(64 * 1024)
            .max_stderr_buf_size(64 * 1024);
        let mut process = api
            .exec(&pod.name_any(), words, &params)
            .await
            .map_err(failed("send a request from a pod"))?;
        let answer = exchange(&mut process, request, address).await;
        process.abort();
        Ok(answer)
    }
}

async fn exchange(
    process: &mut AttachedProcess,
    request: &FetchRequest,
    address: SocketAddr,
) -> io::Result<FetchResponse> {
    let lost = || io::Error::from(io::ErrorKind::BrokenPipe);
    let mut input = process.stdin().ok_or_else(lost)?;
    let mut output = process.stdout().ok_or_else(lost)?;
    let mut errors = process.stderr().ok_or_else(lost)?;
    let mut whole = head(request, address);
    whole.extend_from_slice(&request.body);
    // It may have ended already, with the reason on its standard error.
    let _ = input.write_all(&whole).await;
    let _ = input.flush().await;
    let kind = http1::Kind::Response {
        to_head: request.method == "HEAD",
    };
    let Some(message) = http1::read(&mut output, &mut Vec::new(), kind).await? else {
        let mut text = String::new();
        let _ = errors.read_to_string(&mut text).await;
        return Err(refusal(&text));
    };
    drop(input);
    let status = message
        .status()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP"))?;
    Ok(FetchResponse {
        status,
        headers: message.headers,
        body: message.body,
    })
}

/// What `emu pod relay` says when there is no connection: the system's number first.
fn refusal(text: &str) -> io::Error {
    let number = text.split_whitespace().next().and_then(|n| n.parse().ok());
    match number {
        Some(number) => io::Error::from_raw_os_error(number),
        None if text.trim().is_empty() => {
            io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")
        }
        None => io::Error::other(text.trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_keep_their_kind() {
        assert_eq!(
            refusal("111 Connection refused (os error 111)\n").kind(),
            io::ErrorKind::ConnectionRefused
        );
        assert_eq!(refusal("").kind(), io::ErrorKind::UnexpectedEof);
        assert_eq!(refusal("exec failed").to_string(), "exec failed");
    }
}
