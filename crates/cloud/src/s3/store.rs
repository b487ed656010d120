//! What S3 keeps.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use super::{BucketInfo, Object, Upload, Visit, texts};
use crate::ServiceError;

/// All buckets of all accounts: bucket names are one name space.
#[derive(Debug, Default)]
pub struct S3(RwLock<BTreeMap<String, Bucket>>);

/// A bucket with what is in it.
#[derive(Debug)]
pub(super) struct Bucket {
    pub(super) info: BucketInfo,
    pub(super) tags: BTreeMap<String, String>,
    pub(super) objects: BTreeMap<String, Arc<Object>>,
    pub(super) uploads: BTreeMap<String, Upload>,
}

impl S3 {
    /// Forgets everything.
    pub fn reset(&self) {
        self.write().clear();
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, BTreeMap<String, Bucket>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<String, Bucket>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// A bucket by name, in the region the request was sent to.
    pub(super) fn find(&self, visit: &Visit<'_>, name: &str) -> Result<BucketInfo, ServiceError> {
        let info = self.find_anywhere(name)?;
        if info.region == visit.call.region {
            Ok(info)
        } else {
            Err(texts::permanent_redirect(&info, &visit.call.region))
        }
    }

    /// A bucket by name, in whatever region.
    pub(super) fn find_anywhere(&self, name: &str) -> Result<BucketInfo, ServiceError> {
        self.read()
            .get(name)
            .map(|bucket| bucket.info.clone())
            .ok_or_else(|| texts::no_such_bucket(name))
    }

    /// Reads a bucket; it may have gone since it was found.
    pub(super) fn with<T>(
        &self,
        name: &str,
        f: impl FnOnce(&Bucket) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.read()
            .get(name)
            .ok_or_else(|| texts::no_such_bucket(name))
            .and_then(f)
    }

    /// Changes a bucket; it may have gone since it was found.
    pub(super) fn with_mut<T>(
        &self,
        name: &str,
        f: impl FnOnce(&mut Bucket) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        self.write()
            .get_mut(name)
            .ok_or_else(|| texts::no_such_bucket(name))
            .and_then(f)
    }
}
