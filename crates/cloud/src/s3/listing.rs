//! Listing a bucket's keys, in byte order, folded at a delimiter, page by page.

use std::{collections::BTreeMap, ops::Bound, sync::Arc};

use super::{Object, S3, Visit, store::Bucket};
use crate::ServiceError;

/// What is asked for. Version 1 and 2 of the call differ in names alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListingRequest {
    /// Only keys that begin so.
    pub prefix: String,
    /// Keys are folded after the first of these behind the prefix.
    pub delimiter: Option<String>,
    /// Only keys (and folded prefixes) after this one.
    pub after: Option<String>,
    /// At most so many.
    pub max_keys: usize,
    /// The parameters as sent, for `s3:prefix`, `s3:delimiter` and `s3:max-keys`.
    pub sent: BTreeMap<String, Vec<String>>,
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Keys with their objects.
    pub objects: Vec<(String, Arc<Object>)>,
    /// Folded prefixes.
    pub prefixes: Vec<String>,
    /// The last key or prefix of this page, if there are more.
    pub next: Option<String>,
}

impl S3 {
    /// ListObjects and ListObjectsV2.
    ///
    /// # Errors
    /// As [`S3::bucket`].
    pub fn list(
        &self,
        visit: &Visit<'_>,
        bucket: &str,
        request: &ListingRequest,
    ) -> Result<Listing, ServiceError> {
        let info = self.find(visit, bucket)?;
        visit.allow(&info, None, "ListBucket", request.sent.clone())?;
        self.with(bucket, |bucket| Ok(page(bucket, request)))
    }
}

fn page(bucket: &Bucket, request: &ListingRequest) -> Listing {
    let mut listing = Listing::default();
    if request.max_keys == 0 {
        return listing;
    }
    let after = request.after.as_deref().unwrap_or_default();
    let mut from = if after < request.prefix.as_str() {
        Bound::Included(request.prefix.clone())
    } else {
        Bound::Excluded(after.to_owned())
    };
    let mut last: Option<String> = None;
    loop {
        let next = bucket
            .objects
            .range::<str, _>((from.as_ref().map(String::as_str), Bound::Unbounded))
            .next();
        let Some((key, object)) = next.filter(|(key, _)| key.starts_with(&request.prefix)) else {
            return listing;
        };
        let folded = request
            .delimiter
            .as_deref()
            .filter(|delimiter| !delimiter.is_empty())
            .and_then(|delimiter| {
                let behind = &key[request.prefix.len()..];
                let at = behind.find(delimiter)?;
                Some(&key[..request.prefix.len() + at + delimiter.len()])
            });
        // A folded prefix that an earlier page ended with is not shown again.
        let shown = folded.is_none_or(|prefix| prefix > after);
        if shown && listing.objects.len() + listing.prefixes.len() == request.max_keys {
            listing.next = last;
            return listing;
        }
        match folded {
            Some(prefix) => {
                if shown {
                    listing.prefixes.push(prefix.to_owned());
                    last = Some(prefix.to_owned());
                }
                from = match beyond(prefix) {
                    Some(next) => Bound::Included(next),
                    None => return listing,
                };
            }
            None => {
                listing.objects.push((key.clone(), Arc::clone(object)));
                last = Some(key.clone());
                from = Bound::Excluded(key.clone());
            }
        }
    }
}

/// The least text greater than everything that begins with `prefix`.
fn beyond(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            c => char::from_u32(u32::from(c) + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use emu_core::Timestamp;

    use super::*;
    use crate::s3::{BucketInfo, NewObject};

    fn bucket(keys: &[&str]) -> Bucket {
        let object = Arc::new(Object::new(NewObject::default(), Timestamp::UNIX_EPOCH));
        Bucket {
            info: BucketInfo {
                name: "b".into(),
                account: "1".into(),
                region: "r".into(),
                created: Timestamp::UNIX_EPOCH,
                policy: None,
            },
            tags: BTreeMap::new(),
            objects: keys
                .iter()
                .map(|k| ((*k).to_owned(), Arc::clone(&object)))
                .collect(),
            uploads: BTreeMap::new(),
        }
    }

    fn all(bucket: &Bucket, prefix: &str, delimiter: Option<&str>, max_keys: usize) -> Vec<String> {
        let mut request = ListingRequest {
            prefix: prefix.into(),
            delimiter: delimiter.map(str::to_owned),
            max_keys,
            ..ListingRequest::default()
        };
        let mut seen = Vec::new();
        loop {
            let page = page(bucket, &request);
            let mut names: Vec<String> = page
                .objects
                .into_iter()
                .map(|(k, _)| k)
                .chain(page.prefixes)
                .collect();
            names.sort();
            seen.extend(names);
            match page.next {
                Some(next) => request.after = Some(next),
                None => return seen,
            }
        }
    }

    #[test]
    fn pages_of_any_size_add_up_to_the_same() {
        let bucket = bucket(&[
            "a",
            "a/1",
            "a/2",
            "a/b/3",
            "b",
            "c/",
            "c/x",
            "d\u{10ffff}x",
            "é",
        ]);
        for max in 1..10 {
            assert_eq!(all(&bucket, "", None, max).len(), 9, "{max}");
            assert_eq!(
                all(&bucket, "", Some("/"), max),
                ["a", "a/", "b", "c/", "d\u{10ffff}x", "é"],
                "{max}"
            );
            assert_eq!(
                all(&bucket, "a/", Some("/"), max),
                ["a/1", "a/2", "a/b/"],
                "{max}"
            );
        }
        assert!(all(&bucket, "zz", Some("/"), 3).is_empty());
        assert!(page(&bucket, &ListingRequest::default()).objects.is_empty());
    }
}
