//! Multipart uploads.

use std::{collections::BTreeMap, sync::Arc};

use bytes::{Bytes, BytesMut};
use emu_core::Timestamp;
use md5::{Digest as _, Md5};

use super::{Checksum, Headers, Object, OnlyIf, S3, Visit, object::md5_hex, texts};
use crate::ServiceError;

/// No part but the last may be smaller (docs).
const SMALLEST_PART: usize = 5 << 20;

/// An upload under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Upload {
    /// Its id.
    pub id: String,
    /// The key it is for.
    pub key: String,
    /// When it began.
    pub initiated: Timestamp,
    /// What is said about the object.
    pub headers: Headers,
    /// The checksum algorithm it was begun with, and whether the checksum will be of the whole object.
    pub checksum: Option<(String, bool)>,
    /// The parts so far.
    pub parts: BTreeMap<u32, Part>,
}

/// A part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// Its content.
    pub data: Bytes,
    /// Hexadecimal MD5 without quotes.
    pub etag: String,
    /// When it came.
    pub modified: Timestamp,
    /// Its checksum, already verified.
    pub checksum: Option<Checksum>,
}

/// A part as named when an upload is completed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartName {
    /// Its number, from 1.
    pub number: u32,
    /// Its ETag without quotes.
    pub etag: String,
}

impl S3 {
    /// CreateMultipartUpload; gives the upload's id.
    ///
    /// # Errors
    /// As [`S3::bucket`].
    pub fn create_upload(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        key: &str,
        headers: Headers,
        checksum: Option<(String, bool)>,
    ) -> Result<String, ServiceError> {
        let info = self.find(visit, bucket)?;
        visit.allow(&info, Some(key), "PutObject", BTreeMap::new())?;
        let id = format!(
            "{}{}",
            visit.cloud.ids().uuid().simple(),
            visit.cloud.ids().uuid().simple()
        );
        let upload = Upload {
            id: id.clone(),
            key: key.into(),
            initiated: visit.cloud.now(),
            headers,
            checksum,
            parts: BTreeMap::new(),
        };
        self.with_mut(bucket, |bucket| {
            bucket.uploads.insert(id.clone(), upload);
            Ok(id)
        })
    }

    /// UploadPart; gives the part's ETag without quotes.
    ///
    /// # Errors
    /// As [`S3::bucket`], and `NoSuchUpload`.
    pub fn upload_part(
        &self,
        visit: &Visit<'_>,
        (bucket, key): (&str, &str),
        (id, number): (&str, u32),
        data: Bytes,
        checksum: Option<Checksum>,
    ) -> Result<String, ServiceError> {
        let info = self.find(visit, bucket)?;
        visit.allow(&info, Some(key), "PutObject", BTreeMap::new())?;
        if !(1..=10_000).contains(&number) {
            return Err(texts::invalid_part_number());
        }
        let etag = md5_hex(&data);
        let part = Part {
            data,
            etag: etag.clone(),
            modified: visit.cloud.now(),
            checksum,
        };
        self.with_mut(bucket, |bucket| {
            let upload = bucket
                .uploads
                .get_mut(id)
                .filter(|upload| upload.key == key)
                .ok_or_else(|| texts::no_such_upload(id))?;
            upload.parts.insert(number, part);
            Ok(etag)
        })
    }

    /// An upload under way, for ListParts (`action` `ListMultipartUploadParts`) and for what precedes its completion.
    ///
    /// # Errors
    /// As [`S3::bucket`], and `NoSuchUpload`.
    pub fn upload(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        key: &str,
        id: &str,
        action: &str,
    ) -> Result<Upload, ServiceError> {
        let info = self.find(visit, bucket)?;
        visit.allow(&info, Some(key), action, BTreeMap::new())?;
        self.with(bucket, |bucket| {
            bucket
                .uploads
                .get(id)
                .filter(|upload| upload.key == key)
                .cloned()
                .ok_or_else(|| texts::no_such_upload(id))
        })
    }

    /// CompleteMultipartUpload. `checksum` makes the object's checksum of its parts and the joined content.
    ///
    /// # Errors
    /// As [`S3::upload`], and `InvalidPart`, `InvalidPartOrder`, `EntityTooSmall`, `MalformedXML`,
    /// `PreconditionFailed`.
    pub fn complete_upload(
        &self,
        visit: &Visit<'_>,
        (bucket, key): (&str, &str),
        id: &str,
        names: &[PartName],
        only_if: Option<&OnlyIf>,
        checksum: impl FnOnce(&Upload, &[&Part], &Bytes) -> Option<Checksum>,
    ) -> Result<Arc<Object>, ServiceError> {
        let upload = self.upload(visit, bucket, key, id, "PutObject")?;
        if names.is_empty() {
            return Err(texts::malformed_xml());
        }
        if names
            .windows(2)
            .any(|pair| pair[0].number >= pair[1].number)
        {
            return Err(texts::invalid_part_order());
        }
        let parts: Vec<&Part> = names
            .iter()
            .map(|name| {
                upload
                    .parts
                    .get(&name.number)
                    .filter(|part| part.etag == name.etag)
                    .ok_or_else(texts::invalid_part)
            })
            .collect::<Result<_, _>>()?;
        for (part, name) in parts.iter().zip(names).take(parts.len() - 1) {
            if part.data.len() < SMALLEST_PART {
                return Err(texts::entity_too_small(part, name.number, SMALLEST_PART));
            }
        }
        let mut data = BytesMut::with_capacity(parts.iter().map(|part| part.data.len()).sum());
        let mut digests = Md5::new();
        for part in &parts {
            data.extend_from_slice(&part.data);
            digests.update(Md5::digest(&part.data));
        }
        let data = data.freeze();
        let digest: String = digests
            .finalize()
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let object = Arc::new(Object {
            etag: format!("{digest}-{}", parts.len()),
            modified: visit.cloud.now(),
            headers: upload.headers.clone(),
            checksum: checksum(&upload, &parts, &data),
            data,
        });
        self.store(bucket, key, Arc::clone(&object), only_if)?;
        self.with_mut(bucket, |bucket| {
            bucket.uploads.remove(id);
            Ok(object)
        })
    }

    /// AbortMultipartUpload.
    ///
    /// # Errors
    /// As [`S3::upload`].
    pub fn abort_upload(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        key: &str,
        id: &str,
    ) -> Result<(), ServiceError> {
        self.upload(visit, bucket, key, id, "AbortMultipartUpload")?;
        self.with_mut(bucket, |bucket| {
            bucket.uploads.remove(id);
            Ok(())
        })
    }

    /// ListMultipartUploads, by key and time.
    ///
    /// # Errors
    /// As [`S3::bucket`].
    pub fn uploads(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        prefix: &str,
    ) -> Result<Vec<Upload>, ServiceError> {
        self.bucket(visit, bucket, "ListBucketMultipartUploads")?;
        self.with(bucket, |bucket| {
            let mut found: Vec<Upload> = bucket
                .uploads
                .values()
                .filter(|upload| upload.key.starts_with(prefix))
                .cloned()
                .collect();
            found.sort_by(|a, b| (&a.key, a.initiated).cmp(&(&b.key, b.initiated)));
            Ok(found)
        })
    }
}
