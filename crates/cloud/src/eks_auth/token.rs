//! The token of a pod, verified against its cluster's keys.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use emu_core::{ServiceAccountRef, Timestamp, journal::PodRef};
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde_json::Value;

use super::texts;
use crate::{
    Cloud, ServiceError,
    eks::{ClusterKey, Oidc},
};

/// What a good token says.
#[derive(Clone, Debug)]
pub(super) struct Claims {
    pub(super) service_account: ServiceAccountRef,
    pub(super) pod: PodRef,
}

#[derive(Deserialize)]
struct Header {
    #[serde(default)]
    alg: String,
    kid: Option<String>,
}

/// What can be read of a token before anything about it is believed; for the journal.
pub(super) fn unverified(cluster: &str, token: &str) -> Option<Claims> {
    let payload = token.split('.').nth(1)?;
    let bytes = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    claims(cluster, &serde_json::from_slice(&bytes).ok()?)
}

fn claims(cluster: &str, payload: &Value) -> Option<Claims> {
    let kubernetes = &payload["kubernetes.io"];
    let text = |value: &Value| value.as_str().filter(|s| !s.is_empty()).map(str::to_owned);
    let namespace = text(&kubernetes["namespace"])?;
    Some(Claims {
        service_account: ServiceAccountRef::new(
            &namespace,
            text(&kubernetes["serviceaccount"]["name"])?,
        ),
        pod: PodRef {
            cluster: cluster.into(),
            namespace,
            name: text(&kubernetes["pod"]["name"])?,
            uid: text(&kubernetes["pod"]["uid"])?,
        },
    })
}

/// Checks 5 to 10 of `aws-side.md`, D.5, in that order; then whether the pod still is (inferred).
pub(super) fn verify(
    cloud: &Cloud,
    key: &ClusterKey,
    oidc: &Oidc,
    token: &str,
) -> Result<Claims, ServiceError> {
    let settings = cloud.settings();
    let invalid = |detail: String| texts::invalid_token(&settings, detail);
    let mut parts = token.split('.');
    let (Some(header), Some(payload), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(invalid("the token does not have three parts".into()));
    };
    let decode = |part: &str, what: &str| {
        URL_SAFE_NO_PAD
            .decode(part.trim_end_matches('='))
            .map_err(|e| invalid(format!("the token's {what} is not base64url: {e}")))
    };
    let read = |part: &str, what: &str| -> Result<Value, ServiceError> {
        serde_json::from_slice(&decode(part, what)?)
            .map_err(|e| invalid(format!("the token's {what} is not JSON: {e}")))
    };
    let header: Header = serde_json::from_value(read(header, "header")?)
        .map_err(|e| invalid(format!("the token's header is not one: {e}")))?;
    if header.alg != "RS256" {
        return Err(invalid(format!(
            "the token is signed with `{}`, not RS256",
            header.alg
        )));
    }
    let kid = header.kid.unwrap_or_default();
    let Some(jwk) = oidc.keys.iter().find(|k| k.kid == kid) else {
        return Err(invalid(format!(
            "the token is signed with key `{kid}`, which is none of cluster {}'s{}",
            key.name,
            other_cluster(cloud, payload)
        )));
    };
    let public = DecodingKey::from_rsa_components(&jwk.n, &jwk.e)
        .map_err(|e| invalid(format!("the cluster's key cannot be used: {e}")))?;
    let signed_length = token.len() - signature.len() - 1;
    match crypto::verify(
        signature.trim_end_matches('='),
        &token.as_bytes()[..signed_length],
        &public,
        Algorithm::RS256,
    ) {
        Ok(true) => {}
        _ => {
            return Err(invalid(
                "the token's signature does not fit: it was changed after it was signed".into(),
            ));
        }
    }
    let payload = read(payload, "claims")?;
    let issuer = payload["iss"].as_str().unwrap_or_default();
    if issuer != oidc.issuer {
        return Err(invalid(format!(
            "the token's issuer is `{issuer}`, the cluster's `{}`",
            oidc.issuer
        )));
    }
    let audiences: Vec<&str> = match &payload["aud"] {
        Value::String(one) => vec![one],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !audiences.contains(&crate::eks_auth::AUDIENCE) {
        return Err(invalid(format!(
            "the token is for {audiences:?}, not for {}",
            crate::eks_auth::AUDIENCE
        )));
    }
    let now = cloud.now();
    let time = |name: &str| {
        payload[name]
            .as_f64()
            .and_then(|s| Timestamp::from_millisecond((s * 1_000.0) as i64).ok())
    };
    match time("exp") {
        None => return Err(invalid("the token does not say when it expires".into())),
        Some(expiry) if expiry <= now => return Err(texts::expired(&settings, now, expiry)),
        Some(_) => {}
    }
    if let Some(from) = time("nbf").filter(|from| *from > now) {
        return Err(invalid(format!("the token is not valid before {from}")));
    }
    let claims = claims(&key.name, &payload)
        .ok_or_else(|| invalid("the token is not bound to a pod: its kubernetes.io claims lack namespace, service account or pod".into()))?;
    let subject = payload["sub"].as_str().unwrap_or_default();
    let expected = format!(
        "system:serviceaccount:{}:{}",
        claims.service_account.namespace, claims.service_account.service_account
    );
    if subject != expected {
        return Err(invalid(format!(
            "the token's subject is `{subject}`, its kubernetes.io claims say `{expected}`"
        )));
    }
    if !settings.tokens_outlive_pods && cloud.gone_pods.has(cloud.journal(), &claims.pod.uid) {
        return Err(invalid(format!(
            "the token is that of pod {}/{}, which is no more",
            claims.pod.namespace, claims.pod.name
        )));
    }
    Ok(claims)
}

fn other_cluster(cloud: &Cloud, payload: &str) -> String {
    let issuer = URL_SAFE_NO_PAD
        .decode(payload)
        .ok()
        .and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok())
        .and_then(|payload| payload["iss"].as_str().map(str::to_owned));
    match issuer.and_then(|issuer| cloud.eks.by_issuer(cloud, &issuer)) {
        Some(other) => format!("; it is a token of cluster {}", other.name),
        None => String::new(),
    }
}
