//! Associations as the webhook gets to know them.

use std::sync::Arc;

use emu_core::{AssociationFeed, AssociationState, ServiceAccountRef};

use super::store::later;
use crate::Cloud;

/// The list of associations that EKS pushes to the webhooks of its clusters, propagation delay included.
#[derive(Clone, Debug)]
pub struct Feed(pub Arc<Cloud>);

impl AssociationFeed for Feed {
    fn visible(&self, cluster: &str) -> Vec<ServiceAccountRef> {
        let now = self.0.now();
        let delay = self.0.settings().propagation.association_webhook;
        let clusters = self.0.eks.read();
        let mut seen: Vec<ServiceAccountRef> = clusters
            .iter()
            .filter(|(key, stored)| key.name == cluster && !stored.cluster.is_gone(now))
            .flat_map(|(_, stored)| {
                let living = stored
                    .associations
                    .values()
                    .filter(|r| later(r.association.created_at.0, delay) <= now);
                let dying = stored.tombstones.iter().filter(|r| {
                    later(r.association.created_at.0, delay) <= now
                        && r.deleted_at.is_some_and(|at| later(at, delay) > now)
                });
                living
                    .chain(dying)
                    .map(|r| r.association.service_account_ref())
            })
            .collect();
        seen.sort();
        seen.dedup();
        seen
    }

    fn state(&self, cluster: &str, service_account: &ServiceAccountRef) -> AssociationState {
        if self.visible(cluster).contains(service_account) {
            return AssociationState::Visible;
        }
        let now = self.0.now();
        let exists = self
            .0
            .eks
            .read()
            .iter()
            .filter(|(key, stored)| key.name == cluster && !stored.cluster.is_gone(now))
            .flat_map(|(_, stored)| stored.associations.values())
            .any(|r| r.association.service_account_ref() == *service_account);
        if exists {
            AssociationState::NotPropagated
        } else {
            AssociationState::Absent
        }
    }
}
