//! The request context: condition keys and what the request carries for them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a request carries for one key. Everything is text, as in AWS; operators read it as they need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ContextValue {
    /// A single-valued key.
    One(String),
    /// A multivalued key (`aws:TagKeys`); variables cannot use it.
    Many(Vec<String>),
}

impl ContextValue {
    /// The values, one or many.
    pub fn values(&self) -> &[String] {
        match self {
            ContextValue::One(value) => std::slice::from_ref(value),
            ContextValue::Many(values) => values,
        }
    }
}

impl From<String> for ContextValue {
    fn from(value: String) -> Self {
        ContextValue::One(value)
    }
}

impl From<&str> for ContextValue {
    fn from(value: &str) -> Self {
        ContextValue::One(value.to_owned())
    }
}

impl From<bool> for ContextValue {
    fn from(value: bool) -> Self {
        ContextValue::One(if value { "true" } else { "false" }.to_owned())
    }
}

impl From<i64> for ContextValue {
    fn from(value: i64) -> Self {
        ContextValue::One(value.to_string())
    }
}

impl From<Vec<String>> for ContextValue {
    fn from(values: Vec<String>) -> Self {
        ContextValue::Many(values)
    }
}

/// Condition keys and their values. Names are case-insensitive, tag keys included (docs).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    from = "BTreeMap<String, ContextValue>",
    into = "BTreeMap<String, ContextValue>"
)]
pub struct Context {
    // Sorted by the lower-case key.
    entries: Vec<(Box<str>, ContextValue)>,
}

impl Context {
    /// An empty context.
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
        }
    }

    /// Sets a key, replacing what it had.
    pub fn set(&mut self, key: &str, value: impl Into<ContextValue>) -> &mut Self {
        let key = key.to_lowercase().into_boxed_str();
        match self.find(&key) {
            Ok(index) => self.entries[index].1 = value.into(),
            Err(index) => self.entries.insert(index, (key, value.into())),
        }
        self
    }

    /// [`Context::set`] for chains: `Context::new().with("aws:SourceIp", "10.0.0.1")`.
    pub fn with(mut self, key: &str, value: impl Into<ContextValue>) -> Self {
        self.set(key, value);
        self
    }

    /// Sets a key when there is a value for it.
    pub fn set_opt(&mut self, key: &str, value: Option<impl Into<ContextValue>>) -> &mut Self {
        if let Some(value) = value {
            self.set(key, value);
        }
        self
    }

    /// Takes a key out.
    pub fn remove(&mut self, key: &str) -> Option<ContextValue> {
        self.find(&key.to_lowercase())
            .ok()
            .map(|index| self.entries.remove(index).1)
    }

    /// What the request carries for a key, in any case of letters.
    pub fn get(&self, key: &str) -> Option<&ContextValue> {
        self.get_lower(&key.to_lowercase())
    }

    /// Keys (in lower case) and values, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ContextValue)> {
        self.entries.iter().map(|(key, value)| (&**key, value))
    }

    /// The look-up of the evaluator: the key is in lower case already.
    pub(crate) fn get_lower(&self, key: &str) -> Option<&ContextValue> {
        self.find(key).ok().map(|index| &self.entries[index].1)
    }

    /// A key's one value; `None` when absent or multivalued.
    pub(crate) fn single(&self, key: &str) -> Option<&str> {
        match self.get_lower(key) {
            Some(ContextValue::One(value)) => Some(value),
            _ => None,
        }
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.entries
            .binary_search_by(|(known, _)| (**known).cmp(key))
    }
}

impl<K: AsRef<str>, V: Into<ContextValue>> FromIterator<(K, V)> for Context {
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let mut context = Context::new();
        for (key, value) in pairs {
            context.set(key.as_ref(), value);
        }
        context
    }
}

impl From<BTreeMap<String, ContextValue>> for Context {
    fn from(map: BTreeMap<String, ContextValue>) -> Self {
        map.into_iter().collect()
    }
}

impl From<Context> for BTreeMap<String, ContextValue> {
    fn from(context: Context) -> Self {
        context
            .entries
            .into_iter()
            .map(|(key, value)| (key.into_string(), value))
            .collect()
    }
}
