//! The state of EKS.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use emu_core::{Timestamp, journal::Event};

use super::{
    addon::Addon,
    association::Record,
    cluster::Cluster,
    keys::{self, SigningKey},
    oidc::{Jwk, Oidc},
    texts,
};
use crate::{Call, Cloud, ServiceError};

/// What identifies a cluster.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClusterKey {
    /// The owner.
    pub account: String,
    /// The region.
    pub region: String,
    /// The name.
    pub name: String,
}

/// Clusters, add-ons and associations of all accounts and regions.
#[derive(Default)]
pub struct Eks {
    clusters: RwLock<BTreeMap<ClusterKey, Stored>>,
    keys_used: AtomicUsize,
}

/// A cluster with what belongs to it.
pub(super) struct Stored {
    pub(super) cluster: Cluster,
    /// Which key of the process signs its tokens; decided when a token is first needed.
    pub(super) key: Option<usize>,
    /// Keys read from a real cluster; they replace the pooled one.
    pub(super) registered: Option<Oidc>,
    pub(super) associations: BTreeMap<String, Record>,
    /// Deleted ones that may still be seen somewhere.
    pub(super) tombstones: Vec<Record>,
    pub(super) addons: BTreeMap<String, Addon>,
    pub(super) updates: BTreeMap<String, serde_json::Value>,
    /// By client request token: what was asked (hashed) and what came of it.
    pub(super) tokens: HashMap<String, (u64, String)>,
}

impl std::fmt::Debug for Eks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Eks({} clusters)", self.read().len())
    }
}

impl Eks {
    pub(super) fn read(&self) -> RwLockReadGuard<'_, BTreeMap<ClusterKey, Stored>> {
        self.clusters.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<ClusterKey, Stored>> {
        self.clusters
            .write()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads a cluster that exists at this moment.
    pub(super) fn with<T>(
        &self,
        cloud: &Cloud,
        key: &ClusterKey,
        f: impl FnOnce(&Stored) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let now = cloud.now();
        match self.read().get(key).filter(|s| !s.cluster.is_gone(now)) {
            Some(stored) => f(stored),
            None => Err(texts::no_cluster(&key.name)),
        }
    }

    /// Changes a cluster that exists at this moment.
    pub(super) fn with_mut<T>(
        &self,
        cloud: &Cloud,
        key: &ClusterKey,
        f: impl FnOnce(&mut Stored) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let now = cloud.now();
        match self
            .write()
            .get_mut(key)
            .filter(|s| !s.cluster.is_gone(now))
        {
            Some(stored) => f(stored),
            None => Err(texts::no_cluster(&key.name)),
        }
    }

    /// The clusters that exist now.
    pub fn clusters(&self, cloud: &Cloud) -> Vec<(ClusterKey, Cluster)> {
        let now = cloud.now();
        self.read()
            .iter()
            .filter(|(_, stored)| !stored.cluster.is_gone(now))
            .map(|(key, stored)| (key.clone(), stored.cluster.clone()))
            .collect()
    }

    /// Finds a cluster by name alone, in whatever account and region; the first in order if there are several.
    pub fn find(&self, cloud: &Cloud, name: &str) -> Option<(ClusterKey, Cluster)> {
        let now = cloud.now();
        self.read()
            .iter()
            .find(|(key, stored)| key.name == name && !stored.cluster.is_gone(now))
            .map(|(key, stored)| (key.clone(), stored.cluster.clone()))
    }

    /// The key that signs the cluster's service account tokens, made on first use.
    ///
    /// # Errors
    /// If the cluster does not exist, or its keys are a real cluster's and only their public part is known.
    pub fn signing_key(&self, cloud: &Cloud, key: &ClusterKey) -> Result<SigningKey, ServiceError> {
        let (issuer, n) = self.with_mut(cloud, key, |stored| {
            if stored.registered.is_some() {
                return Err(ServiceError::new(
                    "InvalidRequestException",
                    400,
                    format!("Cluster {} signs its own tokens", key.name),
                ));
            }
            let n = *stored
                .key
                .get_or_insert_with(|| self.keys_used.fetch_add(1, Relaxed));
            Ok((stored.cluster.issuer().to_owned(), n))
        })?;
        let pooled = keys::pooled(n).map_err(|e| ServiceError::new("ServerException", 500, e))?;
        Ok(SigningKey {
            kid: pooled.kid(&issuer),
            pem: pooled.pem,
            issuer,
        })
    }

    /// Takes a real cluster's issuer and public keys for a cluster of ours.
    ///
    /// # Errors
    /// If the cluster does not exist.
    pub fn register_oidc(
        &self,
        cloud: &Cloud,
        key: &ClusterKey,
        issuer: &str,
        keys: Vec<Jwk>,
    ) -> Result<(), ServiceError> {
        self.with_mut(cloud, key, |stored| {
            stored.cluster.set_issuer(issuer);
            stored.registered = Some(Oidc {
                issuer: issuer.into(),
                keys,
            });
            Ok(())
        })
    }

    /// A cluster's issuer and public keys.
    ///
    /// # Errors
    /// If the cluster does not exist.
    pub fn oidc(&self, cloud: &Cloud, key: &ClusterKey) -> Result<Oidc, ServiceError> {
        let (issuer, registered, n) = self.with(cloud, key, |stored| {
            Ok((
                stored.cluster.issuer().to_owned(),
                stored.registered.clone(),
                stored.key,
            ))
        })?;
        if let Some(registered) = registered {
            return Ok(registered);
        }
        let keys = match n {
            Some(n) => {
                let pooled =
                    keys::pooled(n).map_err(|e| ServiceError::new("ServerException", 500, e))?;
                vec![pooled.jwk(&issuer)]
            }
            // Nothing was ever signed for this cluster.
            None => Vec::new(),
        };
        Ok(Oidc { issuer, keys })
    }

    /// The cluster whose issuer this is.
    pub fn by_issuer(&self, cloud: &Cloud, issuer: &str) -> Option<ClusterKey> {
        let now = cloud.now();
        self.read()
            .iter()
            .find(|(_, stored)| stored.cluster.issuer() == issuer && !stored.cluster.is_gone(now))
            .map(|(key, _)| key.clone())
    }

    /// A cluster's tags; none if there is no such cluster.
    pub fn cluster_tags(&self, key: &ClusterKey) -> BTreeMap<String, String> {
        self.read()
            .get(key)
            .map(|stored| stored.cluster.tags.clone())
            .unwrap_or_default()
    }

    /// Forgets everything.
    pub fn reset(&self) {
        self.write().clear();
    }
}

impl ClusterKey {
    /// The cluster of that name in the caller's account and the endpoint's region.
    pub fn of(call: &Call, name: &str) -> Self {
        Self {
            account: call.account.clone(),
            region: call.region.clone(),
            name: name.into(),
        }
    }

    /// Its ARN.
    pub fn arn(&self) -> String {
        emu_core::Arn::cluster(&self.region, &self.account, &self.name).to_string()
    }
}

/// Writes down that a cluster has come or gone.
pub(super) fn record_cluster(cloud: &Cloud, key: &ClusterKey, created: bool) {
    cloud.journal().record(if created {
        Event::ClusterCreated {
            cluster: key.name.clone(),
            arn: key.arn(),
        }
    } else {
        Event::ClusterDeleted {
            cluster: key.name.clone(),
        }
    });
}

/// `time` plus a duration, for propagation.
pub(super) fn later(time: Timestamp, span: emu_core::Span) -> Timestamp {
    time.checked_add(
        jiff::SignedDuration::try_from(span.get()).unwrap_or(jiff::SignedDuration::ZERO),
    )
    .unwrap_or(Timestamp::MAX)
}
