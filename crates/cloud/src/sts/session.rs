//! A session as it is handed out, and who its bearer is.

use emu_core::Timestamp;

use crate::Identity;

/// Temporary credentials with what belongs to them.
#[derive(Clone)]
pub struct Session {
    /// `ASIA…`.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: String,
    /// When they end.
    pub expires_at: Timestamp,
    /// `arn:aws:sts::…:assumed-role/…`; the principal's own ARN where no role was assumed.
    pub assumed_role_arn: String,
    /// `AROA…:session`; the principal's own id where no role was assumed.
    pub assumed_role_id: String,
    /// Whom they make of their bearer.
    pub identity: Identity,
    /// How much of the packed size policies and tags take, in percent; absent if there are none.
    pub packed_policy_size: Option<u32>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Session({}, {})",
            self.access_key_id, self.assumed_role_arn
        )
    }
}

/// The answer of GetCallerIdentity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallerIdentity {
    /// The principal's ARN.
    pub arn: String,
    /// Its id.
    pub user_id: String,
    /// Its account.
    pub account: String,
}

impl From<&Identity> for CallerIdentity {
    fn from(identity: &Identity) -> Self {
        Self {
            arn: identity.caller.arn.clone(),
            user_id: identity.user_id.clone(),
            account: identity.caller.account.clone(),
        }
    }
}
