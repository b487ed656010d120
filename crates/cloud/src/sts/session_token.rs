//! GetSessionToken.

use std::time::Duration;

use emu_core::journal::CallerKind;

use super::{Parameters, Session, Sts, issue::SessionPolicies, texts};
use crate::{Call, Cloud, ServiceError};

/// Docs: 12 hours.
const DEFAULT_DURATION: Duration = Duration::from_secs(43_200);
/// Docs: root's sessions last an hour at most.
pub(super) const ROOT_LONGEST: Duration = Duration::from_secs(3_600);

impl Sts {
    /// GetSessionToken. Needs no permission (docs).
    ///
    /// # Errors
    /// If the duration is not acceptable or the caller has a session already.
    pub fn session_token(
        &self,
        cloud: &Cloud,
        call: &Call,
        duration_seconds: Option<i64>,
    ) -> Result<Session, ServiceError> {
        Parameters {
            duration_seconds,
            ..Parameters::default()
        }
        .check_token(None)?;
        if call.identity.is_session() {
            return Err(texts::session_caller("GetSessionToken"));
        }
        let duration = duration(&call.identity.caller.kind, duration_seconds);
        Ok(self.issue(
            cloud,
            call.identity.clone(),
            duration,
            SessionPolicies::default(),
            None,
        ))
    }
}

/// Docs: root gets an hour whatever it asks for beyond.
pub(super) fn duration(kind: &CallerKind, seconds: Option<i64>) -> Duration {
    let wanted = seconds
        .and_then(|s| u64::try_from(s).ok())
        .map_or(DEFAULT_DURATION, Duration::from_secs);
    if *kind == CallerKind::Root {
        wanted.min(ROOT_LONGEST)
    } else {
        wanted
    }
}
