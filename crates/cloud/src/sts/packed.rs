//! How large session policies and tags are once packed. The real format is not public; this model fits what is recorded:
//! 55 to 74 % for the six tags of a pod (threads), 6 % for a policy of one short statement (docs).

use emu_core::Settings;

use super::texts;
use crate::{ServiceError, iam::Tag};

/// Bytes a tag takes beside its key and value.
const TAG: usize = 6;
/// Bytes a transitive key takes.
const TRANSITIVE: usize = 8;
/// Bytes a managed policy's ARN takes.
const POLICY_ARN: usize = 20;

/// The packed size in percent of the quota; nothing if there is nothing to pack.
///
/// # Errors
/// If it is above 100 %.
pub(super) fn size(
    settings: &Settings,
    policy: Option<&str>,
    policy_arns: usize,
    tags: &[Tag],
    transitive: usize,
) -> Result<Option<u32>, ServiceError> {
    if policy.is_none() && policy_arns == 0 && tags.is_empty() {
        return Ok(None);
    }
    let tag_bytes: usize = tags
        .iter()
        .map(|(key, value)| key.len() + value.len() + TAG)
        .sum();
    // Packing makes about three eighths of a policy's characters.
    let policy_bytes = policy.map_or(0, |text| {
        text.chars().filter(|c| !c.is_whitespace()).count() * 3 / 8
    });
    let bytes = tag_bytes + transitive * TRANSITIVE + policy_bytes + policy_arns * POLICY_ARN;
    let percent = u32::try_from((bytes * 100).div_ceil(settings.quotas.packed_policy_bytes.max(1)))
        .unwrap_or(u32::MAX);
    match (percent > 100, policy_bytes + policy_arns > 0) {
        (false, _) => Ok(Some(percent)),
        (true, true) => Err(texts::policy_too_large(percent)),
        (true, false) => Err(texts::tags_too_large(percent)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod(cluster: &str, namespace: &str, account: &str, pod: &str) -> Vec<Tag> {
        [
            (
                "eks-cluster-arn",
                format!("arn:aws:eks:us-west-2:111122223333:cluster/{cluster}").as_str(),
            ),
            ("eks-cluster-name", cluster),
            ("kubernetes-namespace", namespace),
            ("kubernetes-service-account", account),
            ("kubernetes-pod-name", pod),
            ("kubernetes-pod-uid", "0d1c8a6e-3c0a-4f2b-9f59-3a6d9f9f2f11"),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
    }

    #[test]
    fn the_tags_of_pods_take_what_users_report() {
        let settings = Settings::default();
        for tags in [
            pod("demo", "default", "app", "app"),
            pod("eks-workshop", "carts", "carts", "carts-d49c7c8f9-x7zxv"),
            pod(
                "my-production-cluster",
                "observability",
                "loki-backend",
                "loki-backend-5d8f7c6b5-abcde",
            ),
        ] {
            let percent = size(&settings, None, 0, &tags, 6).unwrap().unwrap();
            assert!((50..=74).contains(&percent), "{percent}");
        }
    }

    #[test]
    fn nothing_has_no_size() {
        assert_eq!(size(&Settings::default(), None, 0, &[], 0).unwrap(), None);
    }

    #[test]
    fn too_large() {
        let settings = Settings::default();
        let tags: Vec<Tag> = (0..4).map(|n| (format!("k{n}"), "v".repeat(160))).collect();
        let error = size(&settings, None, 0, &tags, 0).unwrap_err();
        assert_eq!(
            error.message,
            "Packed size of session tags consumes 112% of allotted space."
        );
        let policy = format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            "x".repeat(1_900)
        );
        let error = size(&settings, Some(&policy), 0, &[], 0).unwrap_err();
        assert_eq!(error.code, "PackedPolicyTooLarge");
        assert_eq!(
            error.message,
            "Packed policy consumes 122% of allotted space, please use smaller policy."
        );
    }
}
