//! Roles and buckets, begun and created.

use emu_scenario::{
    file::{PolicyText, Trust},
    given,
};
use serde_json::{Value, json};

use crate::{Emu, Error};

/// A role about to be created. It trusts Pod Identity unless said otherwise.
#[must_use]
pub struct RoleBuilder<'e> {
    emu: &'e Emu,
    role: given::Role,
    statements: Vec<Value>,
}

impl<'e> RoleBuilder<'e> {
    pub(crate) fn new(emu: &'e Emu, name: String) -> Self {
        Self {
            emu,
            role: given::Role {
                name: name.as_str().into(),
                ..given::Role::default()
            },
            statements: Vec::new(),
        }
    }

    /// Allows actions on resources.
    pub fn allow<const A: usize, const R: usize>(
        mut self,
        actions: [&str; A],
        resources: [&str; R],
    ) -> Self {
        self.statements.push(json!({
            "Effect": "Allow", "Action": actions.to_vec(), "Resource": resources.to_vec(),
        }));
        self
    }

    /// Denies actions on resources.
    pub fn deny<const A: usize, const R: usize>(
        mut self,
        actions: [&str; A],
        resources: [&str; R],
    ) -> Self {
        self.statements.push(json!({
            "Effect": "Deny", "Action": actions.to_vec(), "Resource": resources.to_vec(),
        }));
        self
    }

    /// Another trust policy, as a document.
    pub fn trust(mut self, document: &Value) -> Self {
        self.role.trust = Some(Trust::Named(document.to_string()));
        self
    }

    /// Another account's role.
    pub fn account(mut self, id: &str) -> Self {
        self.role.account = Some(id.into());
        self
    }

    /// Attaches a managed policy: a name of AWS's, or an ARN.
    pub fn attach(mut self, policy: &str) -> Self {
        self.role.managed.push(policy.into());
        self
    }

    /// Creates it, or gives an existing one of that name these policies.
    ///
    /// # Errors
    /// If IAM refuses it.
    pub fn create(mut self) -> Result<(), Error> {
        if !self.statements.is_empty() {
            let document = json!({ "Version": "2012-10-17", "Statement": self.statements });
            self.role.permissions = Some(PolicyText::Text(document.to_string()));
        }
        let world = self.emu.lock()?;
        Ok(self.role.establish(&world)?)
    }
}

/// A bucket about to be created.
#[must_use]
pub struct BucketBuilder<'e> {
    emu: &'e Emu,
    bucket: given::Bucket,
}

impl<'e> BucketBuilder<'e> {
    pub(crate) fn new(emu: &'e Emu, name: String) -> Self {
        Self {
            emu,
            bucket: given::Bucket {
                name: name.as_str().into(),
                ..given::Bucket::default()
            },
        }
    }

    /// Puts an object in it.
    pub fn object(mut self, key: &str, content: &str) -> Self {
        self.bucket.objects.insert(key.into(), content.into());
        self
    }

    /// Gives it a bucket policy.
    pub fn policy(mut self, document: &Value) -> Self {
        self.bucket.policy = Some(PolicyText::Text(document.to_string()));
        self
    }

    /// Creates it.
    ///
    /// # Errors
    /// If S3 refuses it.
    pub fn create(self) -> Result<(), Error> {
        let world = self.emu.lock()?;
        Ok(self.bucket.establish(&world)?)
    }
}
