//! Tags of IAM's entities: at most 50, in the order they came.

use std::collections::BTreeMap;

use super::texts;
use crate::{
    ServiceError,
    constraint::{Constraints, TAG_KEY_PATTERN, TAG_VALUE_PATTERN, tag_character},
};

/// A key with its value.
pub type Tag = (String, String);

/// Model: at most 50 tags, keys of 1 to 128 and values of up to 256 characters. Texts: snapshots.
pub(super) fn check_form(constraints: &mut Constraints, tags: &[Tag]) {
    constraints.count("tags", tags.len(), 0, 50);
    for (n, (key, value)) in tags.iter().enumerate() {
        let n = n + 1;
        let name = format!("tags.{n}.member.key");
        constraints.length(&name, key, 1, 128);
        constraints.characters(&name, key, TAG_KEY_PATTERN, tag_character);
        let name = format!("tags.{n}.member.value");
        constraints.length(&name, value, 0, 256);
        constraints.characters(&name, value, TAG_VALUE_PATTERN, tag_character);
    }
}

/// Snapshot: the text prints the constraints of the whole list.
pub(super) fn check_keys(constraints: &mut Constraints, keys: &[String]) {
    let fine =
        |key: &String| (1..=128).contains(&key.chars().count()) && key.chars().all(tag_character);
    if !keys.iter().all(fine) {
        constraints.add(
            "tagKeys",
            "",
            &format!(
                "Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have \
                 length greater than or equal to 1, Member must satisfy regular expression pattern: {TAG_KEY_PATTERN}, \
                 Member must not be null]"
            ),
        );
    }
    constraints.count("tagKeys", keys.len(), 0, 50);
}

/// Keys must differ, not only in case. The duplicate's text depends on the entity (snapshots).
pub(super) fn check_unique(tags: &[Tag], policy: bool) -> Result<(), ServiceError> {
    if tags
        .iter()
        .any(|(key, _)| key.to_ascii_lowercase().starts_with("aws:"))
    {
        return Err(texts::reserved_tag_key());
    }
    let twice = tags.iter().enumerate().any(|(n, (key, _))| {
        tags[..n].iter().any(|(other, _)| {
            if policy {
                other == key
            } else {
                other.to_lowercase() == key.to_lowercase()
            }
        })
    });
    match (twice, policy) {
        (false, _) => Ok(()),
        (true, true) => Err(texts::duplicate_policy_tags()),
        (true, false) => Err(texts::duplicate_tags()),
    }
}

/// Adds tags; a known key gets the new value and spelling.
pub(super) fn add(kept: &mut Vec<Tag>, new: Vec<Tag>) {
    for (key, value) in new {
        match kept
            .iter_mut()
            .find(|(k, _)| k.to_lowercase() == key.to_lowercase())
        {
            Some(tag) => *tag = (key, value),
            None => kept.push((key, value)),
        }
    }
}

/// How many tags there would be.
pub(super) fn count_with(kept: &[Tag], new: &[Tag]) -> usize {
    let fresh = |(key, _): &&Tag| {
        !kept
            .iter()
            .any(|(k, _)| k.to_lowercase() == key.to_lowercase())
    };
    kept.len() + new.iter().filter(fresh).count()
}

/// `aws:RequestTag/…` and `aws:TagKeys` of a request that passes tags.
pub(super) fn request_context(tags: &[Tag]) -> BTreeMap<String, Vec<String>> {
    let mut context: BTreeMap<String, Vec<String>> = tags
        .iter()
        .map(|(key, value)| (format!("aws:RequestTag/{key}"), vec![value.clone()]))
        .collect();
    if !tags.is_empty() {
        context.insert(
            "aws:TagKeys".into(),
            tags.iter().map(|(key, _)| key.clone()).collect(),
        );
    }
    context
}
