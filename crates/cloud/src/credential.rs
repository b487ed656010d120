//! Access keys as the signature check needs them.

use emu_core::{
    Timestamp,
    journal::{Caller, CallerKind},
};

use crate::{Cloud, Identity};

/// The administrator's key, and the secret of every account's root.
const TEST: &str = "test";

/// What stands behind an access key id.
#[derive(Clone)]
pub struct Credential {
    /// The access key id.
    pub access_key_id: String,
    /// The secret the signature must be made with.
    pub secret_access_key: String,
    /// The session token the request must carry; absent for long-term keys.
    pub session_token: Option<String>,
    /// Whom it makes of its bearer.
    pub identity: Identity,
    /// When it ends; absent for long-term keys.
    pub expires_at: Option<Timestamp>,
    /// Whether it has not been switched off.
    pub active: bool,
    /// Whether the role or user it was issued for still lives; a new one of the same name does not count.
    pub role_alive: bool,
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Credential({}, {})",
            self.access_key_id, self.identity.caller.arn
        )
    }
}

impl Credential {
    fn root(access_key_id: &str, account: &str) -> Self {
        Self {
            access_key_id: access_key_id.into(),
            secret_access_key: TEST.into(),
            session_token: None,
            identity: Identity::root(account, Some(access_key_id.into())),
            expires_at: None,
            active: true,
            role_alive: true,
        }
    }
}

impl Cloud {
    /// Looks an access key up: `test` is the root of the settings' account, twelve digits are the root of that account
    /// (both with the secret `test`); all others are those of users and sessions.
    pub fn find_credential(&self, access_key_id: &str) -> Option<Credential> {
        if let Some(kept) = self.sts.session(access_key_id) {
            let session = &kept.session;
            let identity = session.identity.clone();
            let role_alive = match (&identity.role_id, identity.caller.kind) {
                (Some(id), _) => self.iam.role_lives(id),
                (None, CallerKind::User) => self.iam.arn_of_id(&identity.user_id).is_some(),
                (None, _) => true,
            };
            return Some(Credential {
                access_key_id: session.access_key_id.clone(),
                secret_access_key: session.secret_access_key.clone(),
                session_token: Some(session.session_token.clone()),
                identity,
                expires_at: Some(session.expires_at),
                active: true,
                role_alive,
            });
        }
        if let Some(key) = self.iam.access_key(access_key_id) {
            return Some(Credential {
                access_key_id: key.id.clone(),
                secret_access_key: key.secret.clone(),
                session_token: None,
                identity: Identity {
                    caller: Caller {
                        kind: CallerKind::User,
                        arn: key.user_arn.clone(),
                        account: key.account.clone(),
                        access_key_id: Some(key.id.clone()),
                        ..Caller::default()
                    },
                    user_id: key.user_id.clone(),
                    user_name: Some(key.user_name.clone()),
                    ..Identity::default()
                },
                expires_at: None,
                active: key.active,
                role_alive: true,
            });
        }
        if access_key_id == TEST {
            return Some(Credential::root(access_key_id, &self.settings().account));
        }
        let is_account =
            access_key_id.len() == 12 && access_key_id.bytes().all(|b| b.is_ascii_digit());
        is_account.then(|| Credential::root(access_key_id, access_key_id))
    }
}
