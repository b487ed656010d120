//! GetFederationToken.

use emu_core::{
    Arn,
    journal::{Caller, CallerKind},
};

use super::{
    Parameters, Session, Sts, issue::SessionPolicies, session_token, tags::SessionTags, texts,
};
use crate::{Access, Call, Cloud, Identity, ServiceError, iam::Tag};

/// The parameters of GetFederationToken.
#[derive(Clone, Debug, Default)]
pub struct Federation {
    /// The federated user's name.
    pub name: Option<String>,
    /// 900 to 129600 seconds; 12 hours if absent.
    pub duration_seconds: Option<i64>,
    /// An inline session policy.
    pub policy: Option<String>,
    /// Managed policies used as session policies.
    pub policy_arns: Vec<String>,
    /// Session tags.
    pub tags: Vec<Tag>,
}

/// What GetFederationToken answers.
#[derive(Clone, Debug)]
pub struct FederatedSession {
    /// The session; its role fields hold the federated user's.
    pub session: Session,
    /// Present even without policies and tags, as 0 (snapshot).
    pub packed_policy_size: u32,
}

impl Sts {
    /// GetFederationToken.
    ///
    /// # Errors
    /// If a parameter is not acceptable, the caller has a session, or may not.
    pub fn federation_token(
        &self,
        cloud: &Cloud,
        call: &Call,
        request: Federation,
    ) -> Result<FederatedSession, ServiceError> {
        Parameters {
            duration_seconds: request.duration_seconds,
            policy: request.policy.as_deref(),
            policy_arns: &request.policy_arns,
            tags: &request.tags,
            ..Parameters::default()
        }
        .check_token(Some(request.name.as_deref()))?;
        let name = request.name.unwrap_or_default();
        let caller = &call.identity;
        if caller.is_session() {
            return Err(texts::session_caller("GetFederationToken"));
        }
        let account = &caller.caller.account;
        let tags = SessionTags::check(&cloud.settings(), caller, request.tags, Vec::new())?;
        let arn = Arn::new("sts", "", account, format!("federated-user/{name}")).to_string();
        let mut access = Access {
            action: "sts:GetFederationToken".into(),
            resource: arn.clone(),
            resource_account: account.clone(),
            ..Access::default()
        };
        if !tags.is_empty() {
            access.context.extend(
                tags.passed
                    .iter()
                    .map(|(k, v)| (format!("aws:RequestTag/{k}"), vec![v.clone()])),
            );
            access.context.insert(
                "aws:TagKeys".into(),
                tags.passed.iter().map(|(k, _)| k.clone()).collect(),
            );
            cloud.require(
                call,
                Access {
                    action: "sts:TagSession".into(),
                    ..access.clone()
                },
            )?;
        }
        cloud.require(call, access)?;
        let policies = SessionPolicies::check(cloud, account, request.policy, request.policy_arns)?;
        let packed = policies.packed(cloud, &tags)?;
        let identity = Identity {
            caller: Caller {
                kind: CallerKind::FederatedUser,
                arn,
                account: account.clone(),
                ..Caller::default()
            },
            user_id: format!("{account}:{name}"),
            user_name: caller.user_name.clone(),
            session_tags: tags.map(),
            ..Identity::default()
        };
        let duration = session_token::duration(&caller.caller.kind, request.duration_seconds);
        Ok(FederatedSession {
            session: self.issue(cloud, identity, duration, policies, packed),
            packed_policy_size: packed.unwrap_or(0),
        })
    }
}
