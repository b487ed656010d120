//! ListObjects in both versions.

use std::{collections::BTreeMap, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use emu_cloud::{
    ServiceError,
    s3::{Listing, ListingRequest, Object as Stored},
};
use s3s::dto::*;

use super::ask::{Ask, etag, timestamp};
use crate::sigv4::uri_encode;

// snapshot
pub(super) fn bad_token() -> ServiceError {
    ServiceError::new(
        "InvalidArgument",
        400,
        "The continuation token provided is incorrect",
    )
    .with("ArgumentName", "continuation-token")
}

pub(super) fn first(
    ask: &Ask<'_>,
    input: ListObjectsInput,
) -> Result<ListObjectsOutput, ServiceError> {
    let encode = Encoding::of(input.encoding_type.as_ref());
    let (request, max_keys) = question(
        &input.prefix,
        &input.delimiter,
        input.max_keys,
        input.marker.clone(),
    )?;
    let listing = ask.s3.list(&ask.visit, &input.bucket, &request)?;
    let account = &ask.call.account;
    // docs: NextMarker only with a delimiter
    let next_marker = listing
        .next
        .as_deref()
        .filter(|_| input.delimiter.is_some())
        .map(|next| encode.text(next));
    Ok(ListObjectsOutput {
        is_truncated: Some(listing.next.is_some()),
        next_marker,
        common_prefixes: prefixes(&listing, encode),
        contents: contents(listing, encode, Some(account)),
        name: Some(input.bucket),
        prefix: Some(encode.text(&request.prefix)),
        marker: Some(encode.text(input.marker.as_deref().unwrap_or_default())),
        max_keys: Some(max_keys),
        delimiter: input.delimiter.map(|d| encode.text(&d)),
        encoding_type: input.encoding_type,
        ..ListObjectsOutput::default()
    })
}

pub(super) fn second(
    ask: &Ask<'_>,
    input: ListObjectsV2Input,
) -> Result<ListObjectsV2Output, ServiceError> {
    let encode = Encoding::of(input.encoding_type.as_ref());
    let after = match &input.continuation_token {
        Some(token) => {
            let key = STANDARD
                .decode(token)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            Some(key.ok_or_else(bad_token)?)
        }
        None => input.start_after.clone(),
    };
    let (request, max_keys) = question(&input.prefix, &input.delimiter, input.max_keys, after)?;
    let listing = ask.s3.list(&ask.visit, &input.bucket, &request)?;
    let owner = input
        .fetch_owner
        .unwrap_or(false)
        .then_some(ask.call.account.as_str());
    Ok(ListObjectsV2Output {
        key_count: Some((listing.objects.len() + listing.prefixes.len()) as i32),
        is_truncated: Some(listing.next.is_some()),
        next_continuation_token: listing.next.as_ref().map(|key| STANDARD.encode(key)),
        common_prefixes: prefixes(&listing, encode),
        contents: contents(listing, encode, owner),
        continuation_token: input.continuation_token,
        name: Some(input.bucket),
        prefix: Some(encode.text(&request.prefix)),
        max_keys: Some(max_keys),
        delimiter: input.delimiter.map(|d| encode.text(&d)),
        start_after: input.start_after.map(|s| encode.text(&s)),
        encoding_type: input.encoding_type,
        ..ListObjectsV2Output::default()
    })
}

fn question(
    prefix: &Option<String>,
    delimiter: &Option<String>,
    max_keys: Option<i32>,
    after: Option<String>,
) -> Result<(ListingRequest, i32), ServiceError> {
    let wanted = max_keys.unwrap_or(1_000);
    if wanted < 0 {
        // docs
        return Err(ServiceError::new(
            "InvalidArgument",
            400,
            "Argument maxKeys must be an integer between 0 and 2147483647",
        )
        .with("ArgumentName", "maxKeys")
        .with("ArgumentValue", wanted.to_string()));
    }
    let capped = wanted.min(1_000);
    let mut sent = BTreeMap::new();
    let mut say = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            sent.insert(key.to_owned(), vec![value]);
        }
    };
    say("s3:prefix", prefix.clone());
    say("s3:delimiter", delimiter.clone());
    say("s3:max-keys", max_keys.map(|n| n.to_string()));
    Ok((
        ListingRequest {
            prefix: prefix.clone().unwrap_or_default(),
            delimiter: delimiter.clone(),
            after,
            max_keys: capped as usize,
            sent,
        },
        capped,
    ))
}

fn contents(listing: Listing, encode: Encoding, owner: Option<&str>) -> Option<ObjectList> {
    let object = |(key, stored): (String, Arc<Stored>)| Object {
        key: Some(encode.text(&key)),
        e_tag: Some(etag(&stored.etag)),
        last_modified: Some(timestamp(stored.modified)),
        size: Some(stored.data.len() as i64),
        storage_class: Some(ObjectStorageClass::from_static(
            ObjectStorageClass::STANDARD,
        )),
        owner: owner.map(Ask::owner),
        checksum_algorithm: stored
            .checksum
            .as_ref()
            .map(|checksum| vec![ChecksumAlgorithm::from(checksum.algorithm.clone())]),
        ..Object::default()
    };
    Some(listing.objects.into_iter().map(object).collect())
}

fn prefixes(listing: &Listing, encode: Encoding) -> Option<CommonPrefixList> {
    let prefix = |prefix: &String| CommonPrefix {
        prefix: Some(encode.text(prefix)),
    };
    Some(listing.prefixes.iter().map(prefix).collect())
}

/// Whether keys are percent-encoded in the answer (`encoding-type=url`), because XML cannot hold all of them.
#[derive(Clone, Copy)]
struct Encoding(bool);

impl Encoding {
    fn of(kind: Option<&EncodingType>) -> Self {
        Self(kind.is_some_and(|kind| kind.as_str() == EncodingType::URL))
    }

    fn text(self, text: &str) -> String {
        if !self.0 {
            return text.to_owned();
        }
        let mut out = Vec::with_capacity(text.len());
        uri_encode(&mut out, text.as_bytes(), true);
        String::from_utf8_lossy(&out).into_owned()
    }
}
