//! Settings of buckets that cannot be changed here: what a new bucket of AWS's answers.

use emu_cloud::ServiceError;
use s3s::dto::*;

use super::ask::Ask;

type Outcome<T> = Result<T, ServiceError>;

/// The error of a setting that was never made. Source of codes and texts: docs.
fn absent<T>(
    ask: &Ask<'_>,
    bucket: &str,
    action: &str,
    code: &'static str,
    message: &str,
) -> Outcome<T> {
    ask.s3.bucket(&ask.visit, bucket, action)?;
    Err(ServiceError::new(code, 404, message).with("BucketName", bucket))
}

pub(super) fn acl(ask: &Ask<'_>, input: GetBucketAclInput) -> Outcome<GetBucketAclOutput> {
    let bucket = ask.s3.bucket(&ask.visit, &input.bucket, "GetBucketAcl")?;
    let owner = Ask::owner(&bucket.account);
    let grant = Grant {
        grantee: Some(Grantee {
            display_name: None,
            email_address: None,
            id: owner.id.clone(),
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        }),
        permission: Some(Permission::from_static(Permission::FULL_CONTROL)),
    };
    Ok(GetBucketAclOutput {
        grants: Some(vec![grant]),
        owner: Some(owner),
    })
}

pub(super) fn cors(ask: &Ask<'_>, input: GetBucketCorsInput) -> Outcome<GetBucketCorsOutput> {
    let message = "The CORS configuration does not exist";
    absent(
        ask,
        &input.bucket,
        "GetBucketCORS",
        "NoSuchCORSConfiguration",
        message,
    )
}

pub(super) fn encryption(
    ask: &Ask<'_>,
    input: GetBucketEncryptionInput,
) -> Outcome<GetBucketEncryptionOutput> {
    ask.s3
        .bucket(&ask.visit, &input.bucket, "GetEncryptionConfiguration")?;
    let rule = ServerSideEncryptionRule {
        apply_server_side_encryption_by_default: Some(ServerSideEncryptionByDefault {
            kms_master_key_id: None,
            sse_algorithm: ServerSideEncryption::from_static(ServerSideEncryption::AES256),
        }),
        bucket_key_enabled: Some(false),
    };
    Ok(GetBucketEncryptionOutput {
        server_side_encryption_configuration: Some(ServerSideEncryptionConfiguration {
            rules: vec![rule],
        }),
    })
}

pub(super) fn lifecycle(
    ask: &Ask<'_>,
    input: GetBucketLifecycleConfigurationInput,
) -> Outcome<GetBucketLifecycleConfigurationOutput> {
    let message = "The lifecycle configuration does not exist";
    absent(
        ask,
        &input.bucket,
        "GetLifecycleConfiguration",
        "NoSuchLifecycleConfiguration",
        message,
    )
}

pub(super) fn logging(
    ask: &Ask<'_>,
    input: GetBucketLoggingInput,
) -> Outcome<GetBucketLoggingOutput> {
    ask.s3
        .bucket(&ask.visit, &input.bucket, "GetBucketLogging")?;
    Ok(GetBucketLoggingOutput::default())
}

pub(super) fn ownership(
    ask: &Ask<'_>,
    input: GetBucketOwnershipControlsInput,
) -> Outcome<GetBucketOwnershipControlsOutput> {
    ask.s3
        .bucket(&ask.visit, &input.bucket, "GetBucketOwnershipControls")?;
    let rule = OwnershipControlsRule {
        object_ownership: ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED),
    };
    Ok(GetBucketOwnershipControlsOutput {
        ownership_controls: Some(OwnershipControls { rules: vec![rule] }),
    })
}

pub(super) fn replication(
    ask: &Ask<'_>,
    input: GetBucketReplicationInput,
) -> Outcome<GetBucketReplicationOutput> {
    let message = "The replication configuration was not found";
    absent(
        ask,
        &input.bucket,
        "GetReplicationConfiguration",
        "ReplicationConfigurationNotFoundError",
        message,
    )
}

pub(super) fn request_payment(
    ask: &Ask<'_>,
    input: GetBucketRequestPaymentInput,
) -> Outcome<GetBucketRequestPaymentOutput> {
    ask.s3
        .bucket(&ask.visit, &input.bucket, "GetBucketRequestPayment")?;
    Ok(GetBucketRequestPaymentOutput {
        payer: Some(Payer::from_static(Payer::BUCKET_OWNER)),
    })
}

pub(super) fn versioning(
    ask: &Ask<'_>,
    input: GetBucketVersioningInput,
) -> Outcome<GetBucketVersioningOutput> {
    ask.s3
        .bucket(&ask.visit, &input.bucket, "GetBucketVersioning")?;
    Ok(GetBucketVersioningOutput::default())
}

pub(super) fn website(
    ask: &Ask<'_>,
    input: GetBucketWebsiteInput,
) -> Outcome<GetBucketWebsiteOutput> {
    let message = "The specified bucket does not have a website configuration";
    absent(
        ask,
        &input.bucket,
        "GetBucketWebsite",
        "NoSuchWebsiteConfiguration",
        message,
    )
}

pub(super) fn object_lock(
    ask: &Ask<'_>,
    input: GetObjectLockConfigurationInput,
) -> Outcome<GetObjectLockConfigurationOutput> {
    let message = "Object Lock configuration does not exist for this bucket";
    absent(
        ask,
        &input.bucket,
        "GetBucketObjectLockConfiguration",
        "ObjectLockConfigurationNotFoundError",
        message,
    )
}

pub(super) fn public_access_block(
    ask: &Ask<'_>,
    input: GetPublicAccessBlockInput,
) -> Outcome<GetPublicAccessBlockOutput> {
    ask.s3
        .bucket(&ask.visit, &input.bucket, "GetBucketPublicAccessBlock")?;
    // docs: new buckets block everything public since April 2023
    Ok(GetPublicAccessBlockOutput {
        public_access_block_configuration: Some(PublicAccessBlockConfiguration {
            block_public_acls: Some(true),
            block_public_policy: Some(true),
            ignore_public_acls: Some(true),
            restrict_public_buckets: Some(true),
        }),
    })
}
