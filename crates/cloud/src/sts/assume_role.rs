//! AssumeRole.
//!
//! Order (E.3 of the reference; pinned in part by snapshots): schema, tag rules, role and trust, session policies, the
//! role's maximum, the cap on chaining, packed size.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use emu_core::{
    Arn,
    journal::{CallerKind, Event},
};

use super::{
    Parameters, Session, Sts,
    issue::{RoleSession, SessionPolicies},
    tags::SessionTags,
    texts,
};
use crate::{
    Access, Call, Cloud, Identity, ServiceError,
    iam::{Role, Tag},
};

/// The longest session of a role assumed with session credentials (snapshot).
const CHAINED: Duration = Duration::from_secs(3_600);
/// Model: the default of DurationSeconds.
const DEFAULT_DURATION: Duration = Duration::from_secs(3_600);

/// The parameters of AssumeRole, with who calls and why.
#[derive(Clone, Debug, Default)]
pub struct AssumeRole {
    /// The request's id.
    pub request_id: String,
    /// 1 for the association role, 2 for the target role, 0 for any other.
    pub hop: u8,
    /// `pod-identity`, `irsa` or `assume-role`.
    pub source: &'static str,
    /// Who calls.
    pub caller: Identity,
    /// The role.
    pub role_arn: String,
    /// The session's name.
    pub session_name: String,
    /// 15 minutes to 12 hours; an hour if absent.
    pub duration: Option<Duration>,
    /// Tags passed.
    pub tags: Vec<Tag>,
    /// Which of them later sessions inherit.
    pub transitive_tag_keys: Vec<String>,
    /// An inline session policy.
    pub policy: Option<String>,
    /// Managed policies used as session policies.
    pub policy_arns: Vec<String>,
    /// The external id.
    pub external_id: Option<String>,
    /// The source identity.
    pub source_identity: Option<String>,
    /// The region of the endpoint.
    pub region: String,
}

impl Sts {
    /// Assumes a role for somebody of whom nothing more is known than the request says.
    ///
    /// # Errors
    /// As AWS answers; with the verdict where a policy decided.
    pub fn assume_role(&self, cloud: &Cloud, request: AssumeRole) -> Result<Session, ServiceError> {
        let call = Call {
            request_id: request.request_id.clone(),
            account: request.caller.caller.account.clone(),
            identity: request.caller.clone(),
            region: request.region.clone(),
            source_ip: None,
            user_agent: None,
            pod: None,
        };
        self.assume_role_for(cloud, &call, request)
    }

    /// Assumes a role for the one who made a call.
    ///
    /// # Errors
    /// As AWS answers; with the verdict where a policy decided.
    pub fn assume_role_for(
        &self,
        cloud: &Cloud,
        call: &Call,
        request: AssumeRole,
    ) -> Result<Session, ServiceError> {
        request.check()?;
        let settings = cloud.settings();
        let caller = &request.caller;
        let tags =
            SessionTags::check(&settings, caller, request.tags, request.transitive_tag_keys)?;
        let source_identity = match (&caller.source_identity, request.source_identity) {
            (Some(set), Some(wanted)) if *set != wanted => return Err(texts::source_identity_set()),
            (Some(set), _) => Some(set.clone()),
            (None, wanted) => wanted,
        };
        let arn: Arn = request
            .role_arn
            .parse()
            .map_err(|_| texts::not_an_arn(&request.role_arn))?;
        if caller.caller.kind == CallerKind::Root && !settings.lenient_roles {
            return Err(texts::root_caller(&settings).because(
                "the caller is the account's root, which cannot assume roles: create a user or a role for it",
            ));
        }
        let mut actions = Vec::with_capacity(3);
        if source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        if !tags.is_empty() {
            actions.push("sts:TagSession");
        }
        actions.push("sts:AssumeRole");
        let role = cloud
            .iam
            .visible_role(cloud, &request.role_arn)
            .ok_or_else(|| {
                texts::not_authorized(&caller.caller.arn, actions[0], &request.role_arn)
                    .because(unknown_role(cloud, &request.role_arn, &arn))
            })?;
        let question = Question {
            request_id: &request.request_id,
            hop: request.hop,
            role: &role,
            tags: &tags,
            context: context(
                &request.session_name,
                request.external_id.as_deref(),
                source_identity.as_deref(),
                &tags,
                request.hop,
            ),
        };
        for action in actions {
            question.ask(cloud, call, action)?;
        }
        let policies =
            SessionPolicies::check(cloud, &role.account, request.policy, request.policy_arns)?;
        let duration = request.duration.unwrap_or(DEFAULT_DURATION);
        let by_service = caller.caller.kind == CallerKind::Service;
        if !by_service && duration.as_secs() > u64::from(role.max_session_seconds) {
            return Err(texts::above_role_maximum());
        }
        if caller.is_session() && duration > CHAINED {
            return Err(texts::above_chaining_cap());
        }
        let packed_policy_size = policies.packed(cloud, &tags)?;
        Ok(self.issue_role_session(
            cloud,
            RoleSession {
                role: &role,
                name: request.session_name,
                duration,
                tags,
                policies,
                source_identity,
                federated_provider: None,
                external_id: request.external_id,
                packed_policy_size,
                request_id: request.request_id,
                hop: request.hop,
                source: request.source,
            },
        ))
    }
}

impl AssumeRole {
    fn check(&self) -> Result<(), ServiceError> {
        Parameters {
            role_arn: Some(&self.role_arn),
            session_name: Some(&self.session_name),
            duration_seconds: self
                .duration
                .map(|d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX)),
            external_id: self.external_id.as_deref(),
            source_identity: self.source_identity.as_deref(),
            policy: self.policy.as_deref(),
            policy_arns: &self.policy_arns,
            tags: &self.tags,
            transitive_tag_keys: &self.transitive_tag_keys,
            web_identity_token: None,
        }
        .check_assume_role()
    }
}

/// Whether a caller may do what it takes to assume a role.
pub(super) struct Question<'a> {
    pub(super) request_id: &'a str,
    pub(super) hop: u8,
    pub(super) role: &'a Arc<Role>,
    pub(super) tags: &'a SessionTags,
    pub(super) context: BTreeMap<String, Vec<String>>,
}

impl Question<'_> {
    /// Asks for one action and writes the verdict down.
    pub(super) fn ask(&self, cloud: &Cloud, call: &Call, action: &str) -> Result<(), ServiceError> {
        let role = self.role;
        let access = Access {
            action: action.into(),
            resource: role.arn.clone(),
            resource_account: role.account.clone(),
            context: self.context.clone(),
            resource_tags: self.tags.over(&role.tags),
            resource_policy: None,
        };
        let verdict = cloud.evaluate_trust(call, &access, role);
        let allowed = verdict.is_allowed();
        let value = serde_json::to_value(&verdict).unwrap_or_default();
        let refusal = (!allowed).then(|| value.clone());
        cloud.journal().record(Event::TrustEvaluated {
            request_id: self.request_id.into(),
            hop: self.hop,
            action: action.into(),
            role_arn: role.arn.clone(),
            caller: call.identity.caller.clone(),
            verdict: value,
        });
        match refusal {
            None => Ok(()),
            Some(value) => {
                let mut error = texts::not_authorized(&call.identity.caller.arn, action, &role.arn)
                    .because(crate::access::in_words(&verdict));
                error.verdict = Some(Box::new(value));
                Err(error)
            }
        }
    }
}

/// The keys of an assume call (G.6, G.7). On the way to a target role inherited tags are offered as request tags as well:
/// published trust policies ask for them there (D.8).
fn context(
    session_name: &str,
    external_id: Option<&str>,
    source_identity: Option<&str>,
    tags: &SessionTags,
    hop: u8,
) -> BTreeMap<String, Vec<String>> {
    let mut context = BTreeMap::from([(
        "sts:RoleSessionName".to_owned(),
        vec![session_name.to_owned()],
    )]);
    let mut optional = |key: &str, value: Option<&str>| {
        if let Some(value) = value {
            context.insert(key.to_owned(), vec![value.to_owned()]);
        }
    };
    optional("sts:ExternalId", external_id);
    optional("sts:SourceIdentity", source_identity);
    let inherited: &[Tag] = if hop == 2 { &tags.inherited } else { &[] };
    let requested: Vec<&Tag> = tags.passed.iter().chain(inherited).collect();
    for (key, value) in &requested {
        context.insert(format!("aws:RequestTag/{key}"), vec![value.clone()]);
    }
    if !requested.is_empty() {
        context.insert(
            "aws:TagKeys".into(),
            requested.iter().map(|(key, _)| key.clone()).collect(),
        );
    }
    let transitive: Vec<String> = tags
        .transitive
        .iter()
        .filter(|key| {
            requested
                .iter()
                .any(|(passed, _)| passed.to_lowercase() == key.to_lowercase())
        })
        .cloned()
        .collect();
    if !transitive.is_empty() {
        context.insert("sts:TransitiveTagKeys".into(), transitive);
    }
    context
}

/// Why a role cannot be found, for the explanation.
fn unknown_role(cloud: &Cloud, text: &str, arn: &Arn) -> String {
    if cloud.iam.role_by_arn(text).is_some() {
        return format!(
            "the role {text} was created, but STS does not know it yet (propagation.iam.role)"
        );
    }
    match cloud.iam.role(&arn.account, arn.name()) {
        Some(role) => format!(
            "there is no role {text}; account {} has {}",
            arn.account, role.arn
        ),
        None => format!("there is no role {text}"),
    }
}
