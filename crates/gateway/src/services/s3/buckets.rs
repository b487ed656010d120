//! Buckets, their policies and tags.

use std::collections::BTreeMap;

use emu_cloud::ServiceError;
use s3s::dto::*;

use super::{
    ask::{Ask, timestamp},
    page::page,
};

type Outcome<T> = Result<T, ServiceError>;

pub(super) fn list(ask: &Ask<'_>, input: ListBucketsInput) -> Outcome<ListBucketsOutput> {
    let prefix = input.prefix.clone().unwrap_or_default();
    let max = input
        .max_buckets
        .map_or(10_000, |n| n.clamp(1, 10_000) as usize);
    let buckets = ask.s3.list_buckets(&ask.visit)?;
    let page = page(
        buckets.into_iter().filter(|bucket| {
            bucket.name.starts_with(&prefix)
                && input
                    .bucket_region
                    .as_ref()
                    .is_none_or(|region| *region == bucket.region)
        }),
        |bucket| bucket.name.as_str(),
        max,
        input.continuation_token.as_deref(),
    )
    .ok_or_else(super::listing::bad_token)?;
    let buckets = page
        .items
        .into_iter()
        .map(|bucket| Bucket {
            bucket_region: Some(bucket.region),
            creation_date: Some(timestamp(bucket.created)),
            name: Some(bucket.name),
        })
        .collect();
    Ok(ListBucketsOutput {
        buckets: Some(buckets),
        continuation_token: page.next_token,
        owner: Some(Ask::owner(&ask.call.account)),
        prefix: input.prefix,
    })
}

pub(super) fn create(ask: &Ask<'_>, input: CreateBucketInput) -> Outcome<CreateBucketOutput> {
    let constraint = input
        .create_bucket_configuration
        .and_then(|configuration| configuration.location_constraint);
    let constraint = constraint
        .as_ref()
        .map(|constraint| match constraint.as_str() {
            "EU" => "eu-west-1",
            region => region,
        });
    let made = ask
        .s3
        .create_bucket(&ask.visit, &input.bucket, constraint)?;
    // snapshot: a path in us-east-1, an address elsewhere
    let location = if made.region == "us-east-1" {
        format!("/{}", made.name)
    } else {
        format!("http://{}.s3.amazonaws.com/", made.name)
    };
    Ok(CreateBucketOutput {
        location: Some(location),
    })
}

pub(super) fn head(ask: &Ask<'_>, input: HeadBucketInput) -> Outcome<HeadBucketOutput> {
    let bucket = ask.s3.bucket(&ask.visit, &input.bucket, "ListBucket")?;
    Ok(HeadBucketOutput {
        bucket_region: Some(bucket.region),
        ..HeadBucketOutput::default()
    })
}

pub(super) fn delete(ask: &Ask<'_>, input: DeleteBucketInput) -> Outcome<DeleteBucketOutput> {
    ask.s3.delete_bucket(&ask.visit, &input.bucket)?;
    Ok(DeleteBucketOutput::default())
}

pub(super) fn location(
    ask: &Ask<'_>,
    input: GetBucketLocationInput,
) -> Outcome<GetBucketLocationOutput> {
    let region = ask.s3.location(&ask.visit, &input.bucket)?;
    Ok(GetBucketLocationOutput {
        // docs: empty for us-east-1
        location_constraint: (region != "us-east-1")
            .then(|| BucketLocationConstraint::from(region)),
    })
}

pub(super) fn policy(ask: &Ask<'_>, input: GetBucketPolicyInput) -> Outcome<GetBucketPolicyOutput> {
    let text = ask.s3.policy(&ask.visit, &input.bucket)?;
    Ok(GetBucketPolicyOutput {
        policy: Some(text.to_string()),
    })
}

pub(super) fn put_policy(
    ask: &Ask<'_>,
    input: PutBucketPolicyInput,
) -> Outcome<PutBucketPolicyOutput> {
    ask.s3
        .put_policy(&ask.visit, &input.bucket, &input.policy)?;
    Ok(PutBucketPolicyOutput::default())
}

pub(super) fn delete_policy(
    ask: &Ask<'_>,
    input: DeleteBucketPolicyInput,
) -> Outcome<DeleteBucketPolicyOutput> {
    ask.s3.delete_policy(&ask.visit, &input.bucket)?;
    Ok(DeleteBucketPolicyOutput::default())
}

pub(super) fn tags(ask: &Ask<'_>, input: GetBucketTaggingInput) -> Outcome<GetBucketTaggingOutput> {
    let tags = ask.s3.tags(&ask.visit, &input.bucket)?;
    Ok(GetBucketTaggingOutput {
        tag_set: tag_set(tags),
    })
}

pub(super) fn put_tags(
    ask: &Ask<'_>,
    input: PutBucketTaggingInput,
) -> Outcome<PutBucketTaggingOutput> {
    ask.s3
        .put_tags(&ask.visit, &input.bucket, tag_map(input.tagging.tag_set))?;
    Ok(PutBucketTaggingOutput::default())
}

pub(super) fn delete_tags(
    ask: &Ask<'_>,
    input: DeleteBucketTaggingInput,
) -> Outcome<DeleteBucketTaggingOutput> {
    ask.s3
        .put_tags(&ask.visit, &input.bucket, BTreeMap::new())?;
    Ok(DeleteBucketTaggingOutput::default())
}

pub(super) fn tag_set(tags: BTreeMap<String, String>) -> TagSet {
    tags.into_iter()
        .map(|(key, value)| Tag {
            key: Some(key),
            value: Some(value),
        })
        .collect()
}

pub(super) fn tag_map(tags: TagSet) -> BTreeMap<String, String> {
    tags.into_iter()
        .filter_map(|tag| Some((tag.key?, tag.value.unwrap_or_default())))
        .collect()
}
