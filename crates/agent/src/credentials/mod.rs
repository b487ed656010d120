//! The node's own credentials, with which the agent signs.

mod chain;
mod shared_file;

use std::sync::Arc;

use async_trait::async_trait;

pub use chain::DefaultChain;
pub use shared_file::RotatingFile;
pub(crate) use shared_file::{profile_exists, region_of_profile};

/// A key the node signs with.
#[derive(Clone, PartialEq, Eq)]
pub struct NodeKeys {
    /// `AKIA…` or `ASIA…`.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The session token of temporary keys.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for NodeKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NodeKeys({})", self.access_key_id)
    }
}

/// There are no keys; the text is the SDK's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NodeKeysError(pub String);

/// Where the node's keys come from. Asked once a call of EKS Auth.
#[async_trait]
pub trait NodeCredentials: Send + Sync + 'static {
    /// The keys to sign with now.
    async fn keys(&self) -> Result<NodeKeys, NodeKeysError>;
}

/// The same keys for ever.
#[async_trait]
impl NodeCredentials for NodeKeys {
    async fn keys(&self) -> Result<NodeKeys, NodeKeysError> {
        Ok(self.clone())
    }
}

/// Keys from a function, asked each time.
pub struct FromFn<F>(pub F);

#[async_trait]
impl<F> NodeCredentials for FromFn<F>
where
    F: Fn() -> Result<NodeKeys, NodeKeysError> + Send + Sync + 'static,
{
    async fn keys(&self) -> Result<NodeKeys, NodeKeysError> {
        (self.0)()
    }
}

#[async_trait]
impl<T: NodeCredentials + ?Sized> NodeCredentials for Arc<T> {
    async fn keys(&self) -> Result<NodeKeys, NodeKeysError> {
        (**self).keys().await
    }
}
