//! The operations we have, by `s3s`'s names; every other one answers NotImplemented.

use s3s::{S3, S3Request, S3Response, S3Result, dto::*};

use super::{ask::run, buckets, listing, multipart, objects, settings};

/// Stateless: the world comes with each request.
pub(super) struct Adapter;

macro_rules! operations {
    ($($method:ident, $name:literal, $input:ident -> $output:ident, $function:path;)*) => {
        #[async_trait::async_trait]
        impl S3 for Adapter {
            $(
                async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    run($name, request, $function)
                }
            )*
        }
    };
}

operations! {
    list_buckets, "ListAllMyBuckets", ListBucketsInput -> ListBucketsOutput, buckets::list;
    create_bucket, "CreateBucket", CreateBucketInput -> CreateBucketOutput, buckets::create;
    head_bucket, "ListBucket", HeadBucketInput -> HeadBucketOutput, buckets::head;
    delete_bucket, "DeleteBucket", DeleteBucketInput -> DeleteBucketOutput, buckets::delete;
    get_bucket_location, "GetBucketLocation", GetBucketLocationInput -> GetBucketLocationOutput, buckets::location;
    get_bucket_policy, "GetBucketPolicy", GetBucketPolicyInput -> GetBucketPolicyOutput, buckets::policy;
    put_bucket_policy, "PutBucketPolicy", PutBucketPolicyInput -> PutBucketPolicyOutput, buckets::put_policy;
    delete_bucket_policy, "DeleteBucketPolicy", DeleteBucketPolicyInput -> DeleteBucketPolicyOutput, buckets::delete_policy;
    get_bucket_tagging, "GetBucketTagging", GetBucketTaggingInput -> GetBucketTaggingOutput, buckets::tags;
    put_bucket_tagging, "PutBucketTagging", PutBucketTaggingInput -> PutBucketTaggingOutput, buckets::put_tags;
    delete_bucket_tagging, "PutBucketTagging", DeleteBucketTaggingInput -> DeleteBucketTaggingOutput, buckets::delete_tags;

    list_objects, "ListBucket", ListObjectsInput -> ListObjectsOutput, listing::first;
    list_objects_v2, "ListBucket", ListObjectsV2Input -> ListObjectsV2Output, listing::second;

    get_object, "GetObject", GetObjectInput -> GetObjectOutput, objects::get;
    head_object, "GetObject", HeadObjectInput -> HeadObjectOutput, objects::head;
    put_object, "PutObject", PutObjectInput -> PutObjectOutput, objects::put;
    copy_object, "PutObject", CopyObjectInput -> CopyObjectOutput, objects::copy;
    delete_object, "DeleteObject", DeleteObjectInput -> DeleteObjectOutput, objects::delete;
    delete_objects, "DeleteObject", DeleteObjectsInput -> DeleteObjectsOutput, objects::delete_many;
    get_object_tagging, "GetObjectTagging", GetObjectTaggingInput -> GetObjectTaggingOutput, objects::tags;
    put_object_tagging, "PutObjectTagging", PutObjectTaggingInput -> PutObjectTaggingOutput, objects::put_tags;
    delete_object_tagging, "DeleteObjectTagging", DeleteObjectTaggingInput -> DeleteObjectTaggingOutput, objects::delete_tags;

    create_multipart_upload, "PutObject", CreateMultipartUploadInput -> CreateMultipartUploadOutput, multipart::create;
    upload_part, "PutObject", UploadPartInput -> UploadPartOutput, multipart::upload;
    upload_part_copy, "PutObject", UploadPartCopyInput -> UploadPartCopyOutput, multipart::upload_copy;
    complete_multipart_upload, "PutObject", CompleteMultipartUploadInput -> CompleteMultipartUploadOutput, multipart::complete;
    abort_multipart_upload, "AbortMultipartUpload", AbortMultipartUploadInput -> AbortMultipartUploadOutput, multipart::abort;
    list_parts, "ListMultipartUploadParts", ListPartsInput -> ListPartsOutput, multipart::parts;
    list_multipart_uploads, "ListBucketMultipartUploads", ListMultipartUploadsInput -> ListMultipartUploadsOutput, multipart::uploads;

    get_bucket_acl, "GetBucketAcl", GetBucketAclInput -> GetBucketAclOutput, settings::acl;
    get_bucket_cors, "GetBucketCORS", GetBucketCorsInput -> GetBucketCorsOutput, settings::cors;
    get_bucket_encryption, "GetEncryptionConfiguration", GetBucketEncryptionInput -> GetBucketEncryptionOutput, settings::encryption;
    get_bucket_lifecycle_configuration, "GetLifecycleConfiguration", GetBucketLifecycleConfigurationInput -> GetBucketLifecycleConfigurationOutput, settings::lifecycle;
    get_bucket_logging, "GetBucketLogging", GetBucketLoggingInput -> GetBucketLoggingOutput, settings::logging;
    get_bucket_ownership_controls, "GetBucketOwnershipControls", GetBucketOwnershipControlsInput -> GetBucketOwnershipControlsOutput, settings::ownership;
    get_bucket_replication, "GetReplicationConfiguration", GetBucketReplicationInput -> GetBucketReplicationOutput, settings::replication;
    get_bucket_request_payment, "GetBucketRequestPayment", GetBucketRequestPaymentInput -> GetBucketRequestPaymentOutput, settings::request_payment;
    get_bucket_versioning, "GetBucketVersioning", GetBucketVersioningInput -> GetBucketVersioningOutput, settings::versioning;
    get_bucket_website, "GetBucketWebsite", GetBucketWebsiteInput -> GetBucketWebsiteOutput, settings::website;
    get_object_lock_configuration, "GetBucketObjectLockConfiguration", GetObjectLockConfigurationInput -> GetObjectLockConfigurationOutput, settings::object_lock;
    get_public_access_block, "GetBucketPublicAccessBlock", GetPublicAccessBlockInput -> GetPublicAccessBlockOutput, settings::public_access_block;
}
