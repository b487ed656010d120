//! The key chain and the strings it signs.

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

type HmacSha256 = Hmac<Sha256>;

/// A key for one day, region and service.
#[derive(Clone)]
pub struct SigningKey([u8; 32]);

impl SigningKey {
    /// `AWS4`+secret → date → region → service → `aws4_request`.
    pub fn derive(secret: &str, date: &str, region: &str, service: &str) -> Self {
        let mut first = Vec::with_capacity(4 + secret.len());
        first.extend_from_slice(b"AWS4");
        first.extend_from_slice(secret.as_bytes());
        let mut key = hmac(&first, &[date.as_bytes()]);
        for part in [region, service, super::TERMINATOR] {
            key = hmac(&key, &[part.as_bytes()]);
        }
        Self(key)
    }

    /// The signature of a text given in pieces.
    pub fn sign(&self, text: &[&[u8]]) -> [u8; 32] {
        hmac(&self.0, text)
    }

    /// Whether `signature`, 64 hexadecimal digits, is that of the text. Takes the same time wherever it differs.
    pub fn verify(&self, text: &[&[u8]], signature: &str) -> bool {
        let mut given = [0u8; 32];
        if hex::decode_to_slice(signature, &mut given).is_err() {
            return false;
        }
        mac(&self.0, text).verify_slice(&given).is_ok()
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKey")
    }
}

fn mac(key: &[u8], text: &[&[u8]]) -> HmacSha256 {
    // HMAC takes keys of any length; the error type has no value that can occur.
    let mut mac = HmacSha256::new_from_slice(key)
        .unwrap_or_else(|_| HmacSha256::new(&hmac::digest::Key::<HmacSha256>::default()));
    for piece in text {
        mac.update(piece);
    }
    mac
}

fn hmac(key: &[u8], text: &[&[u8]]) -> [u8; 32] {
    mac(key, text).finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derives_the_documented_key() {
        // AWS docs, "Deriving the signing key", example.
        let key = SigningKey::derive(
            "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
            "20150830",
            "us-east-1",
            "iam",
        );
        assert_eq!(
            hex::encode(key.0),
            "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"
        );
    }
}
