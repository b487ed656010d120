//! The fake AWS as state and services: IAM, STS, EKS, EKS Auth and S3. Knows nothing of HTTP.
//!
//! One module per service, one file per resource. The texts AWS answers stand in each service's `texts`.
#![forbid(unsafe_code)]

pub mod access;
pub mod call;
mod constraint;
pub mod credential;
pub mod eks;
pub mod eks_auth;
pub mod error;
pub mod iam;
pub mod identity;
pub mod s3;
pub mod sts;
#[cfg(test)]
mod testing;

use std::sync::{Arc, PoisonError, RwLock};

pub use access::Access;
pub use call::Call;
pub use credential::Credential;
pub use error::ServiceError;
pub use identity::Identity;

use emu_core::{Clock, Ids, Journal, Settings, Timestamp};

/// One fake AWS: all accounts, all services. Many may live side by side in a process.
pub struct Cloud {
    clock: Clock,
    journal: Journal,
    ids: Ids,
    settings: RwLock<Arc<Settings>>,
    pub(crate) parsed: access::Parsed,
    pub(crate) gone_pods: eks_auth::GonePods,
    /// Roles, users, policies and identity providers.
    pub iam: iam::Iam,
    /// Sessions.
    pub sts: sts::Sts,
    /// Clusters, add-ons and associations.
    pub eks: eks::Eks,
    /// Buckets and objects.
    pub s3: s3::S3,
}

impl Cloud {
    /// An empty AWS in which the account of the settings exists, with its administrator's key `test`/`test`.
    pub fn new(clock: Clock, journal: Journal, settings: Settings, ids: Ids) -> Arc<Self> {
        Arc::new(Self {
            iam: iam::Iam::new(&settings, &ids),
            sts: sts::Sts::default(),
            eks: eks::Eks::default(),
            s3: s3::S3::default(),
            parsed: access::Parsed::default(),
            gone_pods: eks_auth::GonePods::default(),
            settings: RwLock::new(Arc::new(settings)),
            clock,
            journal,
            ids,
        })
    }

    /// The clock everything here lives by.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The clock's present reading.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Where everything that happens is written down.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// The generator of identifiers.
    pub fn ids(&self) -> &Ids {
        &self.ids
    }

    /// The knobs as they stand now.
    pub fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets everything but the settings.
    pub fn reset(&self) {
        self.iam.reset();
        self.sts.reset();
        self.eks.reset();
        self.s3.reset();
    }

    /// Turns the knobs.
    pub fn set_settings(&self, settings: Settings) {
        *self
            .settings
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
    }
}

impl std::fmt::Debug for Cloud {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloud").finish_non_exhaustive()
    }
}
