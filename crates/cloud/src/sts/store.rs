//! Where sessions are kept.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use emu_core::Timestamp;
use jsonwebtoken::jwk::JwkSet;

use super::Session;
use crate::iam::Document;

/// How long an expired session is remembered, so that its use answers `ExpiredToken` and not `InvalidClientTokenId`.
/// Thread: what expired long ago may be reported as invalid.
const REMEMBERED: Duration = Duration::from_secs(24 * 3_600);
/// At how many sessions the first sweep happens.
const FIRST_SWEEP: usize = 1_024;

/// The sessions of all accounts, and the keys of identity providers beside EKS's.
#[derive(Default)]
pub struct Sts {
    sessions: RwLock<Sessions>,
    issuers: RwLock<HashMap<String, Arc<JwkSet>>>,
}

#[derive(Default)]
struct Sessions {
    by_key: HashMap<String, Arc<Kept>>,
    next_sweep: usize,
}

/// A session with its policies as the policy engine wants them.
pub(crate) struct Kept {
    pub(crate) session: Session,
    /// The inline session policy.
    pub(crate) policies: Vec<Arc<Document>>,
}

impl std::fmt::Debug for Sts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        write!(f, "Sts({} sessions)", sessions.by_key.len())
    }
}

impl Sts {
    /// The session behind an access key id.
    pub(crate) fn session(&self, access_key_id: &str) -> Option<Arc<Kept>> {
        let sessions = self.sessions.read().unwrap_or_else(PoisonError::into_inner);
        sessions.by_key.get(access_key_id).cloned()
    }

    /// Keeps a session, and forgets those that expired long ago when there are many.
    pub(super) fn keep(&self, kept: Kept, now: Timestamp) {
        let mut sessions = self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if sessions.by_key.len() >= sessions.next_sweep.max(FIRST_SWEEP) {
            let limit = now.checked_sub(REMEMBERED).unwrap_or(Timestamp::MIN);
            sessions
                .by_key
                .retain(|_, kept| kept.session.expires_at > limit);
            sessions.next_sweep = sessions.by_key.len() * 2;
        }
        sessions
            .by_key
            .insert(kept.session.access_key_id.clone(), Arc::new(kept));
    }

    /// Makes the keys of an issuer known that is no cluster of ours; its tokens then count where an IAM provider names it.
    pub fn register_issuer(&self, issuer: &str, keys: JwkSet) {
        let mut issuers = self.issuers.write().unwrap_or_else(PoisonError::into_inner);
        issuers.insert(issuer.trim_end_matches('/').into(), Arc::new(keys));
    }

    pub(super) fn issuer_keys(&self, issuer: &str) -> Option<Arc<JwkSet>> {
        let issuers = self.issuers.read().unwrap_or_else(PoisonError::into_inner);
        issuers.get(issuer.trim_end_matches('/')).cloned()
    }

    /// Forgets everything.
    pub fn reset(&self) {
        *self
            .sessions
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Sessions::default();
        self.issuers
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
