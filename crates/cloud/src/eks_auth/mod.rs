//! EKS Auth: from a pod's token to a role session. Source of shapes: model eks-auth 2023-11-26.

mod assume;
mod gone;
mod session_name;
mod texts;
mod token;

pub(crate) use gone::GonePods;

pub use assume::{Request, Response, assume_role_for_pod_identity};
pub use session_name::session_name;

/// The token's audience, echoed in the answer (docs, model).
pub const AUDIENCE: &str = crate::eks::PODS;
