//! Versions of managed policies.

use std::sync::Arc;

use emu_policy::DocumentKind;

use super::{
    Iam, ManagedPolicy, PolicyVersion, document,
    managed::{check_size, own},
    texts,
};
use crate::{Call, Cloud, ServiceError, constraint::Constraints};

/// Versions a policy may have. Snapshot.
const VERSIONS: usize = 5;

impl Iam {
    /// CreatePolicyVersion.
    ///
    /// # Errors
    /// If the document is malformed or too long, the policy unknown, AWS's, or full, or the caller may not.
    pub fn create_policy_version(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        text: &str,
        as_default: bool,
    ) -> Result<(PolicyVersion, bool), ServiceError> {
        document::check_length("policyDocument", text)?;
        own(call, arn, "Cannot update policies")?;
        let policy = self.known_policy(cloud, call, "iam:CreatePolicyVersion", arn)?;
        let document = document::parse(text, DocumentKind::Identity)?;
        check_size(cloud, &document)?;
        if policy.versions.len() >= VERSIONS {
            return Err(texts::too_many_versions());
        }
        let version = PolicyVersion {
            number: policy.last_version + 1,
            document: Arc::new(document),
            created_at: cloud.now(),
        };
        let added = version.clone();
        let changed = self.write().change_policy(cloud, arn, |policy| {
            policy.last_version = version.number;
            if as_default {
                policy.default_version = version.number;
                policy.updated_at = version.created_at;
            }
            policy.versions.push(version);
        });
        if changed {
            Ok((added, as_default))
        } else {
            Err(texts::no_policy(arn))
        }
    }

    /// GetPolicyVersion; the second value says whether it is the default.
    ///
    /// # Errors
    /// If policy or version are unknown, or the caller may not.
    pub fn get_policy_version(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        id: &str,
    ) -> Result<(PolicyVersion, bool), ServiceError> {
        check_version_id(id)?;
        let policy = self.known_policy(cloud, call, "iam:GetPolicyVersion", arn)?;
        let version = policy
            .version(number(id))
            .ok_or_else(|| texts::no_policy_version(arn, id))?;
        Ok((version.clone(), version.number == policy.default_version))
    }

    /// ListPolicyVersions, newest first, with the policy they belong to.
    ///
    /// # Errors
    /// If the policy is unknown, or the caller may not.
    pub fn list_policy_versions(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
    ) -> Result<Arc<ManagedPolicy>, ServiceError> {
        self.known_policy(cloud, call, "iam:ListPolicyVersions", arn)
    }

    /// SetDefaultPolicyVersion.
    ///
    /// # Errors
    /// If policy or version are unknown, or the caller may not.
    pub fn set_default_policy_version(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        id: &str,
    ) -> Result<(), ServiceError> {
        check_version_id(id)?;
        own(call, arn, "Cannot update policies")?;
        let policy = self.known_policy(cloud, call, "iam:SetDefaultPolicyVersion", arn)?;
        let version = policy
            .version(number(id))
            .ok_or_else(|| texts::no_policy_version(arn, id))?
            .number;
        let now = cloud.now();
        self.write().change_policy(cloud, arn, |policy| {
            policy.default_version = version;
            policy.updated_at = now;
        });
        Ok(())
    }

    /// DeletePolicyVersion.
    ///
    /// # Errors
    /// If policy or version are unknown, it is the default, or the caller may not.
    pub fn delete_policy_version(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        id: &str,
    ) -> Result<(), ServiceError> {
        check_version_id(id)?;
        own(call, arn, "Cannot delete policy versions for policies")?;
        let policy = self.known_policy(cloud, call, "iam:DeletePolicyVersion", arn)?;
        let version = policy
            .version(number(id))
            .ok_or_else(|| texts::no_policy_version(arn, id))?
            .number;
        if version == policy.default_version {
            return Err(texts::default_version());
        }
        self.write().change_policy(cloud, arn, |policy| {
            policy.versions.retain(|v| v.number != version);
        });
        Ok(())
    }
}

/// Model: `v[1-9][0-9]*(\.[A-Za-z0-9-]*)?`.
fn check_version_id(id: &str) -> Result<(), ServiceError> {
    let mut constraints = Constraints::iam();
    if number(id) == 0 {
        constraints.add(
            "versionId",
            id,
            r"Member must satisfy regular expression pattern: v[1-9][0-9]*(\.[A-Za-z0-9-]*)?",
        );
    }
    constraints.finish()
}

fn number(id: &str) -> u32 {
    let digits = id
        .strip_prefix('v')
        .filter(|digits| !digits.starts_with(['0', '+']));
    digits
        .and_then(|digits| digits.split('.').next()?.parse().ok())
        .unwrap_or(0)
}
