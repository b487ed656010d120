//! Objects.

use std::collections::BTreeMap;

use bytes::Bytes;
use emu_cloud::{
    ServiceError,
    s3::{Headers, NewObject, Object},
};
use s3s::dto::*;

use super::{
    ask::{Ask, etag, timestamp},
    buckets::{tag_map, tag_set},
    checksum, conditions,
};

type Outcome<T> = Result<T, ServiceError>;

/// What S3 says of objects stored without a type (snapshot).
const NO_TYPE: &str = "binary/octet-stream";

fn aes256() -> Option<ServerSideEncryption> {
    Some(ServerSideEncryption::from_static(
        ServerSideEncryption::AES256,
    ))
}

/// What a request says about the object it stores.
pub(super) fn headers(
    ask: &Ask<'_>,
    metadata: Option<Metadata>,
    content_type: Option<String>,
) -> Headers {
    let header = |name: &str| ask.header(name).map(str::to_owned);
    let tags = ask.header("x-amz-tagging").unwrap_or_default();
    Headers {
        content_type,
        cache_control: header("cache-control"),
        content_disposition: header("content-disposition"),
        content_encoding: header("content-encoding"),
        content_language: header("content-language"),
        metadata: metadata.unwrap_or_default().into_iter().collect(),
        tags: url::form_urlencoded::parse(tags.as_bytes())
            .into_owned()
            .collect(),
    }
}

/// The part of an object that is asked for.
fn range(object: &Object, range: Option<Range>) -> Outcome<(Bytes, Option<String>)> {
    let length = object.data.len() as u64;
    let Some(range) = range else {
        return Ok((object.data.clone(), None));
    };
    // docs
    let found = range.check(length).map_err(|_| {
        ServiceError::new(
            "InvalidRange",
            416,
            "The requested range is not satisfiable",
        )
        .with("RangeRequested", range.to_header_string())
        .with("ActualObjectSize", length.to_string())
    })?;
    let text = format!(
        "bytes {}-{}/{length}",
        found.start,
        found.end.saturating_sub(1)
    );
    Ok((
        object.data.slice(found.start as usize..found.end as usize),
        Some(text),
    ))
}

pub(super) fn get(ask: &Ask<'_>, input: GetObjectInput) -> Outcome<GetObjectOutput> {
    let object = ask
        .s3
        .object(&ask.visit, &input.bucket, &input.key, "GetObject")?;
    conditions::check(ask, "", &object)?;
    let (data, content_range) = range(&object, input.range)?;
    // A checksum of the whole is of no use with a part.
    let wanted = input.checksum_mode.is_some() && content_range.is_none();
    let sums = checksum::members(object.checksum.as_ref().filter(|_| wanted));
    let said = &object.headers;
    Ok(GetObjectOutput {
        accept_ranges: Some("bytes".into()),
        cache_control: input
            .response_cache_control
            .or_else(|| said.cache_control.clone()),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        content_disposition: input
            .response_content_disposition
            .or_else(|| said.content_disposition.clone()),
        content_encoding: input
            .response_content_encoding
            .or_else(|| said.content_encoding.clone()),
        content_language: input
            .response_content_language
            .or_else(|| said.content_language.clone()),
        content_length: Some(data.len() as i64),
        content_range,
        content_type: input
            .response_content_type
            .or_else(|| said.content_type.clone())
            .or_else(|| Some(NO_TYPE.into())),
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(timestamp(object.modified)),
        metadata: metadata(said),
        server_side_encryption: aes256(),
        tag_count: (!said.tags.is_empty()).then_some(said.tags.len() as i32),
        body: Some(StreamingBlob::from(s3s::Body::from(data))),
        ..GetObjectOutput::default()
    })
}

pub(super) fn head(ask: &Ask<'_>, input: HeadObjectInput) -> Outcome<HeadObjectOutput> {
    let object = ask
        .s3
        .object(&ask.visit, &input.bucket, &input.key, "GetObject")?;
    conditions::check(ask, "", &object)?;
    let (data, content_range) = range(&object, input.range)?;
    let wanted = input.checksum_mode.is_some() && content_range.is_none();
    let sums = checksum::members(object.checksum.as_ref().filter(|_| wanted));
    let said = &object.headers;
    Ok(HeadObjectOutput {
        accept_ranges: Some("bytes".into()),
        cache_control: said.cache_control.clone(),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        content_disposition: said.content_disposition.clone(),
        content_encoding: said.content_encoding.clone(),
        content_language: said.content_language.clone(),
        content_length: Some(data.len() as i64),
        content_range,
        content_type: said.content_type.clone().or_else(|| Some(NO_TYPE.into())),
        e_tag: Some(etag(&object.etag)),
        last_modified: Some(timestamp(object.modified)),
        metadata: metadata(said),
        server_side_encryption: aes256(),
        ..HeadObjectOutput::default()
    })
}

fn metadata(said: &Headers) -> Option<Metadata> {
    (!said.metadata.is_empty()).then(|| said.metadata.clone().into_iter().collect())
}

pub(super) fn put(ask: &Ask<'_>, input: PutObjectInput) -> Outcome<PutObjectOutput> {
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map_or("CRC64NVME", |a| a.as_str());
    let sum = checksum::verify(ask.headers, ask.body, algorithm)?;
    let new = NewObject {
        data: ask.body.clone(),
        headers: headers(ask, input.metadata, input.content_type),
        checksum: Some(sum),
    };
    let only_if = conditions::only_if(ask);
    let object = ask
        .s3
        .put_object(&ask.visit, &input.bucket, &input.key, new, only_if.as_ref())?;
    let sums = checksum::members(object.checksum.as_ref());
    Ok(PutObjectOutput {
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        e_tag: Some(etag(&object.etag)),
        server_side_encryption: aes256(),
        ..PutObjectOutput::default()
    })
}

/// The source of a copy, if the caller may read it.
pub(super) fn source(ask: &Ask<'_>, source: &CopySource) -> Outcome<std::sync::Arc<Object>> {
    let CopySource::Bucket { bucket, key, .. } = source else {
        return Err(ServiceError::new(
            "NotImplemented",
            501,
            "Access points are not emulated.",
        ));
    };
    let object = ask.s3.object(&ask.visit, bucket, key, "GetObject")?;
    conditions::check(ask, "x-amz-copy-source-", &object)?;
    Ok(object)
}

pub(super) fn copy(ask: &Ask<'_>, input: CopyObjectInput) -> Outcome<CopyObjectOutput> {
    let from = source(ask, &input.copy_source)?;
    let replace = input
        .metadata_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == MetadataDirective::REPLACE);
    let itself = matches!(&input.copy_source, CopySource::Bucket { bucket, key, .. }
        if **bucket == *input.bucket && **key == *input.key);
    if itself && !replace {
        // docs
        return Err(ServiceError::new(
            "InvalidRequest",
            400,
            "This copy request is illegal because it is trying to copy an object to itself without changing the object's \
             metadata, storage class, website redirect location or encryption attributes.",
        ));
    }
    let mut said = if replace {
        headers(ask, input.metadata, input.content_type)
    } else {
        from.headers.clone()
    };
    let new_tags = input
        .tagging_directive
        .as_ref()
        .is_some_and(|directive| directive.as_str() == TaggingDirective::REPLACE);
    if !new_tags {
        said.tags.clone_from(&from.headers.tags);
    }
    let algorithm = from
        .checksum
        .as_ref()
        .map_or("CRC64NVME", |c| c.algorithm.as_str());
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map_or(algorithm, |a| a.as_str());
    let new = NewObject {
        checksum: Some(checksum::whole(algorithm, &from.data)),
        data: from.data.clone(),
        headers: said,
    };
    let object = ask
        .s3
        .put_object(&ask.visit, &input.bucket, &input.key, new, None)?;
    let sums = checksum::members(object.checksum.as_ref());
    Ok(CopyObjectOutput {
        copy_object_result: Some(CopyObjectResult {
            checksum_crc32: sums.checksum_crc32,
            checksum_crc32c: sums.checksum_crc32c,
            checksum_crc64nvme: sums.checksum_crc64nvme,
            checksum_sha1: sums.checksum_sha1,
            checksum_sha256: sums.checksum_sha256,
            checksum_type: sums.checksum_type,
            e_tag: Some(etag(&object.etag)),
            last_modified: Some(timestamp(object.modified)),
        }),
        server_side_encryption: aes256(),
        ..CopyObjectOutput::default()
    })
}

pub(super) fn delete(ask: &Ask<'_>, input: DeleteObjectInput) -> Outcome<DeleteObjectOutput> {
    ask.s3
        .delete_object(&ask.visit, &input.bucket, &input.key)?;
    Ok(DeleteObjectOutput::default())
}

/// Each key by itself: what may not be deleted is named among the errors, the call succeeds.
pub(super) fn delete_many(
    ask: &Ask<'_>,
    input: DeleteObjectsInput,
) -> Outcome<DeleteObjectsOutput> {
    let quiet = input.delete.quiet.unwrap_or(false);
    let (mut deleted, mut errors) = (Vec::new(), Vec::new());
    for object in input.delete.objects {
        match ask.s3.delete_object(&ask.visit, &input.bucket, &object.key) {
            Ok(()) if quiet => {}
            Ok(()) => deleted.push(DeletedObject {
                key: Some(object.key),
                ..DeletedObject::default()
            }),
            Err(error) if error.code == "NoSuchBucket" || error.status == 301 => return Err(error),
            Err(error) => errors.push(Error {
                code: Some(error.code.into_owned()),
                key: Some(object.key),
                message: Some(error.message),
                version_id: None,
            }),
        }
    }
    Ok(DeleteObjectsOutput {
        deleted: Some(deleted),
        errors: Some(errors),
        ..DeleteObjectsOutput::default()
    })
}

pub(super) fn tags(ask: &Ask<'_>, input: GetObjectTaggingInput) -> Outcome<GetObjectTaggingOutput> {
    let object = ask
        .s3
        .object(&ask.visit, &input.bucket, &input.key, "GetObjectTagging")?;
    Ok(GetObjectTaggingOutput {
        tag_set: tag_set(object.headers.tags.clone()),
        ..GetObjectTaggingOutput::default()
    })
}

pub(super) fn put_tags(
    ask: &Ask<'_>,
    input: PutObjectTaggingInput,
) -> Outcome<PutObjectTaggingOutput> {
    ask.s3.tag_object(
        &ask.visit,
        &input.bucket,
        &input.key,
        tag_map(input.tagging.tag_set),
    )?;
    Ok(PutObjectTaggingOutput::default())
}

pub(super) fn delete_tags(
    ask: &Ask<'_>,
    input: DeleteObjectTaggingInput,
) -> Outcome<DeleteObjectTaggingOutput> {
    ask.s3
        .tag_object(&ask.visit, &input.bucket, &input.key, BTreeMap::new())?;
    Ok(DeleteObjectTaggingOutput::default())
}
