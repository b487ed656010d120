//! Buckets and objects put in place by scenarios and the library: the same rules, but nobody is asked for permission.

use std::sync::Arc;

use super::{BucketInfo, NewObject, Object, S3, bucket::check_name, policy};
use crate::{Cloud, ServiceError};

/// A bucket to be put in place.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewBucket {
    /// Its name.
    pub name: String,
    /// Its owner; the settings' account if absent.
    pub account: Option<String>,
    /// Its region; the settings' if absent.
    pub region: Option<String>,
    /// Its policy.
    pub policy: Option<String>,
}

impl S3 {
    /// Puts a bucket in place.
    ///
    /// # Errors
    /// `InvalidBucketName`, `BucketAlreadyOwnedByYou`, `BucketAlreadyExists`, `MalformedPolicy`.
    pub fn put_bucket(&self, cloud: &Cloud, new: NewBucket) -> Result<BucketInfo, ServiceError> {
        check_name(&new.name)?;
        if let Some(text) = &new.policy {
            policy::check(&new.name, text)?;
        }
        let settings = cloud.settings();
        self.insert(BucketInfo {
            account: new.account.unwrap_or_else(|| settings.account.clone()),
            region: new.region.unwrap_or_else(|| settings.region.clone()),
            created: cloud.now(),
            policy: new.policy.map(Arc::from),
            name: new.name,
        })
    }

    /// Sets or takes away a bucket's policy.
    ///
    /// # Errors
    /// `NoSuchBucket`, `MalformedPolicy`.
    pub fn set_policy(&self, name: &str, text: Option<&str>) -> Result<(), ServiceError> {
        if let Some(text) = text {
            policy::check(name, text)?;
        }
        self.with_mut(name, |bucket| {
            bucket.info.policy = text.map(Arc::from);
            Ok(())
        })
    }

    /// Puts an object in place.
    ///
    /// # Errors
    /// `NoSuchBucket`.
    pub fn put(
        &self,
        cloud: &Cloud,
        bucket: &str,
        key: &str,
        new: NewObject,
    ) -> Result<Arc<Object>, ServiceError> {
        let object = Arc::new(Object::new(new, cloud.now()));
        self.store(bucket, key, Arc::clone(&object), None)?;
        Ok(object)
    }

    /// An object, whoever asks.
    pub fn get(&self, bucket: &str, key: &str) -> Option<Arc<Object>> {
        self.read().get(bucket)?.objects.get(key).cloned()
    }

    /// Takes a bucket away with all that is in it; `false` if there is none.
    pub fn remove_bucket(&self, name: &str) -> bool {
        self.write().remove(name).is_some()
    }

    /// All buckets of all accounts, by name.
    pub fn buckets(&self) -> Vec<BucketInfo> {
        self.read()
            .values()
            .map(|bucket| bucket.info.clone())
            .collect()
    }
}
