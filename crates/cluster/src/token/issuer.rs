//! Minting.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD},
};
use emu_core::{Ids, Timestamp};
use ring::{
    rand::SystemRandom,
    signature::{RSA_PKCS1_SHA256, RsaKeyPair},
};
use serde::Serialize;

/// Why a token cannot be minted.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The key is not an RSA private key in PEM (PKCS #8 or PKCS #1).
    #[error("the service account key is not an RSA private key in PEM form: {0}")]
    Key(String),
    /// The signature could not be made.
    #[error("the token could not be signed: {0}")]
    Sign(String),
}

/// Signs service account tokens as a cluster's API server does. Cheap to share behind an `Arc`.
pub struct TokenIssuer {
    issuer: String,
    kid: String,
    key: RsaKeyPair,
    random: SystemRandom,
    ids: Ids,
}

impl std::fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TokenIssuer")
            .field("issuer", &self.issuer)
            .field("kid", &self.kid)
            .finish_non_exhaustive()
    }
}

/// Whose token it is. The uids are those the cluster gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenSubject {
    /// The namespace.
    pub namespace: String,
    /// The service account's name.
    pub service_account: String,
    /// The service account's uid.
    pub service_account_uid: String,
    /// The pod it is bound to; tokens of `kubectl create token` have none.
    pub pod: Option<BoundPod>,
}

/// The pod, and its node, that a token is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BoundPod {
    /// The pod's name.
    pub name: String,
    /// The pod's uid.
    pub uid: String,
    /// The node's name and uid; absent before Kubernetes 1.32.
    pub node: Option<(String, String)>,
}

/// What is asked of the issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// Whose.
    pub subject: TokenSubject,
    /// The audiences; a real cluster writes them as an array also when there is one.
    pub audiences: Vec<String>,
    /// When it is issued.
    pub now: Timestamp,
    /// How long it lives, in seconds.
    pub seconds: i64,
}

/// A token, and what is known of it without reading it.
#[derive(Clone, PartialEq, Eq)]
pub struct IssuedToken {
    /// The JWT. A secret.
    pub token: String,
    /// Its id.
    pub jti: String,
    /// When it was issued, in whole seconds.
    pub issued_at: Timestamp,
    /// When it expires, in whole seconds.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for IssuedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IssuedToken")
            .field("jti", &self.jti)
            .field("issued_at", &self.issued_at)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

// In the order in which a real API server writes them: alphabetical.
#[derive(Serialize)]
struct Claims<'a> {
    aud: &'a [String],
    exp: i64,
    iat: i64,
    iss: &'a str,
    jti: &'a str,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Kubernetes<'a>,
    nbf: i64,
    sub: String,
}

#[derive(Serialize)]
struct Kubernetes<'a> {
    namespace: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<Named<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pod: Option<Named<'a>>,
    serviceaccount: Named<'a>,
}

#[derive(Serialize)]
struct Named<'a> {
    name: &'a str,
    uid: &'a str,
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'a str,
    kid: &'a str,
}

impl TokenIssuer {
    /// An issuer for `issuer` (the cluster's OIDC issuer URL) whose key is `pem`, an RSA private key that the cluster's
    /// key set lists as `kid`.
    ///
    /// # Errors
    /// When `pem` is not an RSA private key of 2048 to 4096 bits.
    pub fn new(
        issuer: impl Into<String>,
        kid: impl Into<String>,
        pem: &str,
        ids: Ids,
    ) -> Result<Self, TokenError> {
        Ok(Self {
            issuer: issuer.into(),
            kid: kid.into(),
            key: read_key(pem)?,
            random: SystemRandom::new(),
            ids,
        })
    }

    /// The issuer URL.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The key set a cluster publishes at `/openid/v1/jwks`, as JSON.
    pub fn key_set(&self) -> String {
        let public = ring::rsa::PublicKeyComponents::<Vec<u8>>::from(self.key.public());
        serde_json::json!({ "keys": [{
            "use": "sig",
            "kty": "RSA",
            "kid": self.kid,
            "alg": "RS256",
            "n": URL_SAFE_NO_PAD.encode(public.n),
            "e": URL_SAFE_NO_PAD.encode(public.e),
        }]})
        .to_string()
    }

    /// Mints a token.
    ///
    /// # Errors
    /// When it cannot be signed.
    pub fn issue(&self, request: &TokenRequest) -> Result<IssuedToken, TokenError> {
        let jti = self.ids.uuid().to_string();
        let iat = request.now.as_second();
        let exp = iat.saturating_add(request.seconds);
        let subject = &request.subject;
        let pod = subject.pod.as_ref();
        let claims = Claims {
            aud: &request.audiences,
            exp,
            iat,
            iss: &self.issuer,
            jti: &jti,
            kubernetes: Kubernetes {
                namespace: &subject.namespace,
                node: pod
                    .and_then(|p| p.node.as_ref())
                    .map(|(name, uid)| Named { name, uid }),
                pod: pod.map(|p| Named {
                    name: &p.name,
                    uid: &p.uid,
                }),
                serviceaccount: Named {
                    name: &subject.service_account,
                    uid: &subject.service_account_uid,
                },
            },
            nbf: iat,
            sub: format!(
                "system:serviceaccount:{}:{}",
                subject.namespace, subject.service_account
            ),
        };
        let header = Header {
            alg: "RS256",
            kid: &self.kid,
        };
        let token = self.sign(&header, &claims)?;
        let second = |s| Timestamp::from_second(s).unwrap_or(Timestamp::MAX);
        Ok(IssuedToken {
            token,
            jti,
            issued_at: second(iat),
            expires_at: second(exp),
        })
    }

    fn sign(&self, header: &Header<'_>, claims: &Claims<'_>) -> Result<String, TokenError> {
        let part = |value: serde_json::Result<Vec<u8>>| {
            value
                .map(|bytes| URL_SAFE_NO_PAD.encode(bytes))
                .map_err(|e| TokenError::Sign(e.to_string()))
        };
        let mut token = part(serde_json::to_vec(header))?;
        token.push('.');
        token.push_str(&part(serde_json::to_vec(claims))?);
        let mut signature = vec![0; self.key.public().modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &self.random,
                token.as_bytes(),
                &mut signature,
            )
            .map_err(|e| TokenError::Sign(e.to_string()))?;
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature));
        Ok(token)
    }
}

fn read_key(pem: &str) -> Result<RsaKeyPair, TokenError> {
    let wrong = |text: &str| TokenError::Key(text.to_owned());
    let mut lines = pem.lines().map(str::trim);
    let label = lines
        .find_map(|l| l.strip_prefix("-----BEGIN ")?.strip_suffix("-----"))
        .ok_or_else(|| wrong("there is no BEGIN line"))?;
    let end = format!("-----END {label}-----");
    let body: String = lines.take_while(|l| *l != end).collect();
    let der = STANDARD
        .decode(body)
        .map_err(|e| wrong(&format!("its body is not base64: {e}")))?;
    match label {
        "PRIVATE KEY" => RsaKeyPair::from_pkcs8(&der),
        "RSA PRIVATE KEY" => RsaKeyPair::from_der(&der),
        other => return Err(wrong(&format!("it is a {other}"))),
    }
    .map_err(|e| wrong(&e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = include_str!("../../tests/data/service-account-key.pem");

    fn request() -> TokenRequest {
        TokenRequest {
            subject: TokenSubject {
                namespace: "shop".into(),
                service_account: "api".into(),
                service_account_uid: "sa-uid".into(),
                pod: Some(BoundPod {
                    name: "api-0".into(),
                    uid: "pod-uid".into(),
                    node: Some(("n1".into(), "node-uid".into())),
                }),
            },
            audiences: vec!["pods.eks.amazonaws.com".into()],
            now: Timestamp::from_second(1_700_000_000).unwrap(),
            seconds: 86_400,
        }
    }

    fn decode(part: &str) -> serde_json::Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    #[test]
    fn claims_are_those_of_a_real_cluster() {
        let issuer = TokenIssuer::new("https://issuer/id/1", "kid-1", KEY, Ids::seeded(1)).unwrap();
        let issued = issuer.issue(&request()).unwrap();
        let parts: Vec<&str> = issued.token.split('.').collect();
        assert_eq!(
            decode(parts[0]),
            serde_json::json!({ "alg": "RS256", "kid": "kid-1" })
        );
        assert_eq!(
            decode(parts[1]),
            serde_json::json!({
                "aud": ["pods.eks.amazonaws.com"],
                "exp": 1_700_086_400,
                "iat": 1_700_000_000,
                "iss": "https://issuer/id/1",
                "jti": issued.jti,
                "kubernetes.io": {
                    "namespace": "shop",
                    "node": { "name": "n1", "uid": "node-uid" },
                    "pod": { "name": "api-0", "uid": "pod-uid" },
                    "serviceaccount": { "name": "api", "uid": "sa-uid" },
                },
                "nbf": 1_700_000_000,
                "sub": "system:serviceaccount:shop:api",
            })
        );
    }

    #[test]
    fn the_signature_verifies() {
        let issuer = TokenIssuer::new("https://issuer", "k", KEY, Ids::random()).unwrap();
        let token = issuer.issue(&request()).unwrap().token;
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let public = ring::signature::UnparsedPublicKey::new(
            &ring::signature::RSA_PKCS1_2048_8192_SHA256,
            issuer.key.public().as_ref(),
        );
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        public.verify(signed.as_bytes(), &signature).unwrap();
        assert!(public.verify(b"other", &signature).is_err());
    }

    #[test]
    fn an_unbound_token_has_no_pod_claims() {
        let issuer = TokenIssuer::new("https://issuer", "k", KEY, Ids::random()).unwrap();
        let mut request = request();
        request.subject.pod = None;
        let token = issuer.issue(&request).unwrap().token;
        let claims = decode(token.split('.').nth(1).unwrap());
        assert!(claims["kubernetes.io"].get("pod").is_none());
        assert!(claims["kubernetes.io"].get("node").is_none());
    }

    #[test]
    fn what_is_not_a_key_is_refused() {
        for wrong in [
            "",
            "x",
            "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----",
        ] {
            assert!(matches!(
                TokenIssuer::new("i", "k", wrong, Ids::random()),
                Err(TokenError::Key(_))
            ));
        }
    }
}
