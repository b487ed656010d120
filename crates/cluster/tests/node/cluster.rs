//! What a real cluster does for us: objects, pods, tokens, the webhook, the agent.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    process::Command,
    time::Duration,
};

use emu_cluster::{
    kubernetes::{
        AgentInstall, Registration,
        apply::{apply, apply_all, dynamic, installed, list, uninstall},
        pod::{exec, logs},
        token::{self, Mint},
    },
    node::{Inward, LinkFault, Node},
};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration, apps::v1::DaemonSet,
};
use kube::{Api, api::PostParams, runtime::wait::await_condition};
use serde_json::json;

use crate::{
    Outcome, binaries, block_on,
    lifecycle::{SELF_IMAGE, pod, run, start},
};

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

fn check(holds: bool, what: impl std::fmt::Debug) -> Outcome {
    if holds {
        Ok(())
    } else {
        Err(format!("does not hold: {what:?}").into())
    }
}

pub(crate) fn pods_tokens_webhook_and_agent() -> Outcome {
    block_on(async {
        let root = tempfile::tempdir()?;
        let node = start(root.path()).await?;
        run(&node, &pod("first", &["sleep"])?).await?;
        commands(&node).await?;
        host_services(&node).await?;
        tokens(&node).await?;
        webhook(&node).await?;
        agent(&node).await?;
        restarts(&node).await?;
        node.stop().await?;
        Ok(())
    })?
}

/// exec, its exit codes and streams; logs; kubectl from the host.
async fn commands(node: &Node) -> Outcome {
    let client = node.client();
    let role = |rest: &[&str]| words(&[&["/self", "role"], rest].concat());
    let cat = role(&["cat"]);
    let output = exec(
        &client,
        "default",
        "first",
        None,
        &cat,
        Some(b"through a pipe"),
    )
    .await?;
    check(
        output.stdout == b"through a pipe" && output.code == 0,
        &output,
    )?;
    let output = exec(
        &client,
        "default",
        "first",
        None,
        &role(&["cat", "/none"]),
        None,
    )
    .await?;
    check(output.code == 3 && !output.stderr.is_empty(), &output)?;
    check(
        logs(&client, "default", "first", None).await? == "asleep\n",
        "log",
    )?;
    let kubectl = binaries().ok_or("no binaries")?.join("kubectl");
    let output = Command::new(kubectl)
        .env("KUBECONFIG", node.kubeconfig())
        .env("KUBECACHEDIR", node.run_dir().join("kubectl"))
        .args(["get", "nodes", "-o", "name"])
        .output()?;
    check(output.stdout == b"node/node0\n", &output)
}

/// A server of the host, seen from a pod, also when the way to it is disturbed.
async fn host_services(node: &Node) -> Outcome {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let host = server.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            let _ = stream.write_all(b"from the host");
        }
    });
    let inside = SocketAddr::from((node.config().addresses.node, 4566));
    let forward = node.forward(Inward { inside, host })?;
    let client = node.client();
    let command = words(&["/self", "role", "read-from", &inside.to_string()]);
    let output = exec(&client, "default", "first", None, &command, None).await?;
    check(output.stdout == b"from the host", &output)?;
    forward.disturb(LinkFault::Refuse);
    let output = exec(&client, "default", "first", None, &command, None).await?;
    check(output.stdout.is_empty(), &output)?;
    forward.disturb(LinkFault::None);
    let output = exec(&client, "default", "first", None, &command, None).await?;
    check(output.stdout == b"from the host", &output)
}

/// The issuer, its keys, a token by hand, the pod's own.
async fn tokens(node: &Node) -> Outcome {
    let client = node.client();
    let discovery = token::discovery(&client).await?;
    check(discovery.issuer == node.config().issuer, &discovery)?;
    let keys = token::jwks(&client).await?;
    check(keys["keys"][0]["kty"] == "RSA", &keys)?;
    let mint = Mint {
        namespace: "default",
        service_account: "default",
        audiences: vec!["pods.eks.amazonaws.com".into()],
        seconds: 3600,
        pod: Some("first"),
    };
    let (token, until) = token::mint(&client, &mint).await?;
    check(token.split('.').count() == 3 && !until.is_empty(), until)?;
    let path = "/var/run/secrets/kubernetes.io/serviceaccount/token";
    let command = words(&["/self", "role", "cat", path]);
    let output = exec(&client, "default", "first", None, &command, None).await?;
    check(output.stdout.starts_with(b"ey"), "the pod's token")
}

/// The API server calls the webhook where it was told to.
async fn webhook(node: &Node) -> Outcome {
    let client = node.client();
    let inside = SocketAddr::from((Ipv4Addr::LOCALHOST, 9443));
    let listener = node.listen(inside)?;
    let registration =
        Registration::new(format!("https://{inside}/mutate"), &*node.pki().authority).object();
    check(
        list(&[dynamic(&registration)?])[0].to_string()
            == "MutatingWebhookConfiguration iam-for-pods.amazonaws.com",
        "list",
    )?;
    let api: Api<MutatingWebhookConfiguration> = Api::all(client.clone());
    apply(&api, &registration).await?;
    let called = std::thread::spawn(move || listener.accept().map(drop));
    // The API server learns of the registration a moment later; until then pods go by it.
    let pods = Api::namespaced(client.clone(), "default");
    for number in 0..200 {
        if called.is_finished() {
            break;
        }
        let dry = PostParams {
            dry_run: true,
            field_manager: None,
        };
        pods.create(&dry, &pod(&format!("dry-{number}"), &["sleep"])?)
            .await?;
    }
    check(called.is_finished(), "the webhook was called")?;
    check(installed(&client).await?.len() == 1, "installed")?;
    check(uninstall(&client).await?.len() == 1, "uninstalled")?;
    check(installed(&client).await?.is_empty(), "nothing left")
}

/// A DaemonSet on the agent's address, reached from a pod.
async fn agent(node: &Node) -> Outcome {
    let client = node.client();
    let install = AgentInstall {
        image: SELF_IMAGE.into(),
        command: Vec::new(),
        arguments: words(&["agent"]),
        env: vec![("AWS_REGION".into(), "us-east-1".into())],
        init: None,
        makes_link: false,
        folders: Vec::new(),
        node_variable: None,
        token: false,
        stopped: Vec::new(),
        probe_port: 2703,
        pull_policy: "Never".into(),
    };
    let config_map = serde_json::from_value(json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "beside"}, "data": {"a": "b"},
    }))?;
    apply_all(
        &client,
        &[dynamic(&install.object())?, config_map],
        "default",
    )
    .await?;
    let ready = |set: Option<&DaemonSet>| {
        set.and_then(|s| s.status.as_ref())
            .is_some_and(|s| s.number_ready == 1)
    };
    let api: Api<DaemonSet> = Api::namespaced(client.clone(), "kube-system");
    let waiting = await_condition(api, "eks-pod-identity-agent", ready);
    tokio::time::timeout(Duration::from_secs(60), waiting).await??;
    let command = words(&["/self", "role", "read-from", "169.254.170.23:80"]);
    let output = exec(&client, "default", "first", None, &command, None).await?;
    check(output.stdout == b"the agent", &output)
}

/// Killed processes come back.
async fn restarts(node: &Node) -> Outcome {
    for name in ["kubelet", "etcd", "kube-apiserver"] {
        node.kill(name).await?;
        node.restart(name).await?;
    }
    emu_cluster::kubernetes::api_ready(&node.client()).await?;
    node.ready(Duration::from_secs(60)).await?;
    run(node, &pod("after", &["sleep"])?).await.map(drop)
}
