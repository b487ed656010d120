//! What the webhook may know of associations, without knowing EKS.

use serde::{Deserialize, Serialize};

/// A service account by name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ServiceAccountRef {
    /// The namespace.
    pub namespace: String,
    /// The service account's name.
    pub service_account: String,
}

impl ServiceAccountRef {
    /// Names a service account.
    pub fn new(namespace: impl Into<String>, service_account: impl Into<String>) -> Self {
        Self {
            namespace: namespace.into(),
            service_account: service_account.into(),
        }
    }
}

impl std::fmt::Display for ServiceAccountRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.service_account)
    }
}

/// What the control plane knows of one service account's association at this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AssociationState {
    /// There is none.
    Absent,
    /// It was created, but the webhook has not been told yet (`propagation.association.webhook`).
    NotPropagated,
    /// The webhook knows it.
    Visible,
}

/// The list of associations as it is pushed to the webhook of a cluster: the port between the store of associations
/// (`cloud`) and whoever admits pods (`webhook`, `cluster`).
pub trait AssociationFeed: Send + Sync + 'static {
    /// The service accounts the webhook of `cluster` knows now, after propagation.
    fn visible(&self, cluster: &str) -> Vec<ServiceAccountRef>;

    /// What is known of one service account; for the reason why a pod was not mutated.
    fn state(&self, cluster: &str, service_account: &ServiceAccountRef) -> AssociationState;
}
