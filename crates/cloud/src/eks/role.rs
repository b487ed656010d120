//! What EKS asks of IAM.

use crate::{Cloud, access};

/// The trust policy of a role that other services can see by now.
pub(super) fn trust_of(cloud: &Cloud, role_arn: &str) -> Option<String> {
    cloud.iam.visible_trust(cloud, role_arn)
}

/// Whether a text is a session policy; if not, why.
pub(super) fn check_session_policy(policy: &str) -> Result<(), String> {
    access::check_session_policy(policy)
}
