//! The registration of our pod webhook: by URL, with its own authority.

use std::collections::BTreeMap;

use k8s_openapi::{
    ByteString,
    api::admissionregistration::v1::{
        MutatingWebhook, MutatingWebhookConfiguration, RuleWithOperations, WebhookClientConfig,
    },
    apimachinery::pkg::apis::meta::v1::{LabelSelector, LabelSelectorRequirement},
};
use kube::api::ObjectMeta;

use super::apply::MANAGED_BY;

/// The name of the configuration and of its only webhook. Source: thread (agent issue 153), the managed one's name.
pub const NAME: &str = "iam-for-pods.amazonaws.com";
/// The name of the configuration that lets pods know where the emulator answers; ours, not Amazon's. It comes before
/// [`NAME`] in the alphabet, so that Amazon's is not asked twice.
pub const ENDPOINT_NAME: &str = "endpoint.emu.local";
/// A pod with this label is not sent to the webhook. Source: Amazon's webhook.
const SKIP_LABEL: &str = "eks.amazonaws.com/skip-pod-identity-webhook";

/// How the webhook is registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Where the API server finds it, with the path: `https://10.99.0.2:9443/mutate`.
    pub url: String,
    /// The authority of its certificate, in PEM.
    pub authority: String,
    /// How long the API server waits for it, in seconds. Source: thread, 10 on EKS.
    pub timeout_seconds: i32,
    /// `v1`, or `v1beta1` for Amazon's image up to v0.6.17.
    pub review_version: String,
}

impl Registration {
    /// A registration as on EKS.
    pub fn new(url: impl Into<String>, authority: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            authority: authority.into(),
            timeout_seconds: 10,
            review_version: "v1".into(),
        }
    }

    /// The object to apply.
    pub fn object(&self) -> MutatingWebhookConfiguration {
        let without_label = LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: SKIP_LABEL.into(),
                operator: "DoesNotExist".into(),
                values: None,
            }]),
            match_labels: None,
        };
        configuration(
            NAME,
            MutatingWebhook {
                object_selector: Some(without_label),
                reinvocation_policy: Some("IfNeeded".into()),
                ..self.webhook(NAME)
            },
        )
    }

    /// The object for what is ours and not Amazon's: pods learn where the emulator answers
    /// ([`emu_webhook::ENDPOINT_PATH`] is the path of its URL). The pods of `kube-system` are left alone, the agent's
    /// among them.
    pub fn endpoint_object(&self) -> MutatingWebhookConfiguration {
        let elsewhere = LabelSelector {
            match_expressions: Some(vec![LabelSelectorRequirement {
                key: "kubernetes.io/metadata.name".into(),
                operator: "NotIn".into(),
                values: Some(vec!["kube-system".into()]),
            }]),
            match_labels: None,
        };
        configuration(
            ENDPOINT_NAME,
            MutatingWebhook {
                namespace_selector: Some(elsewhere),
                reinvocation_policy: Some("Never".into()),
                ..self.webhook(ENDPOINT_NAME)
            },
        )
    }

    fn webhook(&self, name: &str) -> MutatingWebhook {
        MutatingWebhook {
            name: name.into(),
            admission_review_versions: vec![self.review_version.clone()],
            client_config: WebhookClientConfig {
                ca_bundle: Some(ByteString(self.authority.clone().into_bytes())),
                url: Some(self.url.clone()),
                service: None,
            },
            failure_policy: Some("Ignore".into()),
            side_effects: "None".into(),
            timeout_seconds: Some(self.timeout_seconds),
            rules: Some(vec![RuleWithOperations {
                api_groups: Some(vec![String::new()]),
                api_versions: Some(vec!["v1".into()]),
                operations: Some(vec!["CREATE".into()]),
                resources: Some(vec!["pods".into()]),
                scope: None,
            }]),
            ..MutatingWebhook::default()
        }
    }
}

fn configuration(name: &str, webhook: MutatingWebhook) -> MutatingWebhookConfiguration {
    MutatingWebhookConfiguration {
        metadata: ObjectMeta {
            name: Some(name.into()),
            labels: Some(BTreeMap::from([(
                MANAGED_BY.0.to_owned(),
                MANAGED_BY.1.to_owned(),
            )])),
            ..ObjectMeta::default()
        },
        webhooks: Some(vec![webhook]),
    }
}
