//! What can go wrong with an API server.

/// Why something on a Kubernetes cluster failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The API server could not be asked, or refused.
    #[error("Kubernetes: {0}")]
    Api(#[from] Box<kube::Error>),
    /// Waiting for an object failed.
    #[error("waiting for {what}: {why}")]
    Wait {
        /// What was awaited.
        what: String,
        /// Why it failed.
        why: String,
    },
    /// A kubeconfig is of no use.
    #[error("kubeconfig: {0}")]
    Kubeconfig(String),
    /// An object is of no use.
    #[error("{0}")]
    Object(String),
    /// A command in a pod could not be run.
    #[error("exec in pod {pod}: {why}")]
    Exec {
        /// The pod.
        pod: String,
        /// Why not.
        why: String,
    },
}

impl From<kube::Error> for Error {
    fn from(error: kube::Error) -> Self {
        Self::Api(Box::new(error))
    }
}
