//! What we ask of `kind`. Source: kind's documentation and its source, release 0.33.

use std::path::Path;

use serde_json::{Value, json};

use super::{Error, IpFamily, Spec};

pub(super) fn list() -> Vec<String> {
    words(&["kind", "get", "clusters"])
}

/// The names in the answer to [`list`]: one a line; that there are none is said on standard error.
pub(super) fn listed(answer: &str) -> Vec<String> {
    let names = answer.lines().map(str::trim).filter(|n| !n.is_empty());
    names.map(str::to_owned).collect()
}

pub(super) fn create(spec: &Spec, config: &Path, kubeconfig: &Path) -> Vec<String> {
    let mut words = words(&["kind", "create", "cluster", "--name", &spec.name]);
    words.extend(["--config".into(), config.display().to_string()]);
    words.extend(["--kubeconfig".into(), kubeconfig.display().to_string()]);
    // Longer than this a control plane that comes up at all does not take.
    words.extend(["--wait".into(), "120s".into()]);
    if let Some(image) = &spec.image {
        words.extend(["--image".into(), image.clone()]);
    }
    words
}

pub(super) fn kubeconfig(name: &str) -> Vec<String> {
    words(&["kind", "get", "kubeconfig", "--name", name])
}

pub(super) fn load(name: &str, archive: &Path) -> Vec<String> {
    let archive = archive.display().to_string();
    words(&["kind", "load", "image-archive", &archive, "--name", name])
}

pub(super) fn delete(name: &str, kubeconfig: &Path) -> Vec<String> {
    let kubeconfig = kubeconfig.display().to_string();
    words(&[
        "kind",
        "delete",
        "cluster",
        "--name",
        name,
        "--kubeconfig",
        &kubeconfig,
    ])
}

pub(super) fn control_plane(name: &str) -> String {
    format!("{name}-control-plane")
}

/// The names of the nodes' containers. kind numbers workers from the second one on.
pub(super) fn nodes(spec: &Spec) -> Vec<String> {
    let worker = |number| match number {
        1 => format!("{}-worker", spec.name),
        n => format!("{}-worker{n}", spec.name),
    };
    std::iter::once(control_plane(&spec.name))
        .chain((1..spec.nodes).map(worker))
        .collect()
}

/// The step that a line of [`create`]'s standard error begins, without its decoration.
pub(super) fn step(line: &str) -> Option<&str> {
    let step = line.trim().strip_prefix('\u{2022}')?;
    Some(step.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != ')'))
}

/// Whether a line of [`create`]'s standard error says that all nodes run, and their containerd with them.
pub(super) fn nodes_run(line: &str) -> bool {
    step(line).is_some_and(|step| step.starts_with("Starting control-plane"))
}

/// Asks a node to open a connection.
pub(super) fn dial(node: &str, address: std::net::SocketAddr) -> Vec<String> {
    let script = format!("exec 3<>/dev/tcp/{}/{}", address.ip(), address.port());
    words(&[
        "docker", "exec", node, "timeout", "5", "bash", "-c", &script,
    ])
}

/// Asks a node for Docker Desktop's name of the machine.
pub(super) fn host_in_node(node: &str) -> Vec<String> {
    words(&[
        "docker",
        "exec",
        node,
        "getent",
        "ahosts",
        "host.docker.internal",
    ])
}

/// The configuration file: what the user gave, and ours. It is JSON, which is YAML.
pub(super) fn configuration(spec: &Spec, given: Option<Value>) -> Result<Value, Error> {
    let mut config = given.unwrap_or_else(|| json!({}));
    let bad = |why: &str| Error::Config {
        path: spec.config.clone().unwrap_or_default(),
        why: why.to_owned(),
    };
    let fields = config.as_object_mut().ok_or_else(|| bad("not an object"))?;
    fields.insert("kind".into(), "Cluster".into());
    fields.insert("apiVersion".into(), "kind.x-k8s.io/v1alpha4".into());
    // What is given on the command line counts there and here.
    fields.remove("name");
    if spec.family != IpFamily::Ipv4 {
        let networking = fields.entry("networking").or_insert_with(|| json!({}));
        let networking = networking
            .as_object_mut()
            .ok_or_else(|| bad("`networking` is not an object"))?;
        networking.insert("ipFamily".into(), spec.family.as_str().into());
    }
    if !fields.contains_key("nodes") {
        let role = |n| if n == 0 { "control-plane" } else { "worker" };
        let nodes: Vec<Value> = (0..spec.nodes.max(1))
            .map(|n| json!({ "role": role(n) }))
            .collect();
        fields.insert("nodes".into(), nodes.into());
        if spec.nodes > 1 {
            // Beside workers, kind leaves the control plane its taint; every node of ours takes pods.
            let patch = json!({"kind": "InitConfiguration", "nodeRegistration": {"taints": []}});
            append(
                fields,
                "kubeadmConfigPatches",
                patch.to_string().into(),
                &bad,
            )?;
        }
    }
    for (version, set) in [
        ("v1beta3", flags_of_v1beta3 as fn(_) -> _),
        ("v1beta4", flags_of_v1beta4),
    ] {
        let patch = set([
            ("apiServer", "service-account-issuer", spec.issuer()),
            (
                "apiServer",
                "api-audiences",
                "https://kubernetes.default.svc".to_owned(),
            ),
            // Its controllers begin one after the other, as fast as it may ask: with the usual 20 a second, the agent's
            // pod is made three seconds later.
            ("controllerManager", "kube-api-qps", "200".to_owned()),
            ("controllerManager", "kube-api-burst", "400".to_owned()),
        ]);
        let patch = json!({
            "group": "kubeadm.k8s.io", "version": version, "kind": "ClusterConfiguration", "patch": patch.to_string(),
        });
        append(fields, "kubeadmConfigPatchesJSON6902", patch, &bad)?;
    }
    Ok(config)
}

/// Component, name and value.
type Flags = [(&'static str, &'static str, String); 4];

/// Up to v1beta3 flags are a map.
fn flags_of_v1beta3(flags: Flags) -> Value {
    let add = |(component, name, value)| json!({"op": "add", "path": format!("/{component}/extraArgs/{name}"), "value": value});
    flags.map(add).to_vec().into()
}

/// From v1beta4 on they are a list.
fn flags_of_v1beta4(flags: Flags) -> Value {
    let add = |(component, name, value)| json!({"op": "add", "path": format!("/{component}/extraArgs/-"), "value": {"name": name, "value": value}});
    flags.map(add).to_vec().into()
}

fn append(
    fields: &mut serde_json::Map<String, Value>,
    name: &str,
    value: Value,
    bad: &dyn Fn(&str) -> Error,
) -> Result<(), Error> {
    fields
        .entry(name)
        .or_insert_with(|| json!([]))
        .as_array_mut()
        .ok_or_else(|| bad(&format!("`{name}` is not a list")))?
        .push(value);
    Ok(())
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
