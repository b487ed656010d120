//! What the API server does with a pod beside calling the webhook: defaults, and refusals in its words.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, Pod, PodSpec};

use crate::cluster::ClusterError;

/// The suffix a generated name gets: five characters of Kubernetes's alphabet.
fn suffix(ids: &emu_core::Ids) -> String {
    const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
    (0..5)
        .map(|_| char::from(ALPHABET[ids.below(27) as usize]))
        .collect()
}

/// Fills in what the API server fills in before the webhooks see a pod.
pub(super) fn defaults(pod: &mut Pod, ids: &emu_core::Ids) {
    let meta = &mut pod.metadata;
    meta.namespace.get_or_insert_with(|| "default".into());
    if meta.name.as_ref().is_none_or(String::is_empty)
        && let Some(prefix) = &meta.generate_name
    {
        meta.name = Some(format!("{prefix}{}", suffix(ids)));
    }
    let spec = pod.spec.get_or_insert_default();
    let account = spec
        .service_account_name
        .clone()
        .or_else(|| spec.service_account.clone())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "default".into());
    spec.service_account = Some(account.clone());
    spec.service_account_name = Some(account);
    spec.restart_policy.get_or_insert_with(|| "Always".into());
    spec.dns_policy.get_or_insert_with(|| "ClusterFirst".into());
}

/// Refuses what the API server refuses.
///
/// # Errors
/// In Kubernetes's words.
pub(super) fn validate(pod: &Pod) -> Result<(), ClusterError> {
    let name = pod.metadata.name.as_deref().unwrap_or_default();
    let mut wrong = Vec::new();
    if name.is_empty() {
        wrong.push("metadata.name: Required value: name or generateName is required".to_owned());
    } else if !is_dns_subdomain(name) {
        wrong.push(format!(
            "metadata.name: Invalid value: \"{name}\": a lowercase RFC 1123 subdomain must consist of lower case \
             alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
             'example.com', regex used for validation is \
             '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        ));
    }
    match &pod.spec {
        Some(spec) => check_spec(spec, &mut wrong),
        None => wrong.push("spec.containers: Required value".into()),
    }
    let message = match wrong.as_slice() {
        [] => return Ok(()),
        [one] => one.clone(),
        more => format!("[{}]", more.join(", ")),
    };
    Err(ClusterError::Refused {
        message: format!("Pod \"{name}\" is invalid: {message}"),
    })
}

fn check_spec(spec: &PodSpec, wrong: &mut Vec<String>) {
    if spec.containers.is_empty() {
        wrong.push("spec.containers: Required value".into());
    }
    let mut volumes = BTreeSet::new();
    for (i, volume) in spec.volumes.iter().flatten().enumerate() {
        if !volumes.insert(volume.name.as_str()) {
            wrong.push(format!(
                "spec.volumes[{i}].name: Duplicate value: \"{}\"",
                volume.name
            ));
        }
        check_tokens(i, volume, wrong);
    }
    let mut names = BTreeSet::new();
    let groups = [
        ("containers", spec.containers.as_slice()),
        (
            "initContainers",
            spec.init_containers.as_deref().unwrap_or_default(),
        ),
    ];
    for (field, containers) in groups {
        for (i, container) in containers.iter().enumerate() {
            let path = format!("spec.{field}[{i}]");
            if !names.insert(container.name.as_str()) {
                wrong.push(format!(
                    "{path}.name: Duplicate value: \"{}\"",
                    container.name
                ));
            }
            check_mounts(&path, container, &volumes, wrong);
        }
    }
}

fn check_tokens(i: usize, volume: &k8s_openapi::api::core::v1::Volume, wrong: &mut Vec<String>) {
    let sources = volume
        .projected
        .iter()
        .flat_map(|p| p.sources.iter().flatten());
    for (j, source) in sources.enumerate() {
        let seconds = source
            .service_account_token
            .as_ref()
            .and_then(|t| t.expiration_seconds);
        if seconds.is_some_and(|s| s < 600) {
            wrong.push(format!(
                "spec.volumes[{i}].projected.sources[{j}].serviceAccountToken.expirationSeconds: Invalid value: {}: may \
                 not specify a duration less than 10 minutes",
                seconds.unwrap_or_default()
            ));
        }
    }
}

fn check_mounts(
    path: &str,
    container: &Container,
    volumes: &BTreeSet<&str>,
    wrong: &mut Vec<String>,
) {
    let mut places = BTreeSet::new();
    for (i, mount) in container.volume_mounts.iter().flatten().enumerate() {
        let path = format!("{path}.volumeMounts[{i}]");
        if !volumes.contains(mount.name.as_str()) {
            wrong.push(format!("{path}.name: Not found: \"{}\"", mount.name));
        }
        if !places.insert(mount.mount_path.as_str()) {
            wrong.push(format!(
                "{path}.mountPath: Invalid value: \"{}\": must be unique",
                mount.mount_path
            ));
        }
    }
}

fn is_dns_subdomain(name: &str) -> bool {
    let label = |l: &str| {
        !l.is_empty()
            && !l.starts_with('-')
            && !l.ends_with('-')
            && l.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    };
    name.len() <= 253 && name.split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(value: serde_json::Value) -> Pod {
        let mut pod: Pod = serde_json::from_value(value).unwrap();
        defaults(&mut pod, &emu_core::Ids::seeded(1));
        pod
    }

    #[test]
    fn defaults_are_those_of_the_api_server() {
        let pod = pod(serde_json::json!({
            "metadata": { "generateName": "api-" },
            "spec": { "containers": [{ "name": "app" }] },
        }));
        validate(&pod).unwrap();
        assert_eq!(pod.metadata.namespace.as_deref(), Some("default"));
        assert_eq!(pod.metadata.name.unwrap().len(), 9);
        let spec = pod.spec.unwrap();
        assert_eq!(spec.service_account_name.as_deref(), Some("default"));
    }

    #[test]
    fn two_mounts_at_one_place_are_refused_in_kubernetes_words() {
        let pod = pod(serde_json::json!({
            "metadata": { "name": "api-0" },
            "spec": {
                "volumes": [{ "name": "a" }, { "name": "b" }],
                "containers": [{ "name": "app", "volumeMounts": [
                    { "name": "a", "mountPath": "/x" }, { "name": "b", "mountPath": "/x" },
                ]}],
            },
        }));
        assert_eq!(
            validate(&pod).unwrap_err().to_string(),
            "Pod \"api-0\" is invalid: spec.containers[0].volumeMounts[1].mountPath: Invalid value: \"/x\": must be unique"
        );
    }

    #[test]
    fn a_pod_without_anything_is_refused() {
        let text = validate(&pod(serde_json::json!({ "metadata": {} })))
            .unwrap_err()
            .to_string();
        assert!(text.contains("spec.containers: Required value"), "{text}");
        assert!(text.contains("metadata.name: Required value"), "{text}");
    }
}
