//! The agent as a DaemonSet, as Amazon's chart makes it.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, DaemonSetSpec},
        core::v1::{
            Capabilities, Container, ContainerPort, EnvVar, HTTPGetAction, PodSpec,
            PodTemplateSpec, Probe, SecurityContext, Toleration,
        },
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use kube::api::ObjectMeta;

use super::apply::MANAGED_BY;

/// The name of the DaemonSet. Source: Amazon's chart.
pub const NAME: &str = "eks-pod-identity-agent";
/// The namespace it is installed in.
pub const NAMESPACE: &str = "kube-system";

/// The agent to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentInstall {
    /// The image.
    pub image: String,
    /// The program and first arguments up to the subcommand, replacing the image's entrypoint; empty for its own.
    pub command: Vec<String>,
    /// The arguments.
    pub arguments: Vec<String>,
    /// Variables: region, credentials of the node role.
    pub env: Vec<(String, String)>,
    /// Arguments of the init container (`initialize`); none when the node has the agent's link already.
    pub initialize: Option<Vec<String>>,
    /// The port of the readiness and liveness probes. Source: chart, 2703.
    pub probe_port: i32,
    /// `IfNotPresent`, or `Never` for an image that is only on the node.
    pub pull_policy: String,
}

impl AgentInstall {
    /// The object to apply.
    pub fn object(&self) -> DaemonSet {
        let labels = BTreeMap::from([
            ("app.kubernetes.io/name".to_owned(), NAME.to_owned()),
            (MANAGED_BY.0.to_owned(), MANAGED_BY.1.to_owned()),
        ]);
        let selector = BTreeMap::from([("app.kubernetes.io/name".to_owned(), NAME.to_owned())]);
        DaemonSet {
            metadata: ObjectMeta {
                name: Some(NAME.into()),
                namespace: Some(NAMESPACE.into()),
                labels: Some(labels.clone()),
                ..ObjectMeta::default()
            },
            spec: Some(DaemonSetSpec {
                selector: LabelSelector {
                    match_labels: Some(selector),
                    match_expressions: None,
                },
                template: PodTemplateSpec {
                    metadata: Some(ObjectMeta {
                        labels: Some(labels),
                        ..ObjectMeta::default()
                    }),
                    spec: Some(self.pod()),
                },
                ..DaemonSetSpec::default()
            }),
            status: None,
        }
    }

    fn pod(&self) -> PodSpec {
        PodSpec {
            host_network: Some(true),
            automount_service_account_token: Some(false),
            termination_grace_period_seconds: Some(30),
            priority_class_name: Some("system-node-critical".into()),
            tolerations: Some(vec![Toleration {
                operator: Some("Exists".into()),
                ..Toleration::default()
            }]),
            init_containers: self.initialize.as_ref().map(|arguments| {
                vec![Container {
                    name: format!("{NAME}-init"),
                    args: Some(arguments.clone()),
                    security_context: Some(SecurityContext {
                        privileged: Some(true),
                        ..SecurityContext::default()
                    }),
                    ..self.container()
                }]
            }),
            containers: vec![Container {
                name: NAME.into(),
                args: Some(self.arguments.clone()),
                ports: Some(vec![
                    port("proxy", 80),
                    port("probes-port", self.probe_port),
                ]),
                security_context: Some(SecurityContext {
                    capabilities: Some(Capabilities {
                        add: Some(vec!["NET_BIND_SERVICE".into()]),
                        drop: None,
                    }),
                    ..SecurityContext::default()
                }),
                liveness_probe: Some(self.probe("/healthz", 30, 3)),
                // The chart waits a second before the first look; here every second counts, and a refused look costs none.
                readiness_probe: Some(self.probe("/readyz", 0, 30)),
                ..self.container()
            }],
            ..PodSpec::default()
        }
    }

    fn container(&self) -> Container {
        Container {
            image: Some(self.image.clone()),
            image_pull_policy: Some(self.pull_policy.clone()),
            command: Some(self.command.clone()).filter(|c| !c.is_empty()),
            env: Some(
                self.env
                    .iter()
                    .map(|(name, value)| EnvVar {
                        name: name.clone(),
                        value: Some(value.clone()),
                        value_from: None,
                    })
                    .collect(),
            ),
            ..Container::default()
        }
    }

    fn probe(&self, path: &str, delay: i32, failures: i32) -> Probe {
        Probe {
            http_get: Some(HTTPGetAction {
                host: Some("localhost".into()),
                path: Some(path.into()),
                port: IntOrString::Int(self.probe_port),
                scheme: Some("HTTP".into()),
                http_headers: None,
            }),
            initial_delay_seconds: Some(delay),
            period_seconds: Some(if failures > 3 { 1 } else { 10 }),
            timeout_seconds: Some(10),
            failure_threshold: Some(failures),
            ..Probe::default()
        }
    }
}

fn port(name: &str, number: i32) -> ContainerPort {
    ContainerPort {
        name: Some(name.into()),
        container_port: number,
        protocol: Some("TCP".into()),
        ..ContainerPort::default()
    }
}
