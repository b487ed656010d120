//! The variables of a program in a pod.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use k8s_openapi::api::core::v1::{Container, Pod};

use super::space::Shown;

/// Variables of this process that a pod must not see: its user's own AWS configuration, and proxies it cannot reach.
fn is_private(name: &str) -> bool {
    const PROXIES: [&str; 4] = ["http_proxy", "https_proxy", "all_proxy", "no_proxy"];
    name.starts_with("AWS_") || PROXIES.contains(&name.to_ascii_lowercase().as_str())
}

/// What a program inherits from this process.
pub(super) fn inherited() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?)))
        .filter(|(name, _)| !is_private(name))
        .collect()
}

/// The variables a container's spec sets: plain values, and the fields of the pod that are named most.
pub(super) fn of_container(pod: &Pod, container: &Container) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for variable in container.env.iter().flatten() {
        let field = variable
            .value_from
            .as_ref()
            .and_then(|from| from.field_ref.as_ref())
            .and_then(|field| field_of(pod, &field.field_path));
        let value = variable.value.clone().or(field);
        out.insert(variable.name.clone(), value.unwrap_or_default());
    }
    out
}

fn field_of(pod: &Pod, path: &str) -> Option<String> {
    let (meta, spec) = (&pod.metadata, pod.spec.as_ref()?);
    match path {
        "metadata.name" => meta.name.clone(),
        "metadata.namespace" => meta.namespace.clone(),
        "metadata.uid" => meta.uid.clone(),
        "spec.nodeName" => spec.node_name.clone(),
        "spec.serviceAccountName" => spec.service_account_name.clone(),
        "status.podIP" | "status.hostIP" => Some("127.0.0.1".into()),
        _ => None,
    }
}

/// Where things really are when there are no namespaces.
pub(super) struct Detour<'a> {
    /// The pod's way to the agent.
    pub(super) agent: Option<SocketAddr>,
    /// The pod's way to instance metadata.
    pub(super) metadata: Option<SocketAddr>,
    /// What would be seen where.
    pub(super) shown: &'a [Shown],
}

impl Detour<'_> {
    /// Makes variables point to where things really are.
    pub(super) fn apply(&self, env: &mut BTreeMap<String, String>) {
        for value in env.values_mut() {
            if let Some(agent) = self.agent {
                for host in [
                    "169.254.170.23:80",
                    "169.254.170.23",
                    "[fd00:ec2::23]:80",
                    "[fd00:ec2::23]",
                ] {
                    *value = value.replace(&format!("http://{host}/"), &format!("http://{agent}/"));
                }
            }
            for shown in self.shown {
                if let Ok(rest) = Path::new(value.as_str()).strip_prefix(&shown.target) {
                    *value = shown.source.join(rest).to_string_lossy().into_owned();
                    break;
                }
            }
        }
        if let Some(metadata) = self.metadata {
            env.insert(
                "AWS_EC2_METADATA_SERVICE_ENDPOINT".into(),
                format!("http://{metadata}"),
            );
        }
        // The files of whoever runs this are not the pod's.
        for name in ["AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"] {
            env.entry(name.into()).or_insert_with(|| "/dev/null".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detour_moves_the_address_and_the_token() {
        let shown = [Shown {
            source: "/tmp/x".into(),
            target: "/var/run/secrets/s".into(),
            read_only: true,
        }];
        let detour = Detour {
            agent: Some(([127, 0, 0, 1], 9000).into()),
            metadata: None,
            shown: &shown,
        };
        let mut env = BTreeMap::from([
            (
                "A".to_owned(),
                "http://169.254.170.23/v1/credentials".to_owned(),
            ),
            ("B".to_owned(), "/var/run/secrets/s/token".to_owned()),
            ("C".to_owned(), "/var/run/secrets/other".to_owned()),
        ]);
        detour.apply(&mut env);
        assert_eq!(env["A"], "http://127.0.0.1:9000/v1/credentials");
        assert_eq!(env["B"], "/tmp/x/token");
        assert_eq!(env["C"], "/var/run/secrets/other");
    }

    #[test]
    fn the_users_own_configuration_stays_outside() {
        assert!(is_private("AWS_PROFILE") && is_private("HTTPS_PROXY"));
        assert!(!is_private("PATH"));
    }
}
