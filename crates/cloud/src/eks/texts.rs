//! What EKS says when it refuses, each text with its source.

use emu_core::Settings;

use crate::ServiceError;

/// Thread: create association, create add-on.
pub(crate) fn no_cluster(name: &str) -> ServiceError {
    ServiceError::new(
        "ResourceNotFoundException",
        404,
        format!("No cluster found for name: {name}."),
    )
    .with("clusterName", name)
}

/// Thread.
pub(super) fn cluster_exists(name: &str) -> ServiceError {
    ServiceError::new(
        "ResourceInUseException",
        409,
        format!("Cluster already exists with name: {name}"),
    )
    .with("clusterName", name)
}

/// Inferred: the operation gained InvalidRequestException together with `deletionProtection`.
pub(super) fn deletion_protected(name: &str) -> ServiceError {
    ServiceError::new(
        "InvalidRequestException",
        400,
        format!("Cluster {name} has deletion protection enabled."),
    )
    .with("clusterName", name)
}

/// Thread.
pub(super) fn association_exists(id: &str) -> ServiceError {
    ServiceError::new(
        "ResourceInUseException",
        409,
        format!("Association already exists: {id}"),
    )
}

/// Inferred: the text is not recorded.
pub(super) fn no_association(settings: &Settings, id: &str) -> ServiceError {
    ServiceError::new(
        "ResourceNotFoundException",
        404,
        format!("No pod identity association found with id: {id}"),
    )
    .overridden(settings, "eks.unknown-association")
}

/// Thread (empty id in the path).
pub(super) fn association_id_length() -> ServiceError {
    invalid("The parameter associationId should be 19 characters long.")
}

/// Thread (terraform-provider-aws#34711).
pub(super) fn role_unknown() -> ServiceError {
    invalid("Role provided in the request does not exist.")
}

/// Thread.
pub(super) fn trust_invalid() -> ServiceError {
    invalid("Trust policy of the role provided is invalid")
}

/// Thread; the code is inferred.
pub(super) fn cross_account(settings: &Settings) -> ServiceError {
    ServiceError::new(
        "AccessDeniedException",
        403,
        "Cross-account pass role is not allowed",
    )
    .overridden(settings, "eks.cross-account-role")
}

/// Inferred.
pub(super) fn policy_needs_disabled_tags(settings: &Settings) -> ServiceError {
    invalid("A session policy can be used only when disableSessionTags is true")
        .overridden(settings, "eks.policy-needs-disabled-tags")
}

/// Inferred.
pub(super) fn policy_malformed(settings: &Settings, detail: &str) -> ServiceError {
    invalid("The policy provided in the request is invalid")
        .because(detail)
        .overridden(settings, "eks.malformed-policy")
}

/// Inferred.
pub(super) fn nothing_to_update(settings: &Settings) -> ServiceError {
    invalid("At least one of roleArn, disableSessionTags, targetRoleArn and policy must be given")
        .overridden(settings, "eks.nothing-to-update")
}

/// Inferred.
pub(super) fn token_reused(settings: &Settings) -> ServiceError {
    invalid("The client request token was already used with other parameters")
        .overridden(settings, "eks.token-reused")
}

/// Inferred.
pub(super) fn too_many_associations(settings: &Settings, limit: usize) -> ServiceError {
    ServiceError::new(
        "ResourceLimitExceededException",
        400,
        format!("Cluster already has the maximum number of pod identity associations: {limit}"),
    )
    .overridden(settings, "eks.too-many-associations")
}

/// Inferred.
pub(super) fn bad_next_token(settings: &Settings) -> ServiceError {
    invalid("The nextToken is invalid.").overridden(settings, "eks.bad-next-token")
}

/// Thread: an early message begins `Invalid in…`; the rest is inferred.
pub(super) fn bad_tag_arn(arn: &str) -> ServiceError {
    ServiceError::new(
        "BadRequestException",
        400,
        format!("Invalid input: {arn} is not a taggable EKS ARN"),
    )
}

/// Model for code and status; the text is inferred.
pub(super) fn tag_target_missing(arn: &str) -> ServiceError {
    ServiceError::new(
        "NotFoundException",
        404,
        format!("No resource found for ARN: {arn}"),
    )
}

/// Thread.
pub(super) fn addon_exists(cluster: &str, addon: &str) -> ServiceError {
    ServiceError::new("ResourceInUseException", 409, "Addon already exists.")
        .with("clusterName", cluster)
        .with("addonName", addon)
}

/// Inferred.
pub(super) fn no_addon(cluster: &str, addon: &str) -> ServiceError {
    ServiceError::new(
        "ResourceNotFoundException",
        404,
        format!("No addon: {addon} found in cluster: {cluster}"),
    )
    .with("clusterName", cluster)
    .with("addonName", addon)
}

/// Thread.
pub(super) fn addon_unsupported(cluster: &str, addon: &str) -> ServiceError {
    invalid("Addon specified is not supported")
        .with("clusterName", cluster)
        .with("addonName", addon)
}

/// Thread, twice: in this body the two members are swapped.
pub(super) fn addon_version_unsupported(cluster: &str, addon: &str) -> ServiceError {
    invalid("Addon version specified is not supported")
        .with("clusterName", addon)
        .with("addonName", cluster)
}

/// Thread.
pub(super) fn addon_schema(errors: &[String]) -> ServiceError {
    invalid(&format!(
        "ConfigurationValue provided in request is not supported: Json schema validation failed with error: [{}]",
        errors.join(", ")
    ))
}

/// Thread.
pub(super) fn addon_service_account(addon: &str, service_account: &str) -> ServiceError {
    invalid(&format!(
        "Service account {service_account} in pod identity configuration is not supported for addon {addon}"
    ))
}

/// A parameter that breaks a rule of the model.
pub(super) fn invalid(message: &str) -> ServiceError {
    ServiceError::new("InvalidParameterException", 400, message)
}
