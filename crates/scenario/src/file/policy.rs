//! Policies as scenario files write them: a document, or a shorthand.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// A policy: its text, a document as YAML, or a list of shorthand statements.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a policy: a document, a text, or a list of { allow, on } and { deny, on }"
)]
pub enum PolicyText {
    /// A document as text, taken as it is, so that broken ones can be tried.
    Text(String),
    /// Shorthand statements.
    Statements(Vec<Shorthand>),
    /// A document.
    Document(Map<String, Value>),
}

/// `{ allow: [s3:GetObject], on: [arn:aws:s3:::bucket/*] }`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Shorthand {
    /// Actions allowed.
    pub allow: OneOrMany,
    /// Actions denied.
    pub deny: OneOrMany,
    /// Resources; `*` if absent.
    pub on: OneOrMany,
    /// Conditions, as in a document.
    pub when: Option<Map<String, Value>>,
}

/// One text or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a text or a list of texts")]
#[allow(missing_docs)]
pub enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl OneOrMany {
    /// As a list.
    pub fn list(&self) -> Vec<&str> {
        match self {
            Self::One(text) => vec![text],
            Self::Many(list) => list.iter().map(String::as_str).collect(),
        }
    }
}

impl PolicyText {
    /// The document as text.
    pub fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Document(document) => Value::Object(document.clone()).to_string(),
            Self::Statements(statements) => {
                let statements: Vec<Value> =
                    statements.iter().flat_map(Shorthand::statements).collect();
                json!({ "Version": "2012-10-17", "Statement": statements }).to_string()
            }
        }
    }
}

impl Shorthand {
    fn statements(&self) -> Vec<Value> {
        [("Allow", &self.allow), ("Deny", &self.deny)]
            .into_iter()
            .filter(|(_, actions)| !actions.list().is_empty())
            .map(|(effect, actions)| {
                let resources = match self.on.list() {
                    empty if empty.is_empty() => vec!["*"],
                    some => some,
                };
                let mut statement =
                    json!({ "Effect": effect, "Action": actions.list(), "Resource": resources });
                if let Some(when) = &self.when {
                    statement["Condition"] = Value::Object(when.clone());
                }
                statement
            })
            .collect()
    }
}

/// A trust policy: one of the usual ones by name, or a document.
#[derive(Clone, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a trust policy: pod-identity-default, ec2, account, a document, or a text"
)]
pub enum Trust {
    /// `pod-identity-default`, `pod-identity-without-tagsession`, `ec2`, `account`, or a document as text.
    Named(String),
    /// A document.
    Document(Map<String, Value>),
}

impl Default for Trust {
    fn default() -> Self {
        Self::Named("pod-identity-default".into())
    }
}

impl Trust {
    /// The document as text, for a role of `account`.
    pub fn text(&self, account: &str) -> String {
        let service = |name: &str, actions: &[&str]| {
            json!({ "Version": "2012-10-17", "Statement": [
                { "Effect": "Allow", "Principal": { "Service": name }, "Action": actions }
            ] })
            .to_string()
        };
        match self {
            Self::Document(document) => Value::Object(document.clone()).to_string(),
            Self::Named(name) => match name.as_str() {
                "pod-identity-default" => service("pods.eks.amazonaws.com", &["sts:AssumeRole", "sts:TagSession"]),
                "pod-identity-without-tagsession" => service("pods.eks.amazonaws.com", &["sts:AssumeRole"]),
                "ec2" => service("ec2.amazonaws.com", &["sts:AssumeRole"]),
                "account" => json!({ "Version": "2012-10-17", "Statement": [
                    { "Effect": "Allow", "Principal": { "AWS": format!("arn:aws:iam::{account}:root") },
                      "Action": ["sts:AssumeRole", "sts:TagSession"] }
                ] })
                .to_string(),
                text => text.into(),
            },
        }
    }

    /// The names that stand for the usual ones.
    pub const NAMES: [&'static str; 4] = [
        "pod-identity-default",
        "pod-identity-without-tagsession",
        "ec2",
        "account",
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shorthand_becomes_a_document() {
        let policy: PolicyText =
            serde_json::from_value(json!([{ "allow": "s3:ListBucket", "on": "arn:aws:s3:::b" }]))
                .unwrap();
        let document: Value = serde_json::from_str(&policy.text()).unwrap();
        assert_eq!(document["Statement"][0]["Action"], json!(["s3:ListBucket"]));
        assert_eq!(
            document["Statement"][0]["Resource"],
            json!(["arn:aws:s3:::b"])
        );
    }
}
