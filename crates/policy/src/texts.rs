//! AWS's answers to a malformed policy. Each carries its source: recorded from AWS, `docs`, `thread`
//! (public issue threads) or `inferred`.

/// Recorded. Anything that is not a well-formed policy.
pub(crate) const SYNTAX: &str = "Syntax errors in policy.";
/// Recorded. A managed policy without a version or with the old one.
pub(crate) const VERSION: &str = "Policy document must be version 2012-10-17 or greater.";
/// Recorded. Effect in wrong case, bad date literal, ARN with too few colons.
pub(crate) const LEGACY: &str = "The policy failed legacy parsing";
/// Recorded.
pub(crate) const DUPLICATE_SID: &str = "Statement IDs (SID) in a single policy must be unique.";
/// Recorded.
pub(crate) const NO_ACTION: &str = "Policy statement must contain actions.";
/// Recorded.
pub(crate) const NO_RESOURCE: &str = "Policy statement must contain resources.";
/// Recorded.
pub(crate) const SERVICE_PART: &str =
    "Resource vendor must be fully qualified and cannot contain regexes.";
/// Recorded.
pub(crate) const IAM_PATH: &str = "IAM resource path must either be \"*\", root, or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/.";
/// The kinds that [`IAM_PATH`] lists.
pub(crate) const IAM_KINDS: [&str; 13] = [
    "user/",
    "federated-user/",
    "role/",
    "group/",
    "instance-profile/",
    "mfa/",
    "server-certificate/",
    "policy/",
    "sms-mfa/",
    "saml-provider/",
    "oidc-provider/",
    "report/",
    "access-report/",
];
/// Recorded.
pub(crate) const ACTION_PREFIX: &str =
    "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.";
/// Recorded.
pub(crate) const ACTION_COLON: &str = "Actions/Condition can contain only one colon.";
/// Recorded.
pub(crate) const HAS_PRINCIPAL: &str = "Policy document should not specify a principal.";
/// Inferred: a resource policy whose statement names nobody; the service's own text replaces it.
pub(crate) const RESOURCE_NO_PRINCIPAL: &str = "Missing required field Principal";

/// Recorded.
pub(crate) fn not_an_arn(resource: &str) -> String {
    format!("Resource {resource} must be in ARN format or \"*\".")
}

/// Recorded.
pub(crate) fn bad_partition(partition: &str, arn: &str) -> String {
    format!("Partition \"{partition}\" is not valid for resource \"{arn}\".")
}

/// Recorded. IAM and S3 word the same fault differently.
pub(crate) fn has_region(service: &str, resource: &str) -> String {
    if service == "iam" {
        format!("IAM resource {resource} cannot contain region information.")
    } else {
        format!("Resource {resource} can not contain region information.")
    }
}

/// Recorded.
pub(crate) fn bad_vendor(vendor: &str) -> String {
    format!("Vendor {vendor} is not valid")
}

/// Recorded. A trust policy that is not JSON.
pub(crate) const TRUST_JSON: &str = "This policy contains invalid Json";
/// Recorded.
pub(crate) const TRUST_ACTIONS: &str = "AssumeRole policy may only specify STS AssumeRole actions.";
/// Recorded.
pub(crate) const TRUST_RESOURCE: &str = "Has prohibited field Resource";
/// Thread.
pub(crate) const TRUST_STAR: &str =
    "AssumeRolepolicy contained an invalid principal: \"STAR\":\"*\".";
/// Inferred, from another open emulator.
pub(crate) const TRUST_NO_PRINCIPAL: &str = "Missing required field Principal";
/// Inferred, from another open emulator.
pub(crate) const TRUST_EMPTY_PRINCIPAL: &str = "Missing required field Principal cannot be empty!";
/// Inferred, from another open emulator.
pub(crate) const TRUST_ALLOW_NOT_PRINCIPAL: &str = "Allow with NotPrincipal is not allowed.";
/// Inferred, from another open emulator.
pub(crate) const TRUST_NOT_PRINCIPAL: &str =
    "AssumeRole policy must not contain NotPrincipal field.";
/// Inferred, from another open emulator.
pub(crate) const TRUST_NOT_RESOURCE: &str = "AssumeRole policy must not contain resources.";
/// Inferred, from another open emulator.
pub(crate) const TRUST_EMPTY: &str = "Could not parse the policy: Statement is empty!";
/// Inferred, from another open emulator.
pub(crate) const TRUST_NO_EFFECT: &str = "Missing required field Effect";
/// Inferred, from another open emulator.
pub(crate) const TRUST_NO_ACTION: &str = "Missing required field Action";
/// Inferred, from another open emulator.
pub(crate) const TRUST_VERSION: &str = "The policy must contain a valid version string";
/// Inferred, from another open emulator.
pub(crate) const TRUST_DUPLICATE_SID: &str = "The Statement Ids in the policy are not unique";
/// Inferred, from another open emulator.
pub(crate) const TRUST_SYNTAX: &str = "Syntax error in policy.";

/// Recorded for `AWS` and `SERVICE`; inferred for `FEDERATED`.
pub(crate) fn invalid_principal(kind: &str, value: &str) -> String {
    format!("Invalid principal in policy: \"{kind}\":\"{value}\"")
}
