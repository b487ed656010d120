//! IAM: roles, users, policies and identity providers of all accounts.

use emu_core::{Ids, Settings};

/// The state of IAM.
#[derive(Debug, Default)]
pub struct Iam {}

impl Iam {
    /// An IAM with nothing in it but the policies AWS manages.
    pub fn new(_settings: &Settings, _ids: &Ids) -> Self {
        Self::default()
    }
}
