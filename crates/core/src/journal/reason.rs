//! Why a pod was or was not mutated: a closed list.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Why the webhook did what it did with a pod. Expectations name these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum MutationReason {
    /// An association fits: Pod Identity.
    Association,
    /// No association, but a role annotation: IRSA.
    RoleAnnotation,
    /// Neither association nor annotation.
    NoAssociation,
    /// The association exists, but the webhook had not been told of it yet.
    AssociationNotPropagated,
    /// The pod carries the label `eks.amazonaws.com/skip-pod-identity-webhook`.
    SkipLabel,
    /// The webhook is not registered in the cluster.
    NoWebhook,
    /// A fault made the webhook be skipped (`failurePolicy: Ignore`).
    WebhookFault,
    /// The webhook did not answer in time and was skipped (`failurePolicy: Ignore`).
    WebhookTimeout,
    /// The webhook answered an error and was skipped (`failurePolicy: Ignore`).
    WebhookError,
    /// The pod was not admitted by us, and the cluster does not tell (real clusters).
    Unknown,
}

impl MutationReason {
    /// Every reason, in the order of the documentation.
    pub const ALL: [Self; 10] = [
        Self::Association,
        Self::RoleAnnotation,
        Self::NoAssociation,
        Self::AssociationNotPropagated,
        Self::SkipLabel,
        Self::NoWebhook,
        Self::WebhookFault,
        Self::WebhookTimeout,
        Self::WebhookError,
        Self::Unknown,
    ];

    /// As written in scenario files: kebab-case.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Association => "association",
            Self::RoleAnnotation => "role-annotation",
            Self::NoAssociation => "no-association",
            Self::AssociationNotPropagated => "association-not-propagated",
            Self::SkipLabel => "skip-label",
            Self::NoWebhook => "no-webhook",
            Self::WebhookFault => "webhook-fault",
            Self::WebhookTimeout => "webhook-timeout",
            Self::WebhookError => "webhook-error",
            Self::Unknown => "unknown",
        }
    }
}

impl std::fmt::Display for MutationReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_it_is_written() {
        for reason in MutationReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
    }
}
