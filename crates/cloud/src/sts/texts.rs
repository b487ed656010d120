//! What STS says when it refuses, each text with its source.

use emu_core::Settings;

use crate::ServiceError;

fn validation(message: impl Into<String>) -> ServiceError {
    ServiceError::new("ValidationError", 400, message)
}

fn parameter(message: &str) -> ServiceError {
    ServiceError::new("InvalidParameterValue", 400, message)
}

fn token(message: impl Into<String>) -> ServiceError {
    ServiceError::new("InvalidIdentityToken", 400, message)
}

fn denied(message: impl Into<String>) -> ServiceError {
    ServiceError::new("AccessDenied", 403, message)
}

/// Snapshot: at least 20 characters, but no ARN.
pub(super) fn not_an_arn(value: &str) -> ServiceError {
    validation(format!("{value} is invalid"))
}

/// Snapshot.
pub(super) fn above_role_maximum() -> ServiceError {
    validation("The requested DurationSeconds exceeds the MaxSessionDuration set for this role.")
}

/// Snapshot.
pub(super) fn above_chaining_cap() -> ServiceError {
    validation(
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.",
    )
}

/// Snapshot.
pub(super) fn source_identity_set() -> ServiceError {
    validation("The source identity is already set for this assume role session")
}

/// Snapshot.
pub(super) fn transitive_key_not_passed() -> ServiceError {
    parameter("The specified transitive tag key must be included in the requested tags.")
}

/// Snapshot.
pub(super) fn duplicate_tags() -> ServiceError {
    parameter("Duplicate tag keys found. Please note that Tag keys are case insensitive.")
}

/// Snapshot.
pub(super) fn inherited_tag() -> ServiceError {
    parameter(
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the \
         calling session.",
    )
}

/// Inferred: docs say that the prefix is reserved.
pub(super) fn reserved_tag_key(settings: &Settings) -> ServiceError {
    parameter("The tag key cannot start with aws: because it is a reserved prefix.")
        .overridden(settings, "sts.reserved-tag-key")
}

/// Snapshot: for any refusal of a role, also if there is none.
pub(crate) fn not_authorized(caller: &str, action: &str, role_arn: &str) -> ServiceError {
    denied(format!(
        "User: {caller} is not authorized to perform: {action} on resource: {role_arn}"
    ))
}

/// Docs (quoted widely): root cannot assume roles.
pub(super) fn root_caller(settings: &Settings) -> ServiceError {
    denied("Roles may not be assumed by root accounts.").overridden(settings, "sts.root-caller")
}

/// Thread: tags alone.
pub(super) fn tags_too_large(percent: u32) -> ServiceError {
    ServiceError::new(
        "PackedPolicyTooLarge",
        400,
        format!("Packed size of session tags consumes {percent}% of allotted space."),
    )
}

/// Thread: a session policy, with or without tags.
pub(super) fn policy_too_large(percent: u32) -> ServiceError {
    ServiceError::new(
        "PackedPolicyTooLarge",
        400,
        format!("Packed policy consumes {percent}% of allotted space, please use smaller policy."),
    )
}

/// Inferred: a managed policy that does not exist, named as session policy.
pub(super) fn no_session_policy(settings: &Settings, arn: &str) -> ServiceError {
    validation(format!("Policy {arn} does not exist or is not attachable."))
        .overridden(settings, "sts.unknown-session-policy")
}

/// Thread: trust refuses, or there is no such role.
pub(super) fn web_identity_refused() -> ServiceError {
    denied("Not authorized to perform sts:AssumeRoleWithWebIdentity")
}

/// Thread.
pub(super) fn audience() -> ServiceError {
    token("Incorrect token audience")
}

/// Thread.
pub(super) fn no_provider(issuer: &str) -> ServiceError {
    token(format!(
        "No OpenIDConnect provider found in your account for {issuer}"
    ))
}

/// Thread: two spaces after the comma.
pub(super) fn no_key() -> ServiceError {
    token(
        "Couldn't retrieve verification key from your identity provider,  please reference AssumeRoleWithWebIdentity \
         documentation for requirements",
    )
}

/// Thread.
pub(super) fn not_a_jwt() -> ServiceError {
    token(
        "The ID Token provided is not a valid JWT. (You may see this error if you sent an Access Token)",
    )
}

/// Thread.
pub(super) fn expired(now: i64, expires: i64) -> ServiceError {
    ServiceError::new(
        "ExpiredTokenException",
        400,
        format!(
            "Token expired: current date/time {now} must be before the expiration date/time {expires}"
        ),
    )
}

/// Thread; the code is inferred.
pub(super) fn too_old(age: i64) -> ServiceError {
    token(format!("Token too old: {age}"))
}

/// From another emulator.
pub(super) fn several_audiences() -> ServiceError {
    token("Token audience contains more than one audience while authorized party is not present")
}

/// From another emulator.
pub(super) fn missing_claim(claim: &str) -> ServiceError {
    token(format!("Missing a required claim: {claim}."))
}

/// From another emulator, for a signature that does not hold; the real text is not recorded.
pub(super) fn not_validated(settings: &Settings) -> ServiceError {
    token(
        "The web identity token provided could not be validated. See the AssumeRoleWithWebIdentity documentation for \
         requirements.",
    )
    .overridden(settings, "sts.web-identity-token-invalid")
}

/// Thread.
pub(super) fn session_caller(call: &str) -> ServiceError {
    denied(format!("Cannot call {call} with session credentials"))
}

/// Inferred: the text is not recorded.
pub(super) fn undecodable(settings: &Settings) -> ServiceError {
    ServiceError::new(
        "InvalidAuthorizationMessageException",
        400,
        "Message is not valid",
    )
    .overridden(settings, "sts.invalid-authorization-message")
}

/// Inferred: an access key id whose account cannot be told.
pub(super) fn bad_access_key_id(settings: &Settings, id: &str) -> ServiceError {
    validation(format!("{id} is invalid")).overridden(settings, "sts.invalid-access-key-id")
}
