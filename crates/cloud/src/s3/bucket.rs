//! Buckets and what hangs on them.

use std::{collections::BTreeMap, sync::Arc};

use emu_core::Timestamp;

use super::{S3, Visit, policy, store::Bucket, texts};
use crate::{Access, ServiceError};

/// A bucket without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketInfo {
    /// Its name.
    pub name: String,
    /// Its owner.
    pub account: String,
    /// Where it lives.
    pub region: String,
    /// When it was made.
    pub created: Timestamp,
    /// Its policy, verbatim.
    pub policy: Option<Arc<str>>,
}

impl BucketInfo {
    /// `arn:aws:s3:::<name>`.
    pub fn arn(&self) -> String {
        format!("arn:aws:s3:::{}", self.name)
    }
}

impl S3 {
    /// ListBuckets: the caller's own, by name.
    ///
    /// # Errors
    /// `AccessDenied`.
    pub fn list_buckets(&self, visit: &Visit<'_>) -> Result<Vec<BucketInfo>, ServiceError> {
        visit.ask(Access {
            action: "s3:ListAllMyBuckets".into(),
            resource: "arn:aws:s3:::*".into(),
            resource_account: visit.call.account.clone(),
            ..Access::default()
        })?;
        Ok(self
            .read()
            .values()
            .filter(|bucket| bucket.info.account == visit.call.account)
            .map(|bucket| bucket.info.clone())
            .collect())
    }

    /// CreateBucket.
    ///
    /// # Errors
    /// `AccessDenied`, `InvalidBucketName`, the two location errors, `BucketAlreadyOwnedByYou`, `BucketAlreadyExists`.
    pub fn create_bucket(
        &self,
        visit: &Visit<'_>,
        name: &str,
        constraint: Option<&str>,
    ) -> Result<BucketInfo, ServiceError> {
        let endpoint = visit.call.region.as_str();
        let account = visit.call.account.as_str();
        check_name(name)?;
        visit.ask(Access {
            action: "s3:CreateBucket".into(),
            resource: format!("arn:aws:s3:::{name}"),
            resource_account: account.into(),
            ..Access::default()
        })?;
        let region = match (constraint, endpoint) {
            (None | Some(""), "us-east-1") => "us-east-1",
            (None | Some(""), _) => return Err(texts::illegal_location("unspecified")),
            (Some("us-east-1"), "us-east-1") => return Err(texts::invalid_location("us-east-1")),
            (Some(wanted), "us-east-1") => wanted,
            (Some(wanted), endpoint) if wanted == endpoint => wanted,
            (Some(wanted), _) => return Err(texts::illegal_location(wanted)),
        };
        self.insert(BucketInfo {
            name: name.into(),
            account: account.into(),
            region: region.into(),
            created: visit.cloud.now(),
            policy: None,
        })
    }

    pub(super) fn insert(&self, info: BucketInfo) -> Result<BucketInfo, ServiceError> {
        let mut buckets = self.write();
        if let Some(there) = buckets.get(&info.name) {
            return Err(texts::bucket_exists(
                &info.name,
                there.info.account == info.account,
            ));
        }
        let bucket = Bucket {
            info: info.clone(),
            tags: BTreeMap::new(),
            objects: BTreeMap::new(),
            uploads: BTreeMap::new(),
        };
        buckets.insert(info.name.clone(), bucket);
        Ok(info)
    }

    /// A bucket, if the caller may do `action` (without `s3:`) to it: the way of all calls that read a setting.
    ///
    /// # Errors
    /// `NoSuchBucket`, `PermanentRedirect`, `AccessDenied`.
    pub fn bucket(
        &self,
        visit: &Visit<'_>,
        name: &str,
        action: &str,
    ) -> Result<BucketInfo, ServiceError> {
        let info = self.find(visit, name)?;
        visit.allow(&info, None, action, BTreeMap::new())?;
        Ok(info)
    }

    /// GetBucketLocation: answered everywhere.
    ///
    /// # Errors
    /// `NoSuchBucket`, `AccessDenied`.
    pub fn location(&self, visit: &Visit<'_>, name: &str) -> Result<String, ServiceError> {
        let info = self.find_anywhere(name)?;
        visit.allow(&info, None, "GetBucketLocation", BTreeMap::new())?;
        Ok(info.region)
    }

    /// DeleteBucket.
    ///
    /// # Errors
    /// As [`S3::bucket`], and `BucketNotEmpty`.
    pub fn delete_bucket(&self, visit: &Visit<'_>, name: &str) -> Result<(), ServiceError> {
        self.bucket(visit, name, "DeleteBucket")?;
        let mut buckets = self.write();
        if buckets
            .get(name)
            .is_some_and(|bucket| !bucket.objects.is_empty())
        {
            return Err(texts::bucket_not_empty(name));
        }
        buckets.remove(name);
        Ok(())
    }

    /// GetBucketPolicy.
    ///
    /// # Errors
    /// As [`S3::bucket`], and `NoSuchBucketPolicy`.
    pub fn policy(&self, visit: &Visit<'_>, name: &str) -> Result<Arc<str>, ServiceError> {
        self.bucket(visit, name, "GetBucketPolicy")?
            .policy
            .ok_or_else(|| texts::no_such_policy(name))
    }

    /// PutBucketPolicy.
    ///
    /// # Errors
    /// As [`S3::bucket`], and `MalformedPolicy`.
    pub fn put_policy(
        &self,
        visit: &Visit<'_>,
        name: &str,
        text: &str,
    ) -> Result<(), ServiceError> {
        self.bucket(visit, name, "PutBucketPolicy")?;
        policy::check(name, text)?;
        self.with_mut(name, |bucket| {
            bucket.info.policy = Some(text.into());
            Ok(())
        })
    }

    /// DeleteBucketPolicy; succeeds also without one.
    ///
    /// # Errors
    /// As [`S3::bucket`].
    pub fn delete_policy(&self, visit: &Visit<'_>, name: &str) -> Result<(), ServiceError> {
        self.bucket(visit, name, "DeleteBucketPolicy")?;
        self.with_mut(name, |bucket| {
            bucket.info.policy = None;
            Ok(())
        })
    }

    /// GetBucketTagging.
    ///
    /// # Errors
    /// As [`S3::bucket`], and `NoSuchTagSet`.
    pub fn tags(
        &self,
        visit: &Visit<'_>,
        name: &str,
    ) -> Result<BTreeMap<String, String>, ServiceError> {
        self.bucket(visit, name, "GetBucketTagging")?;
        self.with(name, |bucket| {
            if bucket.tags.is_empty() {
                return Err(texts::no_such_tag_set(name));
            }
            Ok(bucket.tags.clone())
        })
    }

    /// PutBucketTagging; without tags, DeleteBucketTagging.
    ///
    /// # Errors
    /// As [`S3::bucket`].
    pub fn put_tags(
        &self,
        visit: &Visit<'_>,
        name: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ServiceError> {
        self.bucket(visit, name, "PutBucketTagging")?;
        self.with_mut(name, |bucket| {
            bucket.tags = tags;
            Ok(())
        })
    }
}

/// 3 to 63 characters of lower case, digits, dot and hyphen (docs).
pub(super) fn check_name(name: &str) -> Result<(), ServiceError> {
    let edge = |c: Option<&u8>| c.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = name.as_bytes();
    let good = (3..=63).contains(&bytes.len())
        && bytes
            .iter()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'))
        && edge(bytes.first())
        && edge(bytes.last())
        && !name.contains("..")
        && name.parse::<std::net::Ipv4Addr>().is_err();
    if good {
        Ok(())
    } else {
        Err(texts::invalid_bucket_name(name))
    }
}
