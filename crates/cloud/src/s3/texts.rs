//! S3's errors. Source marks beside each.

use super::{BucketInfo, Part};
use crate::ServiceError;

fn error(code: &'static str, status: u16, message: impl Into<String>) -> ServiceError {
    ServiceError::new(code, status, message)
}

// thread
pub(super) fn access_denied() -> ServiceError {
    error("AccessDenied", 403, "Access Denied")
}

// snapshot
pub(super) fn no_such_bucket(name: &str) -> ServiceError {
    error("NoSuchBucket", 404, "The specified bucket does not exist").with("BucketName", name)
}

// snapshot
pub(super) fn no_such_key(key: &str) -> ServiceError {
    error("NoSuchKey", 404, "The specified key does not exist.").with("Key", key)
}

// snapshot, docs
pub(super) fn bucket_exists(name: &str, own: bool) -> ServiceError {
    let found = if own {
        error(
            "BucketAlreadyOwnedByYou",
            409,
            "Your previous request to create the named bucket succeeded and you already own it.",
        )
    } else {
        error(
            "BucketAlreadyExists",
            409,
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. \
             Please select a different name and try again.",
        )
    };
    found.with("BucketName", name)
}

// snapshot
pub(super) fn invalid_bucket_name(name: &str) -> ServiceError {
    error(
        "InvalidBucketName",
        400,
        "The specified bucket is not valid.",
    )
    .with("BucketName", name)
}

// snapshot
pub(super) fn illegal_location(constraint: &str) -> ServiceError {
    error(
        "IllegalLocationConstraintException",
        400,
        format!(
            "The {constraint} location constraint is incompatible for the region specific endpoint this request was sent to."
        ),
    )
}

// docs
pub(super) fn invalid_location(constraint: &str) -> ServiceError {
    error(
        "InvalidLocationConstraint",
        400,
        "The specified location-constraint is not valid",
    )
    .with("LocationConstraint", constraint)
}

// docs
pub(super) fn permanent_redirect(bucket: &BucketInfo, asked: &str) -> ServiceError {
    error(
        "PermanentRedirect",
        301,
        "The bucket you are attempting to access must be addressed using the specified endpoint. Please send all future \
         requests to this endpoint.",
    )
    .with("Endpoint", format!("{}.s3.{}.amazonaws.com", bucket.name, bucket.region))
    .with("Bucket", bucket.name.as_str())
    .with("Region", bucket.region.as_str())
    .because(format!("the bucket is in {}, the request was signed for {asked}", bucket.region))
}

// docs
pub(super) fn bucket_not_empty(name: &str) -> ServiceError {
    error(
        "BucketNotEmpty",
        409,
        "The bucket you tried to delete is not empty",
    )
    .with("BucketName", name)
}

// docs
pub(super) fn no_such_policy(name: &str) -> ServiceError {
    error(
        "NoSuchBucketPolicy",
        404,
        "The bucket policy does not exist",
    )
    .with("BucketName", name)
}

// docs
pub(super) fn no_such_tag_set(name: &str) -> ServiceError {
    error("NoSuchTagSet", 404, "The TagSet does not exist").with("BucketName", name)
}

// docs
pub(super) fn precondition_failed(condition: &str) -> ServiceError {
    error(
        "PreconditionFailed",
        412,
        "At least one of the pre-conditions you specified did not hold",
    )
    .with("Condition", condition)
}

// docs
pub(super) fn no_such_upload(id: &str) -> ServiceError {
    error(
        "NoSuchUpload",
        404,
        "The specified upload does not exist. The upload ID may be invalid, or the upload may have been aborted or completed.",
    )
    .with("UploadId", id)
}

// docs
pub(super) fn invalid_part() -> ServiceError {
    error(
        "InvalidPart",
        400,
        "One or more of the specified parts could not be found.  The part may not have been uploaded, or the specified \
         entity tag may not match the part's entity tag.",
    )
}

// docs
pub(super) fn invalid_part_order() -> ServiceError {
    error(
        "InvalidPartOrder",
        400,
        "The list of parts was not in ascending order. Parts must be ordered by part number.",
    )
}

// docs
pub(super) fn invalid_part_number() -> ServiceError {
    error(
        "InvalidArgument",
        400,
        "Part number must be an integer between 1 and 10000, inclusive",
    )
    .with("ArgumentName", "partNumber")
}

// docs
pub(super) fn entity_too_small(part: &Part, number: u32, smallest: usize) -> ServiceError {
    error(
        "EntityTooSmall",
        400,
        "Your proposed upload is smaller than the minimum allowed size",
    )
    .with("ProposedSize", part.data.len().to_string())
    .with("MinSizeAllowed", smallest.to_string())
    .with("PartNumber", number.to_string())
    .with("ETag", part.etag.as_str())
}

// docs
pub(super) fn malformed_xml() -> ServiceError {
    error(
        "MalformedXML",
        400,
        "The XML you provided was not well-formed or did not validate against our published schema",
    )
}
