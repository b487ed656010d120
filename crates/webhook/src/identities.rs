//! Which service accounts have an association, as the webhook is told.

use std::{
    collections::HashSet,
    sync::{Arc, PoisonError, RwLock},
};

use emu_core::{AssociationFeed, AssociationState, ServiceAccountRef};

/// The service accounts that get Pod Identity.
pub trait Identities: Send + Sync + 'static {
    /// What is known of one service account.
    fn state(&self, service_account: &ServiceAccountRef) -> AssociationState;

    /// All service accounts that get Pod Identity now; to tell a near miss.
    fn all(&self) -> Vec<ServiceAccountRef>;
}

/// The identities of one cluster, as the emulator pushes them.
pub struct FeedIdentities {
    feed: Arc<dyn AssociationFeed>,
    cluster: String,
}

impl FeedIdentities {
    /// Follows `feed` for `cluster`.
    pub fn new(feed: Arc<dyn AssociationFeed>, cluster: impl Into<String>) -> Self {
        Self {
            feed,
            cluster: cluster.into(),
        }
    }
}

impl Identities for FeedIdentities {
    fn state(&self, service_account: &ServiceAccountRef) -> AssociationState {
        self.feed.state(&self.cluster, service_account)
    }

    fn all(&self) -> Vec<ServiceAccountRef> {
        self.feed.visible(&self.cluster)
    }
}

/// A list that is replaced as a whole: the identities file.
#[derive(Debug, Default)]
pub struct ListedIdentities(RwLock<HashSet<ServiceAccountRef>>);

impl ListedIdentities {
    /// Replaces the list.
    pub fn replace(&self, identities: HashSet<ServiceAccountRef>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = identities;
    }
}

impl Identities for ListedIdentities {
    fn state(&self, service_account: &ServiceAccountRef) -> AssociationState {
        let listed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if listed.contains(service_account) {
            AssociationState::Visible
        } else {
            AssociationState::Absent
        }
    }

    fn all(&self) -> Vec<ServiceAccountRef> {
        let listed = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<_> = listed.iter().cloned().collect();
        all.sort();
        all
    }
}
