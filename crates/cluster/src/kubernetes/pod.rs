//! Pods: waiting for them, running commands in them, reading what they wrote.

use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use kube::{
    Api, Client,
    api::{AttachParams, LogParams},
    runtime::{
        conditions,
        wait::{Condition, await_condition},
    },
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::Error;

/// How a command in a pod ended and what it wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Output {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Whether a pod's condition `Ready` is true.
pub fn is_pod_ready() -> impl Condition<Pod> {
    |pod: Option<&Pod>| {
        pod.and_then(|pod| pod.status.as_ref())
            .and_then(|status| status.conditions.as_ref())
            .is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
    }
}

/// Whether a pod has ended, well or not.
pub fn is_pod_ended() -> impl Condition<Pod> {
    |pod: Option<&Pod>| {
        pod.and_then(|pod| pod.status.as_ref())
            .and_then(|status| status.phase.as_deref())
            .is_some_and(|phase| phase == "Succeeded" || phase == "Failed")
    }
}

/// Waits until a pod fulfils a condition.
///
/// # Errors
/// When the watch fails.
pub async fn await_pod(
    client: &Client,
    namespace: &str,
    name: &str,
    condition: impl Condition<Pod>,
) -> Result<Option<Pod>, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    await_condition(api, name, condition)
        .await
        .map_err(|e| Error::Wait {
            what: format!("pod {namespace}/{name}"),
            why: e.to_string(),
        })
}

/// Waits until a service account is there. A namespace's default one appears after the namespace; a pod created before it
/// is refused.
///
/// # Errors
/// When the watch fails.
pub async fn await_service_account(
    client: &Client,
    namespace: &str,
    name: &str,
) -> Result<(), Error> {
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), namespace);
    let there = |account: Option<&ServiceAccount>| account.is_some();
    await_condition(api, name, there)
        .await
        .map(drop)
        .map_err(|e| Error::Wait {
            what: format!("service account {namespace}/{name}"),
            why: e.to_string(),
        })
}

/// Waits until a pod is gone.
///
/// # Errors
/// When the watch fails.
pub async fn await_deleted(client: &Client, namespace: &str, pod: &Pod) -> Result<(), Error> {
    let name = pod.metadata.name.clone().unwrap_or_default();
    let uid = pod.metadata.uid.clone().unwrap_or_default();
    await_pod(client, namespace, &name, conditions::is_deleted(&uid))
        .await
        .map(drop)
}

/// Runs a command in a container to its end.
///
/// # Errors
/// When it could not be started, or the connection broke.
pub async fn exec(
    client: &Client,
    namespace: &str,
    pod: &str,
    container: Option<&str>,
    command: &[String],
    stdin: Option<&[u8]>,
) -> Result<Output, Error> {
    let failed = |why: String| Error::Exec {
        pod: format!("{namespace}/{pod}"),
        why,
    };
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let mut params = AttachParams::default()
        .stdin(stdin.is_some())
        .stdout(true)
        .stderr(true)
        .max_stdout_buf_size(64 * 1024)
        .max_stderr_buf_size(64 * 1024);
    if let Some(container) = container {
        params = params.container(container);
    }
    let mut process = api.exec(pod, command, &params).await?;
    let (mut out, mut err) = (process.stdout(), process.stderr());
    let (input, status) = (process.stdin(), process.take_status());
    let mut output = Output::default();
    let write = async {
        if let (Some(mut input), Some(bytes)) = (input, stdin) {
            input.write_all(bytes).await?;
            input.shutdown().await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let read_out = async {
        if let Some(out) = &mut out {
            out.read_to_end(&mut output.stdout).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    let read_err = async {
        if let Some(err) = &mut err {
            err.read_to_end(&mut output.stderr).await?;
        }
        Ok::<_, std::io::Error>(())
    };
    // A command may end without reading its input.
    let (_, read_out, read_err) = tokio::join!(write, read_out, read_err);
    read_out.and(read_err).map_err(|e| failed(e.to_string()))?;
    let status = match status {
        Some(status) => status.await,
        None => None,
    };
    let status =
        status.ok_or_else(|| failed("the connection broke before the command ended".into()))?;
    if status.status.as_deref() == Some("Success") {
        return Ok(output);
    }
    let code = status
        .details
        .as_ref()
        .and_then(|details| details.causes.as_ref())
        .and_then(|causes| {
            causes
                .iter()
                .find(|c| c.reason.as_deref() == Some("ExitCode"))
        })
        .and_then(|cause| cause.message.as_deref())
        .and_then(|code| code.parse().ok());
    match code {
        Some(code) => {
            output.code = code;
            Ok(output)
        }
        None => Err(failed(status.message.unwrap_or_default())),
    }
}

/// What a container wrote so far.
///
/// # Errors
/// When the server refuses.
pub async fn logs(
    client: &Client,
    namespace: &str,
    pod: &str,
    container: Option<&str>,
) -> Result<String, Error> {
    let api: Api<Pod> = Api::namespaced(client.clone(), namespace);
    let params = LogParams {
        container: container.map(str::to_owned),
        ..LogParams::default()
    };
    Ok(api.logs(pod, &params).await?)
}
