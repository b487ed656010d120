//! Multipart uploads.

use emu_cloud::{ServiceError, s3::PartName};
use s3s::dto::*;

use super::{
    ask::{Ask, etag, timestamp},
    checksum, conditions, objects,
};

type Outcome<T> = Result<T, ServiceError>;

pub(super) fn create(
    ask: &Ask<'_>,
    input: CreateMultipartUploadInput,
) -> Outcome<CreateMultipartUploadOutput> {
    let said = objects::headers(ask, input.metadata, input.content_type);
    let algorithm = input.checksum_algorithm.clone();
    // docs: CRC64NVME is always of the whole object, the SHAs never, the other CRCs as wished
    let kept = algorithm.as_ref().map(|algorithm| {
        let full = algorithm.as_str() == "CRC64NVME"
            || input
                .checksum_type
                .as_ref()
                .is_some_and(|kind| kind.as_str() == ChecksumType::FULL_OBJECT);
        (algorithm.as_str().to_owned(), full)
    });
    let id = ask
        .s3
        .create_upload(&ask.visit, &input.bucket, &input.key, said, kept)?;
    Ok(CreateMultipartUploadOutput {
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(id),
        checksum_algorithm: algorithm,
        checksum_type: input.checksum_type,
        server_side_encryption: Some(ServerSideEncryption::from_static(
            ServerSideEncryption::AES256,
        )),
        ..CreateMultipartUploadOutput::default()
    })
}

pub(super) fn upload(ask: &Ask<'_>, input: UploadPartInput) -> Outcome<UploadPartOutput> {
    let algorithm = input
        .checksum_algorithm
        .as_ref()
        .map_or("CRC64NVME", |a| a.as_str());
    let sum = checksum::verify(ask.headers, ask.body, algorithm)?;
    let number = u32::try_from(input.part_number).unwrap_or(0);
    let sums = checksum::members(Some(&sum));
    let tag = ask.s3.upload_part(
        &ask.visit,
        (&input.bucket, &input.key),
        (&input.upload_id, number),
        ask.body.clone(),
        Some(sum),
    )?;
    Ok(UploadPartOutput {
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        e_tag: Some(etag(&tag)),
        server_side_encryption: Some(ServerSideEncryption::from_static(
            ServerSideEncryption::AES256,
        )),
        ..UploadPartOutput::default()
    })
}

pub(super) fn upload_copy(
    ask: &Ask<'_>,
    input: UploadPartCopyInput,
) -> Outcome<UploadPartCopyOutput> {
    let from = objects::source(ask, &input.copy_source)?;
    let data = match &input.copy_source_range {
        None => from.data.clone(),
        Some(text) => {
            let invalid = || {
                // docs
                ServiceError::new(
                    "InvalidArgument",
                    400,
                    "The x-amz-copy-source-range value must be of the form bytes=first-last where first and last are the \
                     zero-based offsets of the first and last bytes to copy",
                )
                .with("ArgumentName", "x-amz-copy-source-range")
                .with("ArgumentValue", text.as_str())
            };
            let range = Range::parse(text).map_err(|_| invalid())?;
            let found = range.check(from.data.len() as u64).map_err(|_| invalid())?;
            from.data.slice(found.start as usize..found.end as usize)
        }
    };
    let number = u32::try_from(input.part_number).unwrap_or(0);
    let sum = checksum::whole("CRC64NVME", &data);
    let tag = ask.s3.upload_part(
        &ask.visit,
        (&input.bucket, &input.key),
        (&input.upload_id, number),
        data,
        Some(sum),
    )?;
    Ok(UploadPartCopyOutput {
        copy_part_result: Some(CopyPartResult {
            e_tag: Some(etag(&tag)),
            last_modified: Some(timestamp(from.modified)),
            ..CopyPartResult::default()
        }),
        ..UploadPartCopyOutput::default()
    })
}

pub(super) fn complete(
    ask: &Ask<'_>,
    input: CompleteMultipartUploadInput,
) -> Outcome<CompleteMultipartUploadOutput> {
    let names: Vec<PartName> = input
        .multipart_upload
        .and_then(|upload| upload.parts)
        .unwrap_or_default()
        .into_iter()
        .map(|part| PartName {
            number: part
                .part_number
                .and_then(|n| u32::try_from(n).ok())
                .unwrap_or(0),
            etag: part
                .e_tag
                .map(|tag| tag.value().to_owned())
                .unwrap_or_default(),
        })
        .collect();
    let only_if = conditions::only_if(ask);
    let object = ask.s3.complete_upload(
        &ask.visit,
        (&input.bucket, &input.key),
        &input.upload_id,
        &names,
        only_if.as_ref(),
        |upload, parts, data| Some(checksum::of_upload(upload, parts, data)),
    )?;
    let sums = checksum::members(object.checksum.as_ref());
    let region = &ask.call.region;
    Ok(CompleteMultipartUploadOutput {
        location: Some(format!(
            "https://{}.s3.{region}.amazonaws.com/{}",
            input.bucket, input.key
        )),
        bucket: Some(input.bucket),
        key: Some(input.key),
        checksum_crc32: sums.checksum_crc32,
        checksum_crc32c: sums.checksum_crc32c,
        checksum_crc64nvme: sums.checksum_crc64nvme,
        checksum_sha1: sums.checksum_sha1,
        checksum_sha256: sums.checksum_sha256,
        checksum_type: sums.checksum_type,
        e_tag: Some(etag(&object.etag)),
        server_side_encryption: Some(ServerSideEncryption::from_static(
            ServerSideEncryption::AES256,
        )),
        ..CompleteMultipartUploadOutput::default()
    })
}

pub(super) fn abort(
    ask: &Ask<'_>,
    input: AbortMultipartUploadInput,
) -> Outcome<AbortMultipartUploadOutput> {
    ask.s3
        .abort_upload(&ask.visit, &input.bucket, &input.key, &input.upload_id)?;
    Ok(AbortMultipartUploadOutput::default())
}

pub(super) fn parts(ask: &Ask<'_>, input: ListPartsInput) -> Outcome<ListPartsOutput> {
    let upload = ask.s3.upload(
        &ask.visit,
        &input.bucket,
        &input.key,
        &input.upload_id,
        "ListMultipartUploadParts",
    )?;
    let marker = input
        .part_number_marker
        .and_then(|n| u32::try_from(n).ok())
        .unwrap_or(0);
    let max = input.max_parts.map_or(1_000, |n| n.clamp(0, 1_000));
    let mut rest = upload.parts.iter().filter(|(number, _)| **number > marker);
    let parts: Vec<Part> = rest
        .by_ref()
        .take(max as usize)
        .map(|(number, part)| {
            let sums = checksum::members(part.checksum.as_ref());
            Part {
                checksum_crc32: sums.checksum_crc32,
                checksum_crc32c: sums.checksum_crc32c,
                checksum_crc64nvme: sums.checksum_crc64nvme,
                checksum_sha1: sums.checksum_sha1,
                checksum_sha256: sums.checksum_sha256,
                e_tag: Some(etag(&part.etag)),
                last_modified: Some(timestamp(part.modified)),
                part_number: i32::try_from(*number).ok(),
                size: Some(part.data.len() as i64),
            }
        })
        .collect();
    let truncated = rest.next().is_some();
    Ok(ListPartsOutput {
        next_part_number_marker: parts
            .last()
            .and_then(|part| part.part_number)
            .filter(|_| truncated),
        bucket: Some(input.bucket),
        key: Some(input.key),
        upload_id: Some(input.upload_id),
        is_truncated: Some(truncated),
        max_parts: Some(max),
        part_number_marker: input.part_number_marker,
        parts: Some(parts),
        owner: Some(Ask::owner(&ask.call.account)),
        ..ListPartsOutput::default()
    })
}

pub(super) fn uploads(
    ask: &Ask<'_>,
    input: ListMultipartUploadsInput,
) -> Outcome<ListMultipartUploadsOutput> {
    let prefix = input.prefix.clone().unwrap_or_default();
    let uploads = ask.s3.uploads(&ask.visit, &input.bucket, &prefix)?;
    let uploads = uploads
        .into_iter()
        .map(|upload| MultipartUpload {
            initiated: Some(timestamp(upload.initiated)),
            key: Some(upload.key),
            upload_id: Some(upload.id),
            owner: Some(Ask::owner(&ask.call.account)),
            ..MultipartUpload::default()
        })
        .collect();
    Ok(ListMultipartUploadsOutput {
        bucket: Some(input.bucket),
        prefix: input.prefix,
        is_truncated: Some(false),
        max_uploads: Some(1_000),
        uploads: Some(uploads),
        ..ListMultipartUploadsOutput::default()
    })
}
