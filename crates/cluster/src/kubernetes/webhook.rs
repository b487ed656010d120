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
        MutatingWebhookConfiguration {
            metadata: ObjectMeta {
                name: Some(NAME.into()),
                labels: Some(BTreeMap::from([(
                    MANAGED_BY.0.to_owned(),
                    MANAGED_BY.1.to_owned(),
                )])),
                ..ObjectMeta::default()
            },
            webhooks: Some(vec![MutatingWebhook {
                name: NAME.into(),
                admission_review_versions: vec![self.review_version.clone()],
                client_config: WebhookClientConfig {
                    ca_bundle: Some(ByteString(self.authority.clone().into_bytes())),
                    url: Some(self.url.clone()),
                    service: None,
                },
                failure_policy: Some("Ignore".into()),
                reinvocation_policy: Some("IfNeeded".into()),
                side_effects: "None".into(),
                timeout_seconds: Some(self.timeout_seconds),
                object_selector: Some(LabelSelector {
                    match_expressions: Some(vec![LabelSelectorRequirement {
                        key: SKIP_LABEL.into(),
                        operator: "DoesNotExist".into(),
                        values: None,
                    }]),
                    match_labels: None,
                }),
                rules: Some(vec![RuleWithOperations {
                    api_groups: Some(vec![String::new()]),
                    api_versions: Some(vec!["v1".into()]),
                    operations: Some(vec!["CREATE".into()]),
                    resources: Some(vec!["pods".into()]),
                    scope: None,
                }]),
                ..MutatingWebhook::default()
            }]),
        }
    }
}
