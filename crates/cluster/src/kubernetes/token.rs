//! Tokens of a real cluster: who issues them, with which keys, and one by hand.

use k8s_openapi::api::{
    authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec},
    core::v1::{Pod, ServiceAccount},
};
use kube::{Api, Client, api::PostParams};
use serde::Deserialize;
use serde_json::Value;

use super::Error;

/// What `/.well-known/openid-configuration` says.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Discovery {
    /// The `iss` of tokens.
    pub issuer: String,
    /// Where the keys are, as the API server names it; perhaps of no use from here.
    pub jwks_uri: String,
}

async fn get(client: &Client, path: &str) -> Result<String, Error> {
    let request = http::Request::get(path)
        .body(Vec::new())
        .map_err(|e| Error::Object(e.to_string()))?;
    Ok(client.request_text(request).await?)
}

/// The cluster's issuer.
///
/// # Errors
/// When the API server refuses.
pub async fn discovery(client: &Client) -> Result<Discovery, Error> {
    let text = get(client, "/.well-known/openid-configuration").await?;
    serde_json::from_str(&text).map_err(|e| Error::Object(format!("the issuer's discovery: {e}")))
}

/// The public keys that verify the cluster's tokens (a JWK set).
///
/// # Errors
/// When the API server refuses.
pub async fn jwks(client: &Client) -> Result<Value, Error> {
    let text = get(client, "/openid/v1/jwks").await?;
    serde_json::from_str(&text).map_err(|e| Error::Object(format!("the issuer's keys: {e}")))
}

/// A token by hand, as `kubectl create token` makes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mint<'a> {
    /// The service account's namespace.
    pub namespace: &'a str,
    /// The service account.
    pub service_account: &'a str,
    /// The audiences.
    pub audiences: Vec<String>,
    /// How long it is to live; at least 600.
    pub seconds: i64,
    /// The pod it is bound to.
    pub pod: Option<&'a str>,
}

/// Mints a token; returns it with the time at which it ends (RFC 3339).
///
/// # Errors
/// When the API server refuses.
pub async fn mint(client: &Client, mint: &Mint<'_>) -> Result<(String, String), Error> {
    let bound = match mint.pod {
        Some(name) => {
            let pods: Api<Pod> = Api::namespaced(client.clone(), mint.namespace);
            let pod = pods.get(name).await?;
            Some(BoundObjectReference {
                api_version: Some("v1".into()),
                kind: Some("Pod".into()),
                name: Some(name.to_owned()),
                uid: pod.metadata.uid,
            })
        }
        None => None,
    };
    let request = TokenRequest {
        spec: TokenRequestSpec {
            audiences: mint.audiences.clone(),
            expiration_seconds: Some(mint.seconds),
            bound_object_ref: bound,
        },
        ..TokenRequest::default()
    };
    let api: Api<ServiceAccount> = Api::namespaced(client.clone(), mint.namespace);
    let answer = api
        .create_token_request(mint.service_account, &PostParams::default(), &request)
        .await?;
    let status = answer
        .status
        .ok_or_else(|| Error::Object("the API server answered without a token".into()))?;
    let until = serde_json::to_value(&status.expiration_timestamp)
        .ok()
        .and_then(|v| v.as_str().map(str::to_owned))
        .unwrap_or_default();
    Ok((status.token, until))
}
