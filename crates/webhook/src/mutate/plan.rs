//! What is to be done with a pod.

use std::collections::HashSet;

use emu_core::Ids;

use crate::{
    Mode,
    accounts::Account,
    go::{Value, clean_join, first_csv_record, parse_int},
    settings::{DEFAULT_TOKEN_EXPIRATION, JITTERED_MINIMUM, MutationSettings, at_least_minimum},
};

/// The volume of IRSA tokens.
const IRSA_VOLUME: &str = "aws-iam-token";

/// The file of IRSA tokens.
const IRSA_TOKEN: &str = "token";

/// Everything the patch of one pod depends on beside the pod.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) mode: Mode,
    /// Containers to leave alone.
    pub(super) skipped: HashSet<String>,
    pub(super) token_expiration: i64,
    pub(super) regional_sts: bool,
    pub(super) region: String,
    pub(super) audience: String,
    pub(super) mount_path: String,
    pub(super) volume_name: String,
    pub(super) token_path: String,
    /// The mode's two variables; the second one's value is the token's path.
    pub(super) first_variable: (&'static str, String),
    pub(super) token_variable: &'static str,
}

impl Plan {
    /// For a pod whose account has an association. An expiration of exactly the default is jittered, wherever it
    /// comes from.
    pub(crate) fn pod_identity(
        settings: &MutationSettings,
        pod: &Value,
        common: (bool, i64),
        ids: &Ids,
    ) -> Self {
        let (regional_sts, account_expiration) = common;
        let mut token_expiration = expiration(settings, pod, account_expiration);
        if token_expiration == DEFAULT_TOKEN_EXPIRATION {
            let width = DEFAULT_TOKEN_EXPIRATION.abs_diff(JITTERED_MINIMUM) + 1;
            token_expiration = JITTERED_MINIMUM.saturating_add_unsigned(ids.below(width));
        }
        let mine = &settings.pod_identity;
        Self {
            mode: Mode::PodIdentity,
            skipped: skipped(settings, pod),
            token_expiration,
            regional_sts,
            region: settings.region.clone(),
            audience: mine.audience.clone(),
            mount_path: mine.mount_path.clone(),
            volume_name: mine.volume_name.clone(),
            token_path: mine.token_path.clone(),
            first_variable: ("AWS_CONTAINER_CREDENTIALS_FULL_URI", mine.full_uri.clone()),
            token_variable: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        }
    }

    /// For a pod whose account has a role.
    pub(crate) fn irsa(settings: &MutationSettings, pod: &Value, account: Account) -> Self {
        Self {
            mode: Mode::Irsa,
            skipped: skipped(settings, pod),
            token_expiration: expiration(settings, pod, account.token_expiration),
            regional_sts: account.use_regional_sts,
            region: settings.region.clone(),
            audience: account.audience,
            mount_path: settings.irsa_mount_path.clone(),
            volume_name: IRSA_VOLUME.into(),
            token_path: IRSA_TOKEN.into(),
            first_variable: ("AWS_ROLE_ARN", account.role_arn),
            token_variable: "AWS_WEB_IDENTITY_TOKEN_FILE",
        }
    }

    /// The token's path as the pod's programs see it. Windows is told by the node selector alone, and even there the
    /// mount path stays as it is.
    pub(super) fn token_file(&self, pod: &Value) -> String {
        let path = clean_join(&self.mount_path, &self.token_path);
        let windows = pod.get("spec").is_some_and(|spec| {
            ["beta.kubernetes.io/os", "kubernetes.io/os"]
                .into_iter()
                .any(|label| spec.map_text("nodeSelector", label) == Some("windows"))
        });
        if windows {
            format!("C:{}", path.replace('/', "\\"))
        } else {
            path
        }
    }
}

fn annotation<'a>(settings: &MutationSettings, pod: &'a Value, name: &str) -> Option<&'a str> {
    let key = format!("{}/{name}", settings.annotation_prefix);
    pod.get("metadata")?.map_text("annotations", &key)
}

/// The pod's annotation if it is a number, else the account's setting.
fn expiration(settings: &MutationSettings, pod: &Value, of_account: i64) -> i64 {
    annotation(settings, pod, "token-expiration")
        .and_then(parse_int)
        .map_or(of_account, at_least_minimum)
}

/// The names in the pod's annotation; none if it is not a record of CSV.
fn skipped(settings: &MutationSettings, pod: &Value) -> HashSet<String> {
    annotation(settings, pod, "skip-containers")
        .and_then(first_csv_record)
        .unwrap_or_default()
        .into_iter()
        .collect()
}
