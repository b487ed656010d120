//! What IAM says when it refuses, each text with its source.

use crate::ServiceError;

fn no_such_entity(message: String) -> ServiceError {
    ServiceError::new("NoSuchEntity", 404, message)
}

fn exists(message: String) -> ServiceError {
    ServiceError::new("EntityAlreadyExists", 409, message)
}

fn limit(message: String) -> ServiceError {
    ServiceError::new("LimitExceeded", 409, message)
}

fn conflict(message: &str) -> ServiceError {
    ServiceError::new("DeleteConflict", 409, message)
}

fn invalid_input(message: impl Into<String>) -> ServiceError {
    ServiceError::new("InvalidInput", 400, message)
}

/// ValidationError with any text.
pub(super) fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::new("ValidationError", 400, message)
}

/// MalformedPolicyDocument with any text.
pub(crate) fn malformed(message: impl Into<String>) -> ServiceError {
    ServiceError::new("MalformedPolicyDocument", 400, message)
}

/// Snapshot.
pub(super) fn no_role(name: &str) -> ServiceError {
    no_such_entity(format!("The role with name {name} cannot be found."))
}

/// Snapshot.
pub(super) fn no_user(name: &str) -> ServiceError {
    no_such_entity(format!("The user with name {name} cannot be found."))
}

/// Snapshot for roles, inferred for users.
pub(super) fn no_inline_policy(kind: &str, name: &str) -> ServiceError {
    no_such_entity(format!(
        "The {kind} policy with name {name} cannot be found."
    ))
}

/// Snapshot.
pub(super) fn no_access_key(id: &str) -> ServiceError {
    no_such_entity(format!("The Access Key with id {id} cannot be found."))
}

/// Snapshot: attach.
pub(super) fn not_attachable(arn: &str) -> ServiceError {
    no_such_entity(format!("Policy {arn} does not exist or is not attachable."))
}

/// Snapshot: detach, get, delete, tag.
pub(super) fn no_policy(arn: &str) -> ServiceError {
    no_such_entity(format!("Policy {arn} was not found."))
}

/// Snapshot.
pub(super) fn no_policy_version(arn: &str, version: &str) -> ServiceError {
    no_such_entity(format!(
        "Policy {arn} version {version} does not exist or is not attachable."
    ))
}

/// Snapshot.
pub(super) fn no_boundary(arn: &str) -> ServiceError {
    no_such_entity(format!(
        "Scope ARN: {arn} does not exist or is not attachable."
    ))
}

/// Snapshot: get.
pub(super) fn no_provider(arn: &str) -> ServiceError {
    no_such_entity(format!("OpenIDConnect Provider not found for arn {arn}"))
}

/// Snapshot: delete.
pub(super) fn no_provider_to_delete(arn: &str) -> ServiceError {
    no_such_entity(format!("OpenId connect Provider {arn} cannot be found."))
}

/// Snapshot: case-insensitive match, given spelling in the text.
pub(super) fn role_exists(name: &str) -> ServiceError {
    exists(format!("Role with name {name} already exists."))
}

/// Inferred from the role's text; threads show the same.
pub(super) fn user_exists(name: &str) -> ServiceError {
    exists(format!("User with name {name} already exists."))
}

/// Snapshot.
pub(super) fn policy_exists(name: &str) -> ServiceError {
    exists(format!(
        "A policy called {name} already exists. Duplicate names are not allowed."
    ))
}

/// Snapshot.
pub(super) fn provider_exists(url: &str) -> ServiceError {
    exists(format!("Provider with url {url} already exists."))
}

/// Snapshot.
pub(super) fn must_detach() -> ServiceError {
    conflict("Cannot delete entity, must detach all policies first.")
}

/// Snapshot.
pub(super) fn must_delete_policies() -> ServiceError {
    conflict("Cannot delete entity, must delete policies first.")
}

/// Snapshot.
pub(super) fn policy_attached() -> ServiceError {
    conflict("Cannot delete a policy attached to entities.")
}

/// Snapshot.
pub(super) fn default_version() -> ServiceError {
    conflict("Cannot delete the default version of a policy.")
}

/// Thread: `This policy has more than one version.` with its advice.
pub(super) fn several_versions() -> ServiceError {
    conflict(
        "This policy has more than one version. Before you delete a policy, you must delete the policy's versions. The \
         default version is deleted with the policy.",
    )
}

/// Snapshot.
pub(super) fn must_remove_references() -> ServiceError {
    conflict("Cannot delete entity, must remove referenced objects first.")
}

/// Snapshot.
pub(super) fn too_many_versions() -> ServiceError {
    limit(
        "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing \
         version."
            .into(),
    )
}

/// Snapshots (ClientIdsPerOpenIdConnectProvider, AccessKeysPerUser) and threads (ACLSizePerRole, PoliciesPerRole);
/// the other names are inferred.
pub(super) fn quota(name: &str, limit_: usize) -> ServiceError {
    limit(format!("Cannot exceed quota for {name}: {limit_}"))
}

/// Thread.
pub(super) fn inline_size(kind: &str, name: &str, bytes: usize) -> ServiceError {
    limit(format!(
        "Maximum policy size of {bytes} bytes exceeded for {kind} {name}"
    ))
}

/// Snapshot.
pub(super) fn too_many_tags() -> ServiceError {
    limit("The number of tags has reached the maximum limit.".into())
}

/// Snapshot: roles and users.
pub(super) fn duplicate_tags() -> ServiceError {
    invalid_input("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
}

/// Snapshot: policies.
pub(super) fn duplicate_policy_tags() -> ServiceError {
    invalid_input("Duplicate tag keys found.")
}

/// Inferred.
pub(super) fn reserved_tag_key() -> ServiceError {
    invalid_input("The tag key cannot start with aws: because it is a reserved prefix.")
}

/// Snapshot: boundary.
pub(super) fn boundary_arn(arn: &str) -> ServiceError {
    invalid_input(format!("ARN {arn} is not valid."))
}

/// Snapshot: attach (2026).
pub(super) fn policy_arn(arn: &str) -> ServiceError {
    validation(format!("ARN {arn} is not valid."))
}

/// Snapshot.
pub(super) fn too_many_thumbprints() -> ServiceError {
    invalid_input("Thumbprint list must contain fewer than 5 entries.")
}

/// Snapshot.
pub(super) fn provider_url() -> ServiceError {
    validation("Invalid Open ID Connect Provider URL")
}

/// Thread.
pub(super) fn bad_name(member: &str) -> ServiceError {
    validation(format!(
        "The specified value for {member} is invalid. It must contain only alphanumeric characters and/or the \
         following: +=,.@_-"
    ))
}

/// Thread.
pub(super) fn bad_path() -> ServiceError {
    validation(
        "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters \
         and/or / characters.",
    )
}

/// Inferred: from another emulator.
pub(super) fn user_name_needed() -> ServiceError {
    validation("Must specify userName when calling with non-User credentials")
}

/// Inferred.
pub(super) fn bad_marker() -> ServiceError {
    validation("Invalid Marker.")
}

/// Inferred: a simulation's source that is no user, group or role ARN.
pub(super) fn bad_source(arn: &str) -> ServiceError {
    invalid_input(format!(
        "Invalid Entity Arn: {arn} does not clearly define entity type and name."
    ))
}

/// Snapshot: `Cannot delete policies`, `Cannot delete policy versions for policies`, `Cannot update policies`.
pub(super) fn outside_account(what: &str) -> ServiceError {
    ServiceError::new(
        "AccessDenied",
        403,
        format!("{what} outside your own account."),
    )
}
