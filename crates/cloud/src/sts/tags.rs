//! The rules of session tags.

use std::collections::BTreeMap;

use emu_core::Settings;

use super::texts;
use crate::{Identity, ServiceError, iam::Tag};

fn same(a: &str, b: &str) -> bool {
    a.to_lowercase() == b.to_lowercase()
}

/// The tags a session gets.
#[derive(Clone, Debug, Default)]
pub(super) struct SessionTags {
    /// Those passed, in order.
    pub(super) passed: Vec<Tag>,
    /// Those the caller's session hands on.
    pub(super) inherited: Vec<Tag>,
    /// The transitive keys: inherited ones, then those passed.
    pub(super) transitive: Vec<String>,
}

impl SessionTags {
    /// Keys must differ, be passed if they are to be transitive, and leave inherited ones alone. Texts: snapshots.
    pub(super) fn check(
        settings: &Settings,
        caller: &Identity,
        tags: Vec<Tag>,
        transitive: Vec<String>,
    ) -> Result<Self, ServiceError> {
        if tags
            .iter()
            .any(|(key, _)| key.to_ascii_lowercase().starts_with("aws:"))
        {
            return Err(texts::reserved_tag_key(settings));
        }
        let twice = tags
            .iter()
            .enumerate()
            .any(|(n, (key, _))| tags[..n].iter().any(|(other, _)| same(other, key)));
        if twice {
            return Err(texts::duplicate_tags());
        }
        if !transitive
            .iter()
            .all(|key| tags.iter().any(|(passed, _)| same(passed, key)))
        {
            return Err(texts::transitive_key_not_passed());
        }
        let inherited: Vec<Tag> = caller
            .transitive_tags
            .iter()
            .filter_map(|key| Some((key.clone(), caller.session_tags.get(key)?.clone())))
            .collect();
        if tags
            .iter()
            .any(|(key, _)| inherited.iter().any(|(other, _)| same(other, key)))
        {
            return Err(texts::inherited_tag());
        }
        let mut all_transitive = caller.transitive_tags.clone();
        all_transitive.extend(transitive);
        Ok(Self {
            passed: tags,
            inherited,
            transitive: all_transitive,
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.passed.is_empty() && self.inherited.is_empty()
    }

    /// Inherited ones, then those passed.
    pub(super) fn all(&self) -> Vec<Tag> {
        self.inherited.iter().chain(&self.passed).cloned().collect()
    }

    pub(super) fn map(&self) -> BTreeMap<String, String> {
        self.all().into_iter().collect()
    }

    /// Tags of the role as the trust evaluation sees them: an inherited tag hides the role's of the same key (docs).
    pub(super) fn over(&self, role: &[Tag]) -> BTreeMap<String, String> {
        let hidden = |key: &str| self.inherited.iter().any(|(other, _)| same(other, key));
        let own = role.iter().filter(|(key, _)| !hidden(key));
        let of_same_key = self
            .inherited
            .iter()
            .filter(|(key, _)| role.iter().any(|(other, _)| same(other, key)));
        own.chain(of_same_key).cloned().collect()
    }
}
