//! What we ask of `k3d`. Source: k3d's documentation and its source, release 5.8.

use std::path::Path;

use serde::Deserialize;

use super::{Error, IpFamily, Provider, Spec};

pub(super) fn list() -> Vec<String> {
    words(&["k3d", "cluster", "list", "--output", "json"])
}

#[derive(Deserialize)]
struct Listed {
    name: String,
}

/// The names in the answer to [`list`].
pub(super) fn listed(answer: &str) -> Result<Vec<String>, serde_json::Error> {
    let list: Vec<Listed> = serde_json::from_str(answer.trim())?;
    Ok(list.into_iter().map(|one| one.name).collect())
}

pub(super) fn create(spec: &Spec) -> Result<Vec<String>, Error> {
    if spec.family != IpFamily::Ipv4 {
        return Err(Error::Unsupported {
            provider: Provider::K3d,
            what: format!("a cluster with {} addresses", spec.family.as_str()),
        });
    }
    let issuer = format!(
        "--kube-apiserver-arg=service-account-issuer={}@server:*",
        spec.issuer()
    );
    let mut words = words(&["k3d", "cluster", "create", &spec.name, "--servers", "1"]);
    words.extend(["--agents".into(), spec.nodes.saturating_sub(1).to_string()]);
    for word in [
        // Reached from this machine alone, and without the load balancer's image.
        "--api-port",
        "127.0.0.1:random",
        "--no-lb",
        "--wait",
        "--timeout",
        &format!("{}s", spec.limit.as_secs()),
        "--kubeconfig-update-default=false",
        "--kubeconfig-switch-context=false",
        "--k3s-arg",
        &issuer,
        "--k3s-arg",
        "--kube-apiserver-arg=api-audiences=https://kubernetes.default.svc,k3s@server:*",
        // What would be pulled and serves nobody here.
        "--k3s-arg",
        "--disable=traefik,servicelb,metrics-server@server:*",
    ] {
        words.push(word.to_owned());
    }
    if let Some(image) = &spec.image {
        words.extend(["--image".into(), image.clone()]);
    }
    if let Some(config) = &spec.config {
        words.extend(["--config".into(), config.display().to_string()]);
    }
    Ok(words)
}

pub(super) fn start(name: &str) -> Vec<String> {
    words(&["k3d", "cluster", "start", name, "--wait"])
}

pub(super) fn kubeconfig(name: &str) -> Vec<String> {
    words(&["k3d", "kubeconfig", "get", name])
}

/// What a line of [`create`]'s standard error says, without its level and time (`INFO[0003] `).
pub(super) fn step(line: &str) -> Option<&str> {
    line.trim()
        .strip_prefix("INFO[")?
        .split_once("] ")
        .map(|(_, said)| said)
}

/// Direct, without the image of k3d's tools.
pub(super) fn load(name: &str, archive: &Path) -> Vec<String> {
    let archive = archive.display().to_string();
    words(&[
        "k3d",
        "image",
        "import",
        &archive,
        "--cluster",
        name,
        "--mode",
        "direct",
    ])
}

pub(super) fn delete(name: &str) -> Vec<String> {
    words(&["k3d", "cluster", "delete", name])
}

pub(super) fn control_plane(name: &str) -> String {
    format!("k3d-{name}-server-0")
}

/// Asks a node to open a connection. k3s's image has busybox.
pub(super) fn dial(node: &str, address: std::net::SocketAddr) -> Vec<String> {
    let (ip, port) = (address.ip().to_string(), address.port().to_string());
    words(&["docker", "exec", node, "nc", "-w", "5", &ip, &port])
}

/// Asks a node for k3d's name of the machine: k3d writes it into the file.
pub(super) fn host_in_node(node: &str) -> Vec<String> {
    words(&[
        "docker",
        "exec",
        node,
        "grep",
        "host.k3d.internal",
        "/etc/hosts",
    ])
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
