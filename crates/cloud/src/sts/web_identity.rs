//! AssumeRoleWithWebIdentity: tokens of clusters and of other registered issuers.

use std::{collections::BTreeMap, time::Duration};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use emu_core::{
    Arn,
    journal::{Caller, CallerKind},
};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde_json::Value;

use super::{
    Parameters, Session, Sts,
    assume_role::Question,
    issue::{RoleSession, SessionPolicies},
    tags::SessionTags,
    texts,
};
use crate::{Call, Cloud, Identity, ServiceError, iam::Tag};

/// The claim that carries session tags (docs).
const TAGS: &str = "https://aws.amazon.com/tags";
/// The claim that carries the source identity (docs).
const SOURCE_IDENTITY: &str = "https://aws.amazon.com/source_identity";
/// How old a token may be. Inferred from the text `Token too old`: a day.
const OLDEST: i64 = 86_400;
/// How far an issuer's clock may be ahead. Inferred.
const LEEWAY: i64 = 300;

/// The parameters of AssumeRoleWithWebIdentity.
#[derive(Clone, Default)]
pub struct WebIdentity {
    /// The role.
    pub role_arn: Option<String>,
    /// The session's name.
    pub session_name: Option<String>,
    /// The token.
    pub token: Option<String>,
    /// 900 to 43200 seconds; an hour if absent.
    pub duration_seconds: Option<i64>,
    /// An inline session policy.
    pub policy: Option<String>,
    /// Managed policies used as session policies.
    pub policy_arns: Vec<String>,
}

impl std::fmt::Debug for WebIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "WebIdentity({:?}, {:?})",
            self.role_arn, self.session_name
        )
    }
}

/// What AssumeRoleWithWebIdentity answers.
#[derive(Clone, Debug)]
pub struct WebIdentitySession {
    /// The session.
    pub session: Session,
    /// The token's subject.
    pub subject: String,
    /// The audience that counted.
    pub audience: String,
    /// The provider's ARN.
    pub provider: String,
}

/// A token's claims, read but not yet believed.
struct Claims {
    issuer: String,
    subject: String,
    audiences: Vec<String>,
    authorized_party: Option<String>,
    expires: i64,
    issued: i64,
    all: Value,
}

impl Claims {
    fn read(token: &str) -> Result<Self, ServiceError> {
        let mut parts = token.split('.');
        let (Some(_), Some(payload), Some(_), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(texts::not_a_jwt());
        };
        let all: Value = URL_SAFE_NO_PAD
            .decode(payload.trim_end_matches('='))
            .ok()
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .filter(Value::is_object)
            .ok_or_else(texts::not_a_jwt)?;
        let text = |claim: &str| {
            all[claim]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| texts::missing_claim(claim))
        };
        let number = |claim: &str| {
            all[claim]
                .as_f64()
                .map(|n| n as i64)
                .ok_or_else(|| texts::missing_claim(claim))
        };
        Ok(Self {
            issuer: text("iss")?,
            subject: text("sub")?,
            audiences: match &all["aud"] {
                Value::String(one) => vec![one.clone()],
                Value::Array(several) => several
                    .iter()
                    .filter_map(|v| v.as_str().map(str::to_owned))
                    .collect(),
                _ => return Err(texts::missing_claim("aud")),
            },
            authorized_party: all["azp"].as_str().map(str::to_owned),
            expires: number("exp")?,
            issued: number("iat")?,
            all,
        })
    }

    /// Docs: with `azp`, that is the audience.
    fn audience(&self) -> Result<&str, ServiceError> {
        match (&self.authorized_party, self.audiences.as_slice()) {
            (Some(party), _) => Ok(party),
            (None, [one]) => Ok(one),
            (None, []) => Err(texts::missing_claim("aud")),
            (None, _) => Err(texts::several_audiences()),
        }
    }

    fn tags(&self) -> (Vec<Tag>, Vec<String>) {
        let claim = &self.all[TAGS];
        let value = |value: &Value| match value {
            Value::Array(list) => list.first().and_then(Value::as_str).map(str::to_owned),
            one => one.as_str().map(str::to_owned),
        };
        let tags = claim["principal_tags"].as_object().into_iter().flatten();
        let keys = claim["transitive_tag_keys"]
            .as_array()
            .into_iter()
            .flatten();
        (
            tags.filter_map(|(key, v)| Some((key.clone(), value(v)?)))
                .collect(),
            keys.filter_map(|key| key.as_str().map(str::to_owned))
                .collect(),
        )
    }
}

impl Sts {
    /// AssumeRoleWithWebIdentity. The request is not signed: the token says who calls.
    ///
    /// # Errors
    /// As AWS answers; with the verdict where the trust policy decided.
    pub fn assume_role_with_web_identity(
        &self,
        cloud: &Cloud,
        call: &Call,
        request: WebIdentity,
    ) -> Result<WebIdentitySession, ServiceError> {
        Parameters {
            role_arn: request.role_arn.as_deref(),
            session_name: request.session_name.as_deref(),
            duration_seconds: request.duration_seconds,
            policy: request.policy.as_deref(),
            policy_arns: &request.policy_arns,
            web_identity_token: request.token.as_deref(),
            ..Parameters::default()
        }
        .check_web_identity()?;
        let role_arn = request.role_arn.unwrap_or_default();
        let session_name = request.session_name.unwrap_or_default();
        let arn: Arn = role_arn.parse().map_err(|_| texts::not_an_arn(&role_arn))?;
        let token = request.token.unwrap_or_default();
        let claims = Claims::read(&token)?;
        let provider = cloud
            .iam
            .provider(&arn.account, &claims.issuer)
            .ok_or_else(|| texts::no_provider(&claims.issuer))?;
        self.verify(cloud, &token, &claims)?;
        let audience = claims.audience()?.to_owned();
        if !provider.client_ids.contains(&audience) {
            return Err(texts::audience().because(format!(
                "the token's audience is {audience}; {} knows {}",
                provider.arn,
                provider.client_ids.join(", ")
            )));
        }
        let role = cloud.iam.visible_role(cloud, &role_arn).ok_or_else(|| {
            texts::web_identity_refused().because(format!("there is no role {role_arn}"))
        })?;
        let caller = Identity {
            caller: Caller {
                kind: CallerKind::WebIdentity,
                arn: provider.arn.clone(),
                ..Caller::default()
            },
            user_id: format!("{}:{audience}:{}", provider.arn, claims.subject),
            federated_provider: Some(provider.arn.clone()),
            ..Identity::anonymous()
        };
        let (passed, transitive) = claims.tags();
        let settings = cloud.settings();
        let tags = SessionTags::check(&settings, &caller, passed, transitive)?;
        let source_identity = claims.all[SOURCE_IDENTITY].as_str().map(str::to_owned);
        let question = Question {
            request_id: &call.request_id,
            hop: 0,
            role: &role,
            tags: &tags,
            context: context(
                &claims,
                &provider.url,
                &audience,
                &session_name,
                source_identity.as_deref(),
                &tags,
            ),
        };
        let asker = Call {
            identity: caller,
            account: arn.account,
            ..call.clone()
        };
        let mut actions = vec!["sts:AssumeRoleWithWebIdentity"];
        if !tags.is_empty() {
            actions.push("sts:TagSession");
        }
        if source_identity.is_some() {
            actions.push("sts:SetSourceIdentity");
        }
        for action in actions {
            // Thread: whatever refuses, the text is the same.
            question
                .ask(cloud, &asker, action)
                .map_err(|refusal| ServiceError {
                    detail: refusal.detail,
                    verdict: refusal.verdict,
                    ..texts::web_identity_refused()
                })?;
        }
        let policies =
            SessionPolicies::check(cloud, &role.account, request.policy, request.policy_arns)?;
        let seconds = request
            .duration_seconds
            .and_then(|s| u64::try_from(s).ok())
            .unwrap_or(3_600);
        if seconds > u64::from(role.max_session_seconds) {
            return Err(texts::above_role_maximum());
        }
        let packed_policy_size = policies.packed(cloud, &tags)?;
        let session = self.issue_role_session(
            cloud,
            RoleSession {
                role: &role,
                name: session_name,
                duration: Duration::from_secs(seconds),
                tags,
                policies,
                source_identity,
                federated_provider: Some(provider.arn.clone()),
                external_id: None,
                packed_policy_size,
                request_id: call.request_id.clone(),
                hop: 0,
                source: "irsa",
            },
        );
        Ok(WebIdentitySession {
            session,
            subject: claims.subject,
            audience,
            provider: provider.arn.clone(),
        })
    }

    /// Key, signature, times.
    fn verify(&self, cloud: &Cloud, token: &str, claims: &Claims) -> Result<(), ServiceError> {
        let settings = cloud.settings();
        let header = jsonwebtoken::decode_header(token).map_err(|_| texts::not_a_jwt())?;
        let allowed = [
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::ES256,
            Algorithm::ES384,
        ];
        if !allowed.contains(&header.alg) {
            return Err(texts::not_validated(&settings)
                .because(format!("the token is signed with {:?}", header.alg)));
        }
        let key = self
            .verification_key(cloud, &claims.issuer, header.kid.as_deref())
            .ok_or_else(|| {
                texts::no_key().because(format!(
                    "no key {:?} of {} is known",
                    header.kid, claims.issuer
                ))
            })?;
        let mut validation = Validation::new(header.alg);
        validation.required_spec_claims.clear();
        validation.validate_aud = false;
        // By the emulator's clock, below.
        validation.validate_exp = false;
        jsonwebtoken::decode::<Value>(token, &key, &validation)
            .map_err(|error| texts::not_validated(&settings).because(error.to_string()))?;
        let now = cloud.now().as_second();
        if now >= claims.expires {
            return Err(texts::expired(now, claims.expires));
        }
        if now - claims.issued > OLDEST + LEEWAY {
            return Err(texts::too_old(now - claims.issued));
        }
        if claims.all["nbf"]
            .as_i64()
            .is_some_and(|nbf| nbf > now + LEEWAY)
        {
            return Err(texts::not_validated(&settings).because("the token is not valid yet"));
        }
        Ok(())
    }

    /// The key of an issuer: of a cluster of ours, or of an issuer registered beside them.
    fn verification_key(
        &self,
        cloud: &Cloud,
        issuer: &str,
        kid: Option<&str>,
    ) -> Option<DecodingKey> {
        if let Some(keys) = self.issuer_keys(issuer) {
            let jwk = match kid {
                Some(kid) => keys.find(kid),
                None => keys.keys.first(),
            };
            return DecodingKey::from_jwk(jwk?).ok();
        }
        let cluster = cloud.eks.by_issuer(cloud, issuer)?;
        let oidc = cloud.eks.oidc(cloud, &cluster).ok()?;
        let jwk = oidc
            .keys
            .iter()
            .find(|key| kid.is_none_or(|kid| key.kid == kid))?;
        DecodingKey::from_rsa_components(&jwk.n, &jwk.e).ok()
    }
}

/// The keys of a web identity call (E.7): `<issuer>:aud`, `:sub`, `:amr`, `:oaud`.
fn context(
    claims: &Claims,
    issuer: &str,
    audience: &str,
    session_name: &str,
    source_identity: Option<&str>,
    tags: &SessionTags,
) -> BTreeMap<String, Vec<String>> {
    let mut context = BTreeMap::from([
        (format!("{issuer}:aud"), vec![audience.to_owned()]),
        (format!("{issuer}:sub"), vec![claims.subject.clone()]),
        (
            "sts:RoleSessionName".to_owned(),
            vec![session_name.to_owned()],
        ),
    ]);
    if claims.authorized_party.is_some() {
        context.insert(format!("{issuer}:oaud"), claims.audiences.clone());
    }
    let methods = claims.all["amr"].as_array().into_iter().flatten();
    let methods: Vec<String> = methods
        .filter_map(|v| v.as_str().map(str::to_owned))
        .collect();
    if !methods.is_empty() {
        context.insert(format!("{issuer}:amr"), methods);
    }
    if let Some(identity) = source_identity {
        context.insert("sts:SourceIdentity".into(), vec![identity.into()]);
    }
    for (key, value) in &tags.passed {
        context.insert(format!("aws:RequestTag/{key}"), vec![value.clone()]);
    }
    if !tags.passed.is_empty() {
        context.insert(
            "aws:TagKeys".into(),
            tags.passed.iter().map(|(key, _)| key.clone()).collect(),
        );
    }
    if !tags.transitive.is_empty() {
        context.insert("sts:TransitiveTagKeys".into(), tags.transitive.clone());
    }
    context
}
