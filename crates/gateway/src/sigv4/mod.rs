//! Signature Version 4, the verifying side: what a request claims, the canonical request, the key chain, chunked bodies.
//!
//! Knows neither services nor accounts: it is told the secret and which path rule holds, and says yes or shows what it
//! computed. Rules: AWS docs, "Create a signed AWS API request" and "Authenticating Requests (AWS Signature Version 4)".

mod canonical;
mod chunked;
mod claim;
mod date;
mod encode;
mod key;
mod verify;

pub use canonical::PathRule;
pub(crate) use canonical::unsigned_headers;
pub use chunked::{ChunkError, Chunks, Decoded, decode};
pub use claim::{Claim, Form, Malformed, Scope};
pub use date::AmzDate;
pub use encode::{percent_decode, uri_encode};
pub use key::SigningKey;
pub use verify::{Mismatch, Seed, canonical_text, sha256_hex, verify};

/// The only algorithm there is for us.
pub const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The last part of every credential scope.
pub const TERMINATOR: &str = "aws4_request";
/// The payload hash of requests whose body is not signed.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";
/// SHA-256 of nothing.
pub const EMPTY_SHA256: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[cfg(test)]
mod tests;
