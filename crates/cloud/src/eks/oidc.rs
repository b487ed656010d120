//! A cluster's OIDC issuer and the public keys that go with it.

use serde::{Deserialize, Serialize};

/// A public RSA key as in a JWKS document.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Jwk {
    /// The key's id.
    pub kid: String,
    /// The modulus, base64url.
    pub n: String,
    /// The exponent, base64url.
    pub e: String,
}

/// A cluster's issuer with its keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Oidc {
    /// The issuer URL, without a trailing slash.
    pub issuer: String,
    /// The keys that count.
    pub keys: Vec<Jwk>,
}

impl Oidc {
    /// The JWKS document at `<issuer>/keys` (docs: RSA, RS256, `use` sig).
    pub fn jwks(&self) -> serde_json::Value {
        let keys: Vec<_> = self
            .keys
            .iter()
            .map(|key| {
                serde_json::json!({
                    "kty": "RSA", "alg": "RS256", "use": "sig", "kid": key.kid, "n": key.n, "e": key.e,
                })
            })
            .collect();
        serde_json::json!({ "keys": keys })
    }

    /// The discovery document at `<issuer>/.well-known/openid-configuration`.
    pub fn discovery(&self) -> serde_json::Value {
        serde_json::json!({
            "issuer": self.issuer,
            "jwks_uri": format!("{}/keys", self.issuer),
            "authorization_endpoint": "urn:kubernetes:programmatic_authorization",
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "claims_supported": ["sub", "iss"],
            "id_token_signing_alg_values_supported": ["RS256"],
        })
    }
}
