//! AssumeRoleForPodIdentity.

use emu_core::{
    ServiceAccountRef,
    journal::{ErrorSummary, Event, PodRef},
};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    AUDIENCE, session_name, texts,
    token::{self, Claims},
};
use crate::{
    Access, Call, Cloud, Identity, ServiceError,
    eks::{Association, ClusterKey, Epoch, PODS},
    sts::{AssumeRole, Session},
};

/// The request's body, and the cluster's name from the path. The three last members came with the model of late 2026; they
/// are accepted and not required.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct Request {
    #[serde(skip)]
    pub cluster_name: String,
    pub token: Option<String>,
    pub eks_node_name: Option<String>,
    pub instance_id: Option<String>,
    pub zone: Option<String>,
}

/// The answer (model).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Response {
    /// Namespace and service account.
    pub subject: ServiceAccountRef,
    /// `pods.eks.amazonaws.com`.
    pub audience: &'static str,
    /// `associationArn`, `associationId`.
    pub pod_identity_association: serde_json::Value,
    /// `arn`, `assumeRoleId` (so spelled).
    pub assumed_role_user: serde_json::Value,
    /// `sessionToken`, `secretAccessKey`, `accessKeyId`, `expiration` in epoch seconds.
    pub credentials: serde_json::Value,
}

/// What the journal wants to know, whatever comes of it.
#[derive(Default)]
struct Trail {
    service_account: Option<ServiceAccountRef>,
    pod: Option<PodRef>,
    association_id: Option<String>,
    access_key_id: Option<String>,
}

/// Checks node, token and association, and has STS assume the role and perhaps the target role.
///
/// # Errors
/// As the model says; texts in `texts.rs`.
pub fn assume_role_for_pod_identity(
    cloud: &Cloud,
    call: &Call,
    request: &Request,
) -> Result<Response, ServiceError> {
    let mut trail = Trail::default();
    let outcome = assume(cloud, call, request, &mut trail);
    let error = outcome.as_ref().err();
    cloud.journal().record(Event::AuthCall {
        request_id: call.request_id.clone(),
        cluster: request.cluster_name.clone(),
        caller: call.identity.caller.clone(),
        service_account: trail.service_account,
        pod: trail.pod,
        association_id: trail.association_id,
        status: error.map_or(200, |e| e.status),
        error: error.map(|e| ErrorSummary {
            code: e.code.to_string(),
            message: e.message.clone(),
        }),
        detail: error.and_then(|e| e.detail.clone()),
        access_key_id: trail.access_key_id,
    });
    outcome
}

fn assume(
    cloud: &Cloud,
    call: &Call,
    request: &Request,
    trail: &mut Trail,
) -> Result<Response, ServiceError> {
    let settings = cloud.settings();
    let token = request.token.as_deref().unwrap_or_default();
    let cluster = request.cluster_name.as_str();
    if let Some(claims) = token::unverified(cluster, token) {
        trail.service_account = Some(claims.service_account);
        trail.pod = Some(claims.pod);
    }
    let key = ClusterKey::of(call, cluster);
    let tags = cloud.eks.cluster_tags(&key);
    cloud.require(
        call,
        Access {
            action: "eks-auth:AssumeRoleForPodIdentity".into(),
            resource: key.arn(),
            resource_account: key.account.clone(),
            resource_tags: tags,
            ..Access::default()
        },
    )?;
    check_patterns(cloud, cluster, token)?;
    let oidc = cloud
        .eks
        .oidc(cloud, &key)
        .map_err(|_| texts::no_cluster(&settings, cluster))?;
    let claims = token::verify(cloud, &key, &oidc, token)?;
    let association = cloud
        .eks
        .association_for_auth(cloud, &key, &claims.service_account)
        .ok_or_else(|| {
            texts::no_association(
                &settings,
                cluster,
                &claims.service_account.namespace,
                &claims.service_account.service_account,
            )
            .because(absent(cloud, &key, &claims.service_account))
        })?;
    trail.association_id = Some(association.association_id.clone());
    let session = sessions(cloud, call, &key, &association, &claims)?;
    trail.access_key_id = Some(session.access_key_id.clone());
    Ok(Response {
        subject: claims.service_account,
        audience: AUDIENCE,
        pod_identity_association: json!({
            "associationArn": association.association_arn, "associationId": association.association_id,
        }),
        assumed_role_user: json!({ "arn": session.assumed_role_arn, "assumeRoleId": session.assumed_role_id }),
        credentials: json!({
            "sessionToken": session.session_token, "secretAccessKey": session.secret_access_key,
            "accessKeyId": session.access_key_id, "expiration": Epoch(session.expires_at),
        }),
    })
}

/// Hop 1, and hop 2 where there is a target role.
fn sessions(
    cloud: &Cloud,
    call: &Call,
    key: &ClusterKey,
    association: &Association,
    claims: &Claims,
) -> Result<Session, ServiceError> {
    let settings = cloud.settings();
    let tags = if association.disable_session_tags {
        Vec::new()
    } else {
        session_tags(key, claims)
    };
    let chained = association.target_role_arn.is_some();
    let first = AssumeRole {
        request_id: call.request_id.clone(),
        hop: 1,
        source: "pod-identity",
        caller: Identity::service(PODS, Some(key.arn()), Some(key.account.clone())),
        role_arn: association.role_arn.clone(),
        session_name: session_name(&key.name, &claims.pod.name, cloud.ids().uuid()),
        duration: Some(settings.lifetimes.credentials.get()),
        transitive_tag_keys: tags.iter().map(|(key, _)| key.clone()).collect(),
        tags,
        policy: association.policy.clone().filter(|_| !chained),
        policy_arns: Vec::new(),
        external_id: None,
        source_identity: None,
        region: call.region.clone(),
    };
    let session = cloud
        .sts
        .assume_role(cloud, first)
        .map_err(|e| refused(texts::trust(&settings), e, &association.role_arn))?;
    let Some(target) = &association.target_role_arn else {
        return Ok(session);
    };
    let second = AssumeRole {
        request_id: call.request_id.clone(),
        hop: 2,
        source: "pod-identity",
        caller: session.identity,
        role_arn: target.clone(),
        session_name: session_name(&key.name, &claims.pod.name, cloud.ids().uuid()),
        duration: Some(settings.lifetimes.target_credentials.get()),
        // They are transitive, so they arrive without being passed again.
        tags: Vec::new(),
        transitive_tag_keys: Vec::new(),
        policy: association.policy.clone(),
        policy_arns: Vec::new(),
        external_id: association.external_id.clone(),
        source_identity: None,
        region: call.region.clone(),
    };
    cloud
        .sts
        .assume_role(cloud, second)
        .map_err(|e| refused(texts::target_trust(&settings), e, target))
}

/// Puts AWS's one sentence in place of STS's, and keeps what STS knew. Errors that are no refusal pass as they are.
fn refused(sentence: ServiceError, error: ServiceError, role_arn: &str) -> ServiceError {
    if error.status != 403 {
        return error;
    }
    ServiceError {
        detail: Some(
            error
                .detail
                .unwrap_or_else(|| format!("{role_arn}: {}", error.message)),
        ),
        verdict: error.verdict,
        ..sentence
    }
}

/// The six, in this order (docs, threads).
fn session_tags(key: &ClusterKey, claims: &Claims) -> Vec<(String, String)> {
    [
        ("eks-cluster-arn", key.arn()),
        ("eks-cluster-name", key.name.clone()),
        (
            "kubernetes-namespace",
            claims.service_account.namespace.clone(),
        ),
        (
            "kubernetes-service-account",
            claims.service_account.service_account.clone(),
        ),
        ("kubernetes-pod-name", claims.pod.name.clone()),
        ("kubernetes-pod-uid", claims.pod.uid.clone()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into()
}

/// Model: cluster name and token patterns.
fn check_patterns(cloud: &Cloud, cluster: &str, token: &str) -> Result<(), ServiceError> {
    let settings = cloud.settings();
    let name_ok = cluster.starts_with(|c: char| c.is_ascii_alphanumeric())
        && cluster.len() <= 100
        && cluster
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if !name_ok {
        return Err(texts::invalid_parameter(
            &settings,
            "The cluster name in the request is not valid.",
        ));
    }
    let part_ok = |part: &str| {
        !part.is_empty()
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '='))
    };
    if token.split('.').count() != 3 || !token.split('.').all(part_ok) {
        return Err(texts::invalid_parameter(
            &settings,
            "The token in the request is not valid.",
        ));
    }
    Ok(())
}

/// Why there is no association: the nearest one.
fn absent(cloud: &Cloud, key: &ClusterKey, wanted: &ServiceAccountRef) -> String {
    let all = cloud.eks.associations(key);
    if all.iter().any(|a| a.service_account_ref() == *wanted) {
        return "the association exists but has not reached EKS Auth yet (propagation.association.auth)".into();
    }
    let near = all
        .iter()
        .find(|a| a.service_account == wanted.service_account || a.namespace == wanted.namespace);
    match near {
        Some(near) if near.namespace == wanted.namespace => format!(
            "cluster {} has no association for {wanted}; the nearest one is for service account {} in the same namespace",
            key.name, near.service_account
        ),
        Some(near) => format!(
            "cluster {} has no association for {wanted}; the nearest one is for the same service account in namespace {}",
            key.name, near.namespace
        ),
        None => format!("cluster {} has no association for {wanted}", key.name),
    }
}
