//! Calls of a pod and what came of them.

use std::collections::BTreeMap;

use emu_policy::Verdict;
use emu_scenario::{
    client::Parameters,
    explain::{Explanation, explain},
    run::Observation,
};

/// What a call is about.
#[derive(Clone, Debug, Default)]
pub struct Ask(pub(crate) Parameters);

impl Ask {
    /// Nothing in particular.
    pub fn nothing() -> Self {
        Self::default()
    }

    /// A bucket.
    pub fn bucket(name: impl Into<String>) -> Self {
        Self(Parameters {
            bucket: name.into(),
            ..Parameters::default()
        })
    }

    /// An object.
    pub fn object(bucket: impl Into<String>, key: impl Into<String>) -> Self {
        Self(Parameters {
            bucket: bucket.into(),
            key: Some(key.into()),
            ..Parameters::default()
        })
    }

    /// A role, by ARN.
    pub fn role(arn: impl Into<String>) -> Self {
        Self(Parameters {
            role: Some(arn.into()),
            ..Parameters::default()
        })
    }

    /// With content.
    #[must_use]
    pub fn body(mut self, content: impl Into<String>) -> Self {
        self.0.body = Some(content.into());
        self
    }
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Called {
    /// Whether it succeeded.
    pub allowed: bool,
    /// The HTTP status; absent if no request was made.
    pub status: Option<u16>,
    /// The error's name.
    pub code: Option<String>,
    /// The error's message.
    pub message: Option<String>,
    /// What the API answered.
    pub body: String,
    /// The ARN the call ran as.
    pub caller: Option<String>,
    /// The name of the role the call ran as.
    pub role: Option<String>,
    /// The account of that role.
    pub account: Option<String>,
    /// The session's name.
    pub session_name: Option<String>,
    /// The session's tags.
    pub tags: BTreeMap<String, String>,
    /// Where the credentials came from: `pod-identity`, `irsa`, `imds`, `static`, `none`.
    pub source: String,
    /// What the policy engine decided, in the order it was asked.
    pub verdicts: Vec<Verdict>,
    /// Why it was refused, if it was.
    pub explanations: Vec<Explanation>,
}

impl Called {
    pub(crate) fn of(seen: &Observation) -> Self {
        let caller = seen.caller.as_ref();
        Self {
            allowed: seen.allowed == Some(true),
            status: seen.status,
            code: seen.error.as_ref().map(|e| e.code.clone()),
            message: seen.error.as_ref().map(|e| e.message.clone()),
            body: seen.result.clone().unwrap_or_default(),
            caller: caller.map(|c| c.arn.clone()).filter(|arn| !arn.is_empty()),
            role: caller.and_then(|c| c.role.clone()),
            account: caller.map(|c| c.account.clone()).filter(|a| !a.is_empty()),
            session_name: caller.and_then(|c| c.session_name.clone()),
            tags: caller.map(|c| c.tags.clone()).unwrap_or_default(),
            source: caller.map_or("none", |c| c.source.word()).into(),
            verdicts: seen.verdicts.iter().map(|(_, v)| v.clone()).collect(),
            explanations: if seen.allowed == Some(true) {
                Vec::new()
            } else {
                explain(seen)
            },
        }
    }

    /// Why it was refused, in words; empty if it was not.
    pub fn why(&self) -> String {
        let lines: Vec<String> = self
            .explanations
            .iter()
            .map(|e| format!("{} {}: {} Fix: {}.", e.id, e.name, e.why, e.fix))
            .collect();
        lines.join("\n")
    }
}
