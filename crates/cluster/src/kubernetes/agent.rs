//! The agent as a DaemonSet, as Amazon's chart makes it.

use std::{collections::BTreeMap, path::PathBuf};

use k8s_openapi::{
    api::{
        apps::v1::{DaemonSet, DaemonSetSpec, DaemonSetUpdateStrategy},
        core::v1::{
            Affinity, Capabilities, Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction,
            HostPathVolumeSource, NodeAffinity, NodeSelector, NodeSelectorRequirement,
            NodeSelectorTerm, ObjectFieldSelector, PodSpec, PodTemplateSpec, Probe,
            SecurityContext, Toleration, Volume, VolumeMount,
        },
    },
    apimachinery::pkg::{apis::meta::v1::LabelSelector, util::intstr::IntOrString},
};
use kube::api::ObjectMeta;

use super::apply::MANAGED_BY;

/// The name of the DaemonSet. Source: Amazon's chart.
pub const NAME: &str = "eks-pod-identity-agent";
/// The name of the container that runs before it. Source: Amazon's chart.
pub const INIT: &str = "eks-pod-identity-agent-init";
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
    /// Files and folders of the node that it sees, each at its own place: those a program of this machine needs.
    pub folders: Vec<PathBuf>,
    /// The variable that tells the agent its node's name, if it wants one.
    pub node_variable: Option<String>,
    /// What runs before it; none when the node has the agent's link already.
    pub init: Option<AgentInit>,
    /// Whether it has a token for the API server: releases from 0.2 on read the cluster's keys.
    pub token: bool,
    /// Nodes on which it is stopped.
    pub stopped: Vec<String>,
    /// Its own container makes the agent's link before it becomes the agent; that saves the time of a container before it.
    pub makes_link: bool,
    /// The port of the readiness and liveness probes. Source: chart, 2703.
    pub probe_port: i32,
    /// `IfNotPresent`, or `Never` for an image that is only on the node.
    pub pull_policy: String,
}

/// What runs on a node before the agent: makes its link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentInit {
    /// The image.
    pub image: String,
    /// The program, replacing the image's entrypoint; empty for its own.
    pub command: Vec<String>,
    /// The arguments.
    pub arguments: Vec<String>,
    /// `IfNotPresent`, or `Never` for an image that is only on the node.
    pub pull_policy: String,
    /// Whether it needs everything, as Amazon's does; else it has NET_ADMIN.
    pub privileged: bool,
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
                // Pods are replaced by us, and on the nodes that are meant.
                update_strategy: Some(DaemonSetUpdateStrategy {
                    type_: Some("OnDelete".into()),
                    rolling_update: None,
                }),
                ..DaemonSetSpec::default()
            }),
            status: None,
        }
    }

    fn pod(&self) -> PodSpec {
        PodSpec {
            host_network: Some(true),
            automount_service_account_token: Some(self.token),
            affinity: (!self.stopped.is_empty()).then(|| elsewhere(&self.stopped)),
            termination_grace_period_seconds: Some(30),
            priority_class_name: Some("system-node-critical".into()),
            tolerations: Some(vec![Toleration {
                operator: Some("Exists".into()),
                ..Toleration::default()
            }]),
            init_containers: self.init.as_ref().map(|init| vec![init.container()]),
            volumes: (!self.folders.is_empty()).then(|| self.volumes()),
            containers: vec![Container {
                name: NAME.into(),
                volume_mounts: (!self.folders.is_empty()).then(|| self.mounts()),
                args: Some(self.arguments.clone()),
                ports: Some(vec![
                    port("proxy", 80),
                    port("probes-port", self.probe_port),
                ]),
                security_context: Some(SecurityContext {
                    capabilities: Some(Capabilities {
                        add: Some(self.capabilities()),
                        drop: None,
                    }),
                    ..SecurityContext::default()
                }),
                // So its last lines tell why it failed.
                termination_message_policy: self.makes_link.then(|| "FallbackToLogsOnError".into()),
                liveness_probe: Some(self.probe("/healthz", 30, 3)),
                // The chart waits a second before the first look; here every second counts, and a refused look costs none.
                readiness_probe: Some(self.probe("/readyz", 0, 30)),
                ..self.container()
            }],
            ..PodSpec::default()
        }
    }

    fn capabilities(&self) -> Vec<String> {
        let link = self.makes_link.then_some("NET_ADMIN");
        let capabilities = link.into_iter().chain(["NET_BIND_SERVICE"]);
        capabilities.map(String::from).collect()
    }

    fn container(&self) -> Container {
        Container {
            image: Some(self.image.clone()),
            image_pull_policy: Some(self.pull_policy.clone()),
            command: Some(self.command.clone()).filter(|c| !c.is_empty()),
            env: Some(self.variables()),
            ..Container::default()
        }
    }

    fn volumes(&self) -> Vec<Volume> {
        let volume = |(number, folder): (usize, &PathBuf)| Volume {
            name: format!("local-{number}"),
            host_path: Some(HostPathVolumeSource {
                path: folder.to_string_lossy().into_owned(),
                type_: None,
            }),
            ..Volume::default()
        };
        self.folders.iter().enumerate().map(volume).collect()
    }

    fn mounts(&self) -> Vec<VolumeMount> {
        let mount = |(number, folder): (usize, &PathBuf)| VolumeMount {
            name: format!("local-{number}"),
            mount_path: folder.to_string_lossy().into_owned(),
            read_only: Some(true),
            ..VolumeMount::default()
        };
        self.folders.iter().enumerate().map(mount).collect()
    }

    fn variables(&self) -> Vec<EnvVar> {
        let plain = self.env.iter().map(|(name, value)| EnvVar {
            name: name.clone(),
            value: Some(value.clone()),
            value_from: None,
        });
        let node = self.node_variable.iter().map(|name| EnvVar {
            name: name.clone(),
            value: None,
            value_from: Some(EnvVarSource {
                field_ref: Some(ObjectFieldSelector {
                    api_version: Some("v1".into()),
                    field_path: "spec.nodeName".into(),
                }),
                ..EnvVarSource::default()
            }),
        });
        plain.chain(node).collect()
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

impl AgentInit {
    fn container(&self) -> Container {
        Container {
            name: INIT.into(),
            image: Some(self.image.clone()),
            image_pull_policy: Some(self.pull_policy.clone()),
            command: Some(self.command.clone()).filter(|c| !c.is_empty()),
            args: Some(self.arguments.clone()),
            security_context: Some(SecurityContext {
                privileged: self.privileged.then_some(true),
                capabilities: (!self.privileged).then(|| Capabilities {
                    add: Some(vec!["NET_ADMIN".into()]),
                    drop: None,
                }),
                ..SecurityContext::default()
            }),
            // So its last lines tell why it failed.
            termination_message_policy: Some("FallbackToLogsOnError".into()),
            ..Container::default()
        }
    }
}

/// Every node but these.
fn elsewhere(nodes: &[String]) -> Affinity {
    // The API server takes one name a requirement.
    let not = |node: &String| NodeSelectorRequirement {
        key: "metadata.name".into(),
        operator: "NotIn".into(),
        values: Some(vec![node.clone()]),
    };
    let term = NodeSelectorTerm {
        match_fields: Some(nodes.iter().map(not).collect()),
        match_expressions: None,
    };
    Affinity {
        node_affinity: Some(NodeAffinity {
            required_during_scheduling_ignored_during_execution: Some(NodeSelector {
                node_selector_terms: vec![term],
            }),
            preferred_during_scheduling_ignored_during_execution: None,
        }),
        ..Affinity::default()
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
