//! Amazon's own webhook as its manifests make it, with what they leave to others: a certificate, and the file of
//! associations.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use emu_webhook::SKIP_LABEL;
use k8s_openapi::api::admissionregistration::v1::{MutatingWebhookConfiguration, ServiceReference};
use kube::api::DynamicObject;
use serde_json::{Value, json};

use super::{Error, Registration, apply::MANAGED_BY};
use crate::{
    image::{EMU_PROGRAM, Image},
    node::pki,
};

/// The name of its Deployment, and of all that belongs to it. Source: Amazon's manifests.
pub const NAME: &str = "pod-identity-webhook";
/// The namespace it is installed in.
pub const NAMESPACE: &str = "kube-system";
/// Amazon's public image. Source: its build, which gives a release's image the release's name.
pub const IMAGE: &str = "public.ecr.aws/eks/amazon-eks-pod-identity-webhook:v0.6.17";
/// The container that writes the file of associations.
pub(crate) const BESIDE: &str = "associations";
/// Where it lies in Amazon's image. Source: its Dockerfile.
pub(crate) const PROGRAM: &str = "/webhook";
/// The image of a program of this machine.
pub(crate) const LOCAL_IMAGE: &str = "emu.local/pod-identity-webhook:local";
const FOLDER: &str = "/etc/emu-webhook";
/// The file's name: it watches that of the folder's events.
pub(crate) const FILE_NAME: &str = "associations.json";

/// Which webhook a cluster has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum WebhookKind {
    /// Ours, which runs in this process.
    #[default]
    Emu,
    /// Amazon's image, which the cluster pulls.
    Image(String),
    /// A program of this machine that takes the flags of Amazon's.
    Program(PathBuf),
}

/// Who writes the file of associations, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AssociationsFile {
    /// This process, in a folder that the node has too.
    Folder(PathBuf),
    /// A container of emu's own image beside it.
    Beside {
        /// Emu's own image.
        image: String,
        /// `IfNotPresent`, or `Never` for an image that is only on the nodes.
        pull_policy: String,
    },
}

/// Its certificate, and the authority that made it: both ours, in PEM.
#[derive(Clone, PartialEq, Eq)]
pub struct Certificate {
    /// The authority.
    pub authority: String,
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl std::fmt::Debug for Certificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Certificate")
    }
}

impl Certificate {
    /// One for the names of its service, and for loopback.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn new() -> Result<Self, Error> {
        let bad = |e: crate::node::Error| Error::Object(e.to_string());
        let names = [
            format!("{NAME}.{NAMESPACE}.svc"),
            format!("{NAME}.{NAMESPACE}"),
            NAME.into(),
            "127.0.0.1".into(),
        ];
        let authority = pki::authority("emu-amazon-webhook").map_err(bad)?;
        let identity = pki::server(&authority, NAME, &names).map_err(bad)?;
        Ok(Self {
            authority: authority.pem(),
            certificate: identity.certificate,
            key: identity.key,
        })
    }
}

/// Amazon's webhook to install.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AmazonWebhook {
    /// Its image.
    pub image: String,
    /// `IfNotPresent`, or `Never` for an image that is only on the nodes.
    pub pull_policy: String,
    /// The region that it writes into pods.
    pub region: String,
    /// Who tells it of associations.
    pub associations: AssociationsFile,
    /// Its certificate.
    pub certificate: Certificate,
    /// Where services lead nowhere: the API server's address, and that it listens on the node's network instead.
    pub without_services: Option<SocketAddr>,
}

impl AmazonWebhook {
    /// The port at which it listens: Amazon's, or on the node's network one that nobody else has.
    pub(crate) fn port(&self) -> u16 {
        match self.without_services {
            None => 443,
            Some(_) => 9444,
        }
    }

    /// The objects to apply, in this order; [`registration`](Self::registration) comes after them.
    ///
    /// # Errors
    /// Never, unless one of them is none for Kubernetes.
    pub fn objects(&self) -> Result<Vec<DynamicObject>, Error> {
        let subject = json!([{"kind": "ServiceAccount", "name": NAME, "namespace": NAMESPACE}]);
        let rbac = "rbac.authorization.k8s.io";
        let mut objects = vec![
            object("v1", "ServiceAccount", true, json!({})),
            object(
                &format!("{rbac}/v1"),
                "ClusterRole",
                false,
                json!({"rules": [{
                    "apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get", "watch", "list"],
                }]}),
            ),
            object(
                &format!("{rbac}/v1"),
                "ClusterRoleBinding",
                false,
                json!({
                    "roleRef": {"apiGroup": rbac, "kind": "ClusterRole", "name": NAME},
                    "subjects": subject,
                }),
            ),
            object(
                "v1",
                "Secret",
                true,
                json!({"type": "kubernetes.io/tls", "stringData": {
                    "tls.crt": self.certificate.certificate,
                    "tls.key": self.certificate.key,
                }}),
            ),
        ];
        if self.without_services.is_none() {
            let ports = json!([{"port": 443, "targetPort": self.port(), "protocol": "TCP"}]);
            objects.push(object(
                "v1",
                "Service",
                true,
                json!({"spec": {"selector": selector(), "ports": ports}}),
            ));
        }
        objects.push(object(
            "apps/v1",
            "Deployment",
            true,
            json!({"spec": self.deployment()}),
        ));
        objects
            .into_iter()
            .map(|object| serde_json::from_value(object).map_err(|e| Error::Object(e.to_string())))
            .collect()
    }

    fn deployment(&self) -> Value {
        let mut labels = selector();
        labels[MANAGED_BY.0] = MANAGED_BY.1.into();
        // It is not asked about itself.
        labels[SKIP_LABEL] = "true".into();
        let mut volumes = json!([{"name": "cert", "secret": {"secretName": NAME}}]);
        let mut containers = json!([self.container()]);
        let (folder, more) = match &self.associations {
            AssociationsFile::Folder(path) => (
                json!({"name": "associations", "hostPath": {"path": path, "type": "Directory"}}),
                None,
            ),
            AssociationsFile::Beside { image, pull_policy } => (
                json!({"name": "associations", "emptyDir": {}}),
                Some(json!({
                    "name": BESIDE,
                    "image": image,
                    "imagePullPolicy": pull_policy,
                    "command": [EMU_PROGRAM, "pause"],
                    "volumeMounts": [{"name": "associations", "mountPath": FOLDER}],
                })),
            ),
        };
        let push = |list: &mut Value, one: Value| list.as_array_mut().map(|list| list.push(one));
        push(&mut volumes, folder);
        more.map(|more| push(&mut containers, more));
        let mut pod = json!({
            "serviceAccountName": NAME,
            "terminationGracePeriodSeconds": 1,
            "priorityClassName": "system-cluster-critical",
            "tolerations": [{"operator": "Exists"}],
            "containers": containers,
            "volumes": volumes,
        });
        if self.without_services.is_some() {
            pod["hostNetwork"] = true.into();
        }
        json!({
            "replicas": 1,
            // Never two, of which one knows less.
            "strategy": {"type": "Recreate"},
            "selector": {"matchLabels": selector()},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        })
    }

    fn container(&self) -> Value {
        let port = self.port();
        // Source: Amazon's manifest; the port, the region and the file of associations are ours.
        let command = [
            PROGRAM.into(),
            "--in-cluster=false".into(),
            format!("--namespace={NAMESPACE}"),
            format!("--service-name={NAME}"),
            "--annotation-prefix=eks.amazonaws.com".into(),
            "--token-audience=sts.amazonaws.com".into(),
            "--logtostderr".into(),
            format!("--port={port}"),
            format!("--aws-default-region={}", self.region),
            format!("--watch-container-credentials-config={}", file()),
        ];
        let mut container = json!({
            "name": NAME,
            "image": self.image,
            "imagePullPolicy": self.pull_policy,
            "command": command,
            "ports": [{"containerPort": port, "protocol": "TCP"}],
            // So its last lines tell why it ended.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "readinessProbe": {
                "httpGet": {"scheme": "HTTPS", "path": "/healthz", "port": port},
                "periodSeconds": 1,
            },
            "volumeMounts": [
                {"name": "cert", "mountPath": "/etc/webhook/certs", "readOnly": true},
                {"name": "associations", "mountPath": FOLDER, "readOnly": true},
            ],
        });
        if let Some(api_server) = self.without_services {
            container["env"] = json!([
                {"name": "KUBERNETES_SERVICE_HOST", "value": api_server.ip()},
                {"name": "KUBERNETES_SERVICE_PORT", "value": api_server.port().to_string()},
            ]);
        }
        container
    }

    /// Its registration: where Amazon's managed one is looked for, by its service where there are services.
    pub fn registration(&self) -> MutatingWebhookConfiguration {
        let registration = Registration {
            // Images up to this release leave out what `v1` demands. Source: Amazon's manifest.
            review_version: "v1beta1".into(),
            ..Registration::new(
                format!("https://127.0.0.1:{}/mutate", self.port()),
                &self.certificate.authority,
            )
        };
        let mut object = registration.object();
        if self.without_services.is_none() {
            for webhook in object.webhooks.iter_mut().flatten() {
                webhook.client_config.url = None;
                webhook.client_config.service = Some(ServiceReference {
                    name: NAME.into(),
                    namespace: NAMESPACE.into(),
                    path: Some("/mutate".into()),
                    port: Some(443),
                });
            }
        }
        object
    }
}

/// The image of a program of this machine.
pub(crate) fn image_of(program: &Path) -> Result<Image, crate::image::Error> {
    Image::new(LOCAL_IMAGE).program(program, PROGRAM)
}

/// The path of the file of associations, in both containers.
pub(crate) fn file() -> String {
    format!("{FOLDER}/{FILE_NAME}")
}

fn selector() -> Value {
    json!({"app.kubernetes.io/name": NAME})
}

/// An object of this name that is labelled as ours.
fn object(version: &str, kind: &str, namespaced: bool, mut rest: Value) -> Value {
    let mut labels = selector();
    labels[MANAGED_BY.0] = MANAGED_BY.1.into();
    rest["apiVersion"] = version.into();
    rest["kind"] = kind.into();
    rest["metadata"] = json!({"name": NAME, "labels": labels});
    if namespaced {
        rest["metadata"]["namespace"] = NAMESPACE.into();
    }
    rest
}
