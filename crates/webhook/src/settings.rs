//! What the mutation can be told: the flags without the server's.

use std::time::Duration;

/// The default lifetime of a token, in seconds; also the one that is jittered in Pod Identity mode.
pub const DEFAULT_TOKEN_EXPIRATION: i64 = 86_400;

/// The least lifetime the jitter gives.
pub(crate) const JITTERED_MINIMUM: i64 = 79_200;

/// The least lifetime an API server accepts.
const MINIMUM_TOKEN_EXPIRATION: i64 = 600;

/// A lifetime raised to the minimum.
pub(crate) fn at_least_minimum(seconds: i64) -> i64 {
    seconds.max(MINIMUM_TOKEN_EXPIRATION)
}

/// What the mutation puts into pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MutationSettings {
    /// `--annotation-prefix`: the prefix of all annotations, without the slash.
    pub annotation_prefix: String,
    /// `--token-mount-path`: where IRSA tokens are mounted.
    pub irsa_mount_path: String,
    /// `--aws-default-region`: the region to inject; empty for none.
    pub region: String,
    /// `--container-credentials-*`: Pod Identity.
    pub pod_identity: PodIdentitySettings,
    /// `--service-account-lookup-grace-period`: how long IRSA waits for an unknown account.
    pub grace_period: Duration,
}

impl Default for MutationSettings {
    fn default() -> Self {
        Self {
            annotation_prefix: "eks.amazonaws.com".into(),
            irsa_mount_path: "/var/run/secrets/eks.amazonaws.com/serviceaccount".into(),
            region: String::new(),
            pod_identity: PodIdentitySettings::default(),
            grace_period: Duration::ZERO,
        }
    }
}

/// What Pod Identity mode puts into pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PodIdentitySettings {
    /// The token's audience.
    pub audience: String,
    /// Where the token is mounted.
    pub mount_path: String,
    /// The volume's name.
    pub volume_name: String,
    /// The token's file within the mount.
    pub token_path: String,
    /// `AWS_CONTAINER_CREDENTIALS_FULL_URI`.
    pub full_uri: String,
}

impl Default for PodIdentitySettings {
    fn default() -> Self {
        Self {
            audience: "pods.eks.amazonaws.com".into(),
            mount_path: "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount".into(),
            volume_name: "eks-pod-identity-token".into(),
            token_path: "eks-pod-identity-token".into(),
            full_uri: "http://169.254.170.23/v1/credentials".into(),
        }
    }
}

/// What applies to an account that says nothing itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountDefaults {
    /// `--annotation-prefix`.
    pub annotation_prefix: String,
    /// `--token-audience`: the audience of IRSA tokens.
    pub audience: String,
    /// `--sts-regional-endpoint`.
    pub regional_sts: bool,
    /// `--token-expiration`, in seconds, already raised to the minimum.
    pub token_expiration: i64,
    /// `--compose-role-arn`: what bare role names are completed with.
    pub compose_role_arn: Option<Home>,
}

impl Default for AccountDefaults {
    fn default() -> Self {
        Self {
            annotation_prefix: "eks.amazonaws.com".into(),
            audience: "sts.amazonaws.com".into(),
            regional_sts: false,
            token_expiration: DEFAULT_TOKEN_EXPIRATION,
            compose_role_arn: None,
        }
    }
}

/// Where the instance lives, for `--compose-role-arn`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// The partition, such as `aws`.
    pub partition: String,
    /// The account id.
    pub account: String,
}
