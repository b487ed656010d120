//! What EKS asks of IAM.

use crate::Cloud;

/// The trust policy of a role that other services can see by now.
pub(super) fn trust_of(_cloud: &Cloud, _role_arn: &str) -> Option<String> {
    None
}

/// Whether a text is a session policy.
pub(super) fn check_session_policy(policy: &str) -> Result<(), String> {
    serde_json::from_str::<serde_json::Value>(policy)
        .map(|_| ())
        .map_err(|e| e.to_string())
}
