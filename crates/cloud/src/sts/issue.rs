//! Making a session once everything that could speak against it has been asked.

use std::{sync::Arc, time::Duration};

use emu_core::journal::{Caller, Event};
use emu_policy::DocumentKind;

use super::{Session, Sts, store::Kept, tags::SessionTags};
use crate::{
    Cloud, Identity, ServiceError,
    iam::{Document, ManagedPolicy, Role, parse_document},
};

/// Session policies, checked.
#[derive(Clone, Default)]
pub(super) struct SessionPolicies {
    pub(super) text: Option<String>,
    pub(super) parsed: Option<Arc<Document>>,
    pub(super) arns: Vec<String>,
}

impl SessionPolicies {
    /// An inline policy must be a policy, managed ones must exist in the account or be AWS's.
    pub(super) fn check(
        cloud: &Cloud,
        account: &str,
        text: Option<String>,
        arns: Vec<String>,
    ) -> Result<Self, ServiceError> {
        super::schema::check_plain_text(text.as_deref(), &arns)?;
        let parsed = text
            .as_deref()
            .map(|text| parse_document(text, DocumentKind::Session))
            .transpose()?
            .map(Arc::new);
        for arn in &arns {
            let of_account = |policy: &Arc<ManagedPolicy>| {
                let owner = policy.arn.split(':').nth(4).unwrap_or_default();
                owner == "aws" || owner == account
            };
            if cloud.iam.policy(arn).filter(of_account).is_none() {
                return Err(super::texts::no_session_policy(&cloud.settings(), arn));
            }
        }
        Ok(Self { text, parsed, arns })
    }

    /// The packed size of these policies and tags.
    pub(super) fn packed(
        &self,
        cloud: &Cloud,
        tags: &SessionTags,
    ) -> Result<Option<u32>, ServiceError> {
        let settings = cloud.settings();
        super::packed::size(
            &settings,
            self.text.as_deref(),
            self.arns.len(),
            &tags.all(),
            tags.transitive.len(),
        )
    }
}

/// What a role session is made of.
pub(super) struct RoleSession<'a> {
    pub(super) role: &'a Role,
    pub(super) name: String,
    pub(super) duration: Duration,
    pub(super) tags: SessionTags,
    pub(super) policies: SessionPolicies,
    pub(super) source_identity: Option<String>,
    pub(super) federated_provider: Option<String>,
    pub(super) external_id: Option<String>,
    pub(super) packed_policy_size: Option<u32>,
    pub(super) request_id: String,
    pub(super) hop: u8,
    pub(super) source: &'static str,
}

impl Sts {
    /// Issues a role session and writes it down.
    pub(super) fn issue_role_session(&self, cloud: &Cloud, new: RoleSession<'_>) -> Session {
        let role = new.role;
        let identity = Identity {
            caller: Caller {
                kind: emu_core::journal::CallerKind::AssumedRole,
                arn: emu_core::Arn::assumed_role(&role.account, &role.name, &new.name).to_string(),
                account: role.account.clone(),
                access_key_id: None,
                role_arn: Some(role.arn.clone()),
                session_name: Some(new.name.clone()),
            },
            user_id: format!("{}:{}", role.id, new.name),
            role_id: Some(role.id.clone()),
            session_tags: new.tags.map(),
            transitive_tags: new.tags.transitive.clone(),
            source_identity: new.source_identity,
            federated_provider: new.federated_provider,
            ..Identity::default()
        };
        let session = self.issue(
            cloud,
            identity,
            new.duration,
            new.policies,
            new.packed_policy_size,
        );
        cloud.journal().record(Event::SessionIssued {
            request_id: new.request_id,
            hop: new.hop,
            source: new.source.into(),
            access_key_id: session.access_key_id.clone(),
            role_arn: role.arn.clone(),
            account: role.account.clone(),
            session_name: new.name,
            tags: session.identity.session_tags.clone(),
            transitive_tags: session.identity.transitive_tags.clone(),
            external_id: new.external_id,
            issued_at: session.identity.issued_at.unwrap_or_else(|| cloud.now()),
            expires_at: session.expires_at,
            packed_policy_size: session.packed_policy_size,
        });
        session
    }

    /// Issues a session for an identity that says everything but its key and its times.
    pub(super) fn issue(
        &self,
        cloud: &Cloud,
        mut identity: Identity,
        duration: Duration,
        policies: SessionPolicies,
        packed_policy_size: Option<u32>,
    ) -> Session {
        let ids = cloud.ids();
        let now = cloud.now();
        let access_key_id = ids.session_key(&identity.caller.account);
        // Credentials end at a whole second (snapshots).
        let expires_at = now
            .checked_add(duration)
            .unwrap_or(emu_core::Timestamp::MAX);
        let expires_at =
            emu_core::Timestamp::from_second(expires_at.as_second()).unwrap_or(expires_at);
        identity.caller.access_key_id = Some(access_key_id.clone());
        identity.session_policies = policies.text.into_iter().collect();
        identity.session_policy_arns = policies.arns;
        identity.issued_at = Some(now);
        identity.expires_at = Some(expires_at);
        let session = Session {
            access_key_id,
            secret_access_key: ids.secret_key(),
            session_token: ids.session_token(),
            expires_at,
            assumed_role_arn: identity.caller.arn.clone(),
            assumed_role_id: identity.user_id.clone(),
            identity,
            packed_policy_size,
        };
        let kept = Kept {
            session: session.clone(),
            policies: policies.parsed.into_iter().collect(),
        };
        self.keep(kept, now);
        session
    }
}
