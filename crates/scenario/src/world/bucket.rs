//! Buckets, put where S3 keeps them.

use std::collections::BTreeMap;

use bytes::Bytes;
use emu_cloud::s3::{NewBucket, NewObject};

use super::World;
use crate::run::Trouble;

impl World {
    /// Puts a bucket in place, with its objects.
    pub(super) fn put_bucket(
        &self,
        account: &str,
        name: &str,
        objects: &BTreeMap<String, String>,
        policy: Option<&str>,
    ) -> Result<(), Trouble> {
        let s3 = &self.cloud.s3;
        s3.put_bucket(
            &self.cloud,
            NewBucket {
                name: name.into(),
                account: Some(account.into()),
                policy: policy.map(str::to_owned),
                ..NewBucket::default()
            },
        )?;
        for (key, content) in objects {
            let object = NewObject {
                data: Bytes::from(content.clone()),
                ..NewObject::default()
            };
            s3.put(&self.cloud, name, key, object)?;
        }
        Ok(())
    }

    /// Takes a bucket away with what is in it.
    pub(super) fn remove_bucket(&self, name: &str) -> Result<(), Trouble> {
        if self.cloud.s3.remove_bucket(name) {
            Ok(())
        } else {
            Err(Trouble::new(format!("there is no bucket {name}")))
        }
    }

    /// Sets a bucket's policy.
    pub(super) fn set_bucket_policy(&self, name: &str, policy: &str) -> Result<(), Trouble> {
        Ok(self.cloud.s3.set_policy(name, Some(policy))?)
    }
}
