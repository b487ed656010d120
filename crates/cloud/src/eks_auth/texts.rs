//! What EKS Auth says when it refuses. Most texts are not recorded; those can be replaced in the settings.

use emu_core::{Settings, Timestamp};

use crate::ServiceError;

/// Thread: one sentence for every trust failure.
pub(super) fn trust(settings: &Settings) -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        400,
        "Unauthorized Exception! EKS does not have permissions to assume the associated role.",
    )
    .overridden(settings, "eks-auth.trust")
}

/// Inferred: presumably the same as hop 1.
pub(super) fn target_trust(settings: &Settings) -> ServiceError {
    trust(settings).overridden(settings, "eks-auth.target-trust")
}

/// Inferred: ResourceNotFoundException fits the model; the text is not recorded.
pub(super) fn no_association(
    settings: &Settings,
    cluster: &str,
    namespace: &str,
    service_account: &str,
) -> ServiceError {
    ServiceError::new(
        "ResourceNotFoundException",
        404,
        format!("No pod identity association found for cluster: {cluster}, namespace: {namespace}, service account: {service_account}"),
    )
    .overridden(settings, "eks-auth.no-association")
}

/// Inferred.
pub(super) fn no_cluster(settings: &Settings, cluster: &str) -> ServiceError {
    ServiceError::new(
        "ResourceNotFoundException",
        404,
        format!("No cluster found for name: {cluster}."),
    )
    .overridden(settings, "eks-auth.no-cluster")
}

/// Inferred: the code fits the model, the text is not recorded.
pub(super) fn invalid_token(settings: &Settings, detail: impl Into<String>) -> ServiceError {
    ServiceError::new(
        "InvalidTokenException",
        400,
        "The token included in the request is invalid.",
    )
    .because(detail)
    .overridden(settings, "eks-auth.invalid-token")
}

/// Thread: the present with a fraction up to nanoseconds, the expiry without.
pub(super) fn expired(settings: &Settings, now: Timestamp, expiry: Timestamp) -> ServiceError {
    ServiceError::new(
        "ExpiredTokenException",
        400,
        format!(
            "The token included in the request is expired: current date/time {now} must be before the expiration date/time {expiry}."
        ),
    )
    .overridden(settings, "eks-auth.expired-token")
}

/// Inferred.
pub(super) fn invalid_parameter(settings: &Settings, message: &str) -> ServiceError {
    ServiceError::new("InvalidParameterException", 400, message)
        .overridden(settings, "eks-auth.invalid-parameter")
}
