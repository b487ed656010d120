//! One call to S3: who calls, and what the policy engine was asked on their behalf.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{BucketInfo, texts};
use crate::{Access, Call, Cloud, ServiceError};

/// The first thing asked of the policy engine, for the journal.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// The IAM action.
    pub action: String,
    /// The resource's ARN.
    pub resource: String,
    /// The verdict, if it was to allow; a refusal carries its own.
    pub verdict: Option<serde_json::Value>,
}

/// A call under way.
#[derive(Debug)]
pub struct Visit<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) call: &'a Call,
    /// `x-amz-expected-bucket-owner`, if it was sent.
    expected_owner: Option<String>,
    asked: Mutex<Option<Asked>>,
}

impl<'a> Visit<'a> {
    /// Begins.
    pub fn new(cloud: &'a Cloud, call: &'a Call, expected_owner: Option<String>) -> Self {
        Self {
            cloud,
            call,
            expected_owner,
            asked: Mutex::default(),
        }
    }

    /// What the policy engine was asked first.
    pub fn asked(&self) -> Option<Asked> {
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// May the caller do this to the bucket or, with a key, to the object?
    pub(super) fn allow(
        &self,
        bucket: &BucketInfo,
        key: Option<&str>,
        action: &str,
        context: BTreeMap<String, Vec<String>>,
    ) -> Result<(), ServiceError> {
        let bucket_arn = bucket.arn();
        let access = Access {
            action: format!("s3:{action}"),
            resource: match key {
                Some(key) => format!("{bucket_arn}/{key}"),
                None => bucket_arn,
            },
            resource_account: bucket.account.clone(),
            context,
            resource_tags: BTreeMap::new(),
            resource_policy: bucket.policy.as_ref().map(|text| {
                (
                    format!("policy of bucket {}", bucket.name),
                    text.to_string(),
                )
            }),
        };
        let owner = &self.expected_owner;
        if owner.as_ref().is_some_and(|owner| *owner != bucket.account) {
            return Err(
                texts::access_denied().because("x-amz-expected-bucket-owner names another account")
            );
        }
        self.ask(access)
    }

    /// Asks the policy engine.
    pub(super) fn ask(&self, access: Access) -> Result<(), ServiceError> {
        let mut asked = Asked {
            action: access.action.clone(),
            resource: access.resource.clone(),
            verdict: None,
        };
        // A refusal is worded by `require`; it is the rare case and may ask twice.
        let outcome = match self.cloud.authorize(self.call, access.clone()) {
            Ok(verdict) => {
                asked.verdict = serde_json::to_value(&verdict).ok();
                self.cloud.require(self.call, access)
            }
            Err(_) => self
                .cloud
                .require(self.call, access)
                .and_then(|()| Err(texts::access_denied())),
        };
        self.asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert(asked);
        outcome
    }
}
