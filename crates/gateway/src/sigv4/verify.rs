//! Yes or no, and if no, what we computed.

use http::request::Parts;
use sha2::{Digest as _, Sha256};

use super::{ALGORITHM, Claim, PathRule, SigningKey, TERMINATOR, canonical::canonical_request};

/// What the signature should have been made of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The canonical request.
    pub canonical_request: String,
    /// The string to sign.
    pub string_to_sign: String,
    /// The signature that was sent.
    pub signature: String,
}

/// What the signatures of a chunked body go on from.
#[derive(Clone, Debug)]
pub struct Seed {
    /// The key.
    pub key: SigningKey,
    /// The request's date.
    pub date: super::AmzDate,
    /// `date/region/service/aws4_request`.
    pub scope: String,
    /// The request's signature: 64 hexadecimal digits.
    pub signature: String,
}

/// Checks the signature of a request. `payload` is the hash of the body or one of the words that stand for it.
///
/// # Errors
/// [`Mismatch`] with what was computed; it holds no secret.
pub fn verify(
    claim: &Claim<'_>,
    parts: &Parts,
    rule: PathRule,
    payload: &str,
    secret: &str,
) -> Result<SigningKey, Box<Mismatch>> {
    let scope = &claim.scope;
    let key = SigningKey::derive(secret, &scope.date, &scope.region, &scope.service);
    let mut hash = Sha256::new();
    canonical_request(
        &mut hash,
        parts,
        claim.form,
        rule,
        &claim.signed_headers,
        payload,
    );
    let mut hashed = [0u8; 64];
    // 64 digits fit in 64 bytes.
    let _ = hex::encode_to_slice(hash.finalize(), &mut hashed);
    let text: [&[u8]; 13] = [
        ALGORITHM.as_bytes(),
        b"\n",
        claim.date.as_str().as_bytes(),
        b"\n",
        scope.date.as_bytes(),
        b"/",
        scope.region.as_bytes(),
        b"/",
        scope.service.as_bytes(),
        b"/",
        TERMINATOR.as_bytes(),
        b"\n",
        &hashed,
    ];
    if key.verify(&text, &claim.signature) {
        return Ok(key);
    }
    let mut canonical = Vec::with_capacity(1024);
    canonical_request(
        &mut canonical,
        parts,
        claim.form,
        rule,
        &claim.signed_headers,
        payload,
    );
    Err(Box::new(Mismatch {
        canonical_request: String::from_utf8_lossy(&canonical).into_owned(),
        string_to_sign: String::from_utf8_lossy(&text.concat()).into_owned(),
        signature: claim.signature.to_string(),
    }))
}

/// The canonical request as text, for the answer to who signed wrongly.
pub fn canonical_text(claim: &Claim<'_>, parts: &Parts, rule: PathRule, payload: &str) -> String {
    let mut canonical = Vec::with_capacity(1024);
    canonical_request(
        &mut canonical,
        parts,
        claim.form,
        rule,
        &claim.signed_headers,
        payload,
    );
    String::from_utf8_lossy(&canonical).into_owned()
}

impl Seed {
    /// What chunk signatures go on from, after `key` has verified `claim`.
    pub fn new(key: SigningKey, claim: &Claim<'_>) -> Self {
        let scope = &claim.scope;
        Self {
            key,
            date: claim.date,
            scope: format!(
                "{}/{}/{}/{TERMINATOR}",
                scope.date, scope.region, scope.service
            ),
            signature: claim.signature.to_string(),
        }
    }
}

/// The hash of a body, in hexadecimal.
pub fn sha256_hex(body: &[u8]) -> String {
    if body.is_empty() {
        return super::EMPTY_SHA256.into();
    }
    hex::encode(Sha256::digest(body))
}
