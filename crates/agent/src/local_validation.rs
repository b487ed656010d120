//! Profile 0.2: a rotated token is checked here, against the cluster's public keys, instead of by EKS Auth.

use std::{collections::HashMap, sync::Arc};

use async_trait::async_trait;
use emu_core::Timestamp;
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use tokio::sync::{Mutex, RwLock};

use crate::{
    go::json::{self, Value},
    jwt,
};

/// The audience that the webhook asks for. Source: the agent.
const AUDIENCE: &str = "pods.eks.amazonaws.com";

/// Where the cluster's public keys come from.
#[async_trait]
pub trait KeySource: Send + Sync + 'static {
    /// The key set, as JSON.
    ///
    /// # Errors
    /// In words.
    async fn key_set(&self) -> Result<String, String>;
}

#[derive(Deserialize)]
struct KeySet {
    #[serde(default)]
    keys: Vec<Jwk>,
}

#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
struct Jwk {
    kty: String,
    kid: String,
    alg: String,
    n: String,
    e: String,
    crv: String,
    x: String,
    y: String,
}

struct Key {
    key: DecodingKey,
    alg: String,
}

/// The validator with the keys it knows.
pub(crate) struct LocalValidation {
    source: Arc<dyn KeySource>,
    /// Switched off by `--endpoint`.
    check_audience: bool,
    keys: RwLock<HashMap<String, Arc<Key>>>,
    refreshing: Mutex<()>,
}

impl LocalValidation {
    pub(crate) fn new(source: Arc<dyn KeySource>, check_audience: bool) -> Self {
        Self {
            source,
            check_audience,
            keys: RwLock::default(),
            refreshing: Mutex::default(),
        }
    }

    /// Fetches the keys.
    pub(crate) async fn refresh(&self) -> Result<(), String> {
        let _one = self
            .refreshing
            .try_lock()
            .map_err(|_| "key refresh already in progress".to_string())?;
        let text = self.source.key_set().await?;
        let set: KeySet = serde_json::from_str(&text)
            .map_err(|e| format!("failed to decode JWKS response: {e}"))?;
        let mut keys = HashMap::new();
        for jwk in set.keys {
            let key = match &*jwk.kty {
                "RSA" => DecodingKey::from_rsa_components(&jwk.n, &jwk.e),
                "EC" if matches!(&*jwk.crv, "P-256" | "P-384") => {
                    DecodingKey::from_ec_components(&jwk.x, &jwk.y)
                }
                _ => continue,
            };
            if let Ok(key) = key {
                keys.entry(jwk.kid)
                    .or_insert_with(|| Arc::new(Key { key, alg: jwk.alg }));
            }
        }
        *self.keys.write().await = keys;
        Ok(())
    }

    /// Whether a token, already parsed once, may be answered from the cache.
    ///
    /// # Errors
    /// The agent's words; they go to its log.
    pub(crate) async fn validate(&self, token: &str, now: Timestamp) -> Result<(), String> {
        let parts = jwt::parse_map(token.as_bytes())
            .map_err(|reason| format!("Service account token cannot be parsed: {reason}"))?;
        let header = json::parse(&parts.header).unwrap_or(Value::Null);
        let claims = json::parse(&parts.claims).unwrap_or(Value::Null);
        let kid = self.claims(&header, &claims).map_err(|reason| {
            format!("Service account token failed claim validations: {reason}")
        })?;
        self.signature(token, &header, &claims, kid, now)
            .await
            .map_err(|reason| {
                format!(
                    "JWT signature validation failed: cryptographic validation failed: {reason}"
                )
            })
    }

    fn claims<'v>(&self, header: &'v Value<'_>, claims: &Value<'_>) -> Result<&'v str, String> {
        let kid = header
            .get("kid")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if kid.trim().is_empty() {
            return Err("missing header: kid".into());
        }
        if kid.len() != 40 || !kid.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(format!("invalid header: kid {kid}"));
        }
        let kubernetes = match claims.get("kubernetes.io") {
            None | Some(Value::Null) => return Err("missing claim: kubernetes.io".into()),
            Some(object @ Value::Object(..)) => object,
            Some(_) => return Err("invalid claim: kubernetes.io".into()),
        };
        let text = |parent: &Value<'_>, name: &str, path: &str| {
            let there = parent
                .get(name)
                .and_then(Value::as_str)
                .is_some_and(|text| !text.trim().is_empty());
            if there {
                Ok(())
            } else {
                Err(format!("missing or empty claim: kubernetes.io/{path}"))
            }
        };
        text(kubernetes, "namespace", "namespace")?;
        for part in ["serviceaccount", "pod"] {
            let object = match kubernetes.get(part) {
                Some(object @ Value::Object(..)) => object,
                _ => return Err(format!("missing claim: kubernetes.io/{part}")),
            };
            for name in ["name", "uid"] {
                let path = format!("{part}/{name}");
                text(object, name, &path)
                    .map_err(|e| format!("error finding claim kubernetes.io/{path} {e}"))?;
            }
        }
        if self.check_audience {
            let fits = match claims.get("aud") {
                None => return Err("missing claim: aud".into()),
                Some(Value::String(text, _)) => text == AUDIENCE,
                Some(Value::Array(items, _)) => {
                    items.iter().any(|item| item.as_str() == Some(AUDIENCE))
                }
                Some(_) => false,
            };
            if !fits {
                return Err(format!("invalid audience: expected {AUDIENCE}"));
            }
        }
        Ok(kid)
    }

    async fn key(&self, kid: &str) -> Option<Arc<Key>> {
        self.keys.read().await.get(kid).cloned()
    }

    async fn signature(
        &self,
        token: &str,
        header: &Value<'_>,
        claims: &Value<'_>,
        kid: &str,
        now: Timestamp,
    ) -> Result<(), String> {
        let key = match self.key(kid).await {
            Some(key) => key,
            None => {
                self.refresh()
                    .await
                    .map_err(|e| format!("key refresh failed: {e}"))?;
                self.key(kid)
                    .await
                    .ok_or_else(|| format!("no matching key found for kid: {kid}"))?
            }
        };
        let alg = header
            .get("alg")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if alg != key.alg {
            return Err(format!(
                "token is unverifiable: error while executing keyfunc: algorithm mismatch: token uses \"{alg}\" but key declares \"{}\"",
                key.alg
            ));
        }
        let (message, signature) = token.rsplit_once('.').ok_or("token is malformed")?;
        let algorithm: Algorithm = alg
            .parse()
            .map_err(|_| "token is unverifiable: signing method unavailable".to_string())?;
        let good = jsonwebtoken::crypto::verify(signature, message.as_bytes(), &key.key, algorithm)
            .unwrap_or(false);
        if !good {
            return Err("token signature is invalid: crypto/rsa: verification error".into());
        }
        // Without leeway: the request's own validation has just been passed, but a map is stricter about types.
        let number = |name: &str| match claims.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(text)) => Ok(text.parse::<f64>().ok()),
            Some(_) => Err(format!(
                "token has invalid claims: {name} is invalid: invalid type for claim"
            )),
        };
        let seconds = now.as_nanosecond() as f64 / 1e9;
        if number("exp")?.is_some_and(|exp| exp != 0.0 && seconds >= exp) {
            return Err("token has invalid claims: token is expired".into());
        }
        if number("nbf")?.is_some_and(|nbf| seconds < nbf.trunc()) {
            return Err("token has invalid claims: token is not valid yet".into());
        }
        Ok(())
    }
}

/// The pod's uid in a token that has been parsed.
///
/// # Errors
/// The agent's words.
pub(crate) fn pod_uid(token: &[u8]) -> Result<String, String> {
    let parts = jwt::parse_map(token)
        .map_err(|reason| format!("Service account token cannot be parsed: {reason}"))?;
    let claims = json::parse(&parts.claims).unwrap_or(Value::Null);
    let object = |value: Option<&Value<'_>>| matches!(value, Some(Value::Object(..)));
    let kubernetes = claims.get("kubernetes.io");
    if !object(kubernetes) {
        return Err("Service account token missing kubernetes.io claims".into());
    }
    let pod = kubernetes.and_then(|k| k.get("pod"));
    if !object(pod) {
        return Err("Service account token missing pod claims".into());
    }
    let uid = pod.and_then(|pod| pod.get("uid")).and_then(Value::as_str);
    uid.map(Into::into)
        .ok_or_else(|| "Service account token missing pod uid".into())
}
