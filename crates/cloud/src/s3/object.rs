//! Objects.

use std::{collections::BTreeMap, sync::Arc};

use bytes::Bytes;
use emu_core::Timestamp;
use md5::{Digest as _, Md5};

use super::{BucketInfo, S3, Visit, texts};
use crate::ServiceError;

/// What was said about an object when it was stored, and is said again when it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Headers {
    /// `Content-Type`; S3 answers `binary/octet-stream` for none.
    pub content_type: Option<String>,
    /// `Cache-Control`.
    pub cache_control: Option<String>,
    /// `Content-Disposition`.
    pub content_disposition: Option<String>,
    /// `Content-Encoding`.
    pub content_encoding: Option<String>,
    /// `Content-Language`.
    pub content_language: Option<String>,
    /// `x-amz-meta-*`, names without the prefix.
    pub metadata: BTreeMap<String, String>,
    /// Object tags.
    pub tags: BTreeMap<String, String>,
}

/// A checksum kept with an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checksum {
    /// `CRC32`, `CRC32C`, `CRC64NVME`, `SHA1` or `SHA256`.
    pub algorithm: String,
    /// Base64; with `-<parts>` for a checksum of checksums.
    pub value: String,
}

/// An object to be stored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewObject {
    /// The content.
    pub data: Bytes,
    /// What is said about it.
    pub headers: Headers,
    /// Its checksum, already verified.
    pub checksum: Option<Checksum>,
}

/// A stored object. Never changes; storing again makes another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The content.
    pub data: Bytes,
    /// Hexadecimal MD5 without quotes; with `-<parts>` after a multipart upload.
    pub etag: String,
    /// When it was stored.
    pub modified: Timestamp,
    /// What is said about it.
    pub headers: Headers,
    /// Its checksum.
    pub checksum: Option<Checksum>,
}

/// The condition of a conditional write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OnlyIf {
    /// `If-None-Match: *`.
    Absent,
    /// `If-Match: <etag>`, without quotes.
    Is(String),
}

/// Hexadecimal MD5.
pub(super) fn md5_hex(data: &[u8]) -> String {
    Md5::digest(data)
        .iter()
        .map(|b| format!("{b:02x}"))
        .collect()
}

impl Object {
    pub(super) fn new(new: NewObject, now: Timestamp) -> Self {
        Self {
            etag: md5_hex(&new.data),
            data: new.data,
            modified: now,
            headers: new.headers,
            checksum: new.checksum,
        }
    }
}

impl S3 {
    /// PutObject.
    ///
    /// # Errors
    /// As [`S3::bucket`], and `PreconditionFailed`.
    pub fn put_object(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        key: &str,
        new: NewObject,
        only_if: Option<&OnlyIf>,
    ) -> Result<Arc<Object>, ServiceError> {
        let info = self.find(visit, bucket)?;
        visit.allow(&info, Some(key), "PutObject", BTreeMap::new())?;
        let object = Arc::new(Object::new(new, visit.cloud.now()));
        self.store(bucket, key, Arc::clone(&object), only_if)?;
        Ok(object)
    }

    pub(super) fn store(
        &self,
        bucket: &str,
        key: &str,
        object: Arc<Object>,
        only_if: Option<&OnlyIf>,
    ) -> Result<(), ServiceError> {
        self.with_mut(bucket, |bucket| {
            let there = bucket.objects.get(key);
            match only_if {
                Some(OnlyIf::Absent) if there.is_some() => {
                    return Err(texts::precondition_failed("If-None-Match"));
                }
                Some(OnlyIf::Is(_)) if there.is_none() => return Err(texts::no_such_key(key)),
                Some(OnlyIf::Is(etag)) if there.is_some_and(|o| o.etag != *etag) => {
                    return Err(texts::precondition_failed("If-Match"));
                }
                _ => {}
            }
            bucket.objects.insert(key.to_owned(), object);
            Ok(())
        })
    }

    /// An object, if the caller may do `action` (without `s3:`) to it: GetObject, HeadObject, the source of a copy.
    ///
    /// # Errors
    /// As [`S3::bucket`]; `NoSuchKey` only for those who may list the bucket, for others `AccessDenied` (docs).
    pub fn object(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        key: &str,
        action: &str,
    ) -> Result<Arc<Object>, ServiceError> {
        let info = self.find(visit, bucket)?;
        visit.allow(&info, Some(key), action, BTreeMap::new())?;
        let found = self.with(bucket, |bucket| Ok(bucket.objects.get(key).cloned()))?;
        found.map_or_else(|| Err(Self::missing(visit, &info, key)), Ok)
    }

    fn missing(visit: &Visit<'_>, info: &BucketInfo, key: &str) -> ServiceError {
        match visit.allow(info, None, "ListBucket", BTreeMap::new()) {
            Ok(()) => texts::no_such_key(key),
            Err(refused) => refused.because(format!(
                "the key {key} does not exist; who may not list the bucket is not told so"
            )),
        }
    }

    /// DeleteObject; succeeds also if there is none.
    ///
    /// # Errors
    /// As [`S3::bucket`].
    pub fn delete_object(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        key: &str,
    ) -> Result<(), ServiceError> {
        let info = self.find(visit, bucket)?;
        visit.allow(&info, Some(key), "DeleteObject", BTreeMap::new())?;
        self.with_mut(bucket, |bucket| {
            bucket.objects.remove(key);
            Ok(())
        })
    }

    /// PutObjectTagging; without tags, DeleteObjectTagging.
    ///
    /// # Errors
    /// As [`S3::object`].
    pub fn tag_object(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        key: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ServiceError> {
        let action = if tags.is_empty() {
            "DeleteObjectTagging"
        } else {
            "PutObjectTagging"
        };
        let mut object = (*self.object(visit, bucket, key, action)?).clone();
        object.headers.tags = tags;
        self.store(bucket, key, Arc::new(object), None)
    }
}
