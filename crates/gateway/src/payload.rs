//! The body of an S3 request: what `x-amz-content-sha256` says of it, and taking off its chunk frame.

use std::borrow::Cow;

use bytes::Bytes;
use http::request::Parts;

use crate::{
    refusal::Refusal,
    sigv4::{
        ChunkError, Chunks, Claim, Form, Mismatch, Seed, UNSIGNED_PAYLOAD, decode, sha256_hex,
    },
};

/// A body as it was meant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Payload {
    /// The content.
    pub(crate) body: Bytes,
    /// Trailing headers.
    pub(crate) trailers: Vec<(String, String)>,
    /// Whether a chunk frame was taken off.
    pub(crate) was_chunked: bool,
}

impl Payload {
    /// A body as it came.
    pub(crate) fn plain(body: &Bytes) -> Self {
        Self {
            body: body.clone(),
            ..Self::default()
        }
    }
}

/// What the request says its body is: a hash or one of the words.
pub(crate) fn announced<'r>(claim: &Claim<'_>, parts: &'r Parts) -> Result<Cow<'r, str>, Refusal> {
    let Some(value) = parts.headers.get("x-amz-content-sha256") else {
        return match claim.form {
            Form::Query => Ok(UNSIGNED_PAYLOAD.into()),
            Form::Header => Err(Refusal::NoContentHash),
        };
    };
    let word = String::from_utf8_lossy(value.as_bytes());
    let is_hash = word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    if is_hash || word == UNSIGNED_PAYLOAD || Chunks::announced(&word).is_some() {
        Ok(word)
    } else {
        Err(Refusal::BadContentHash(word.into_owned()))
    }
}

/// The body of an unsigned request.
pub(crate) fn anonymous(body: &Bytes, parts: &Parts) -> Result<Payload, Refusal> {
    let word = parts
        .headers
        .get("x-amz-content-sha256")
        .map_or(Cow::Borrowed(UNSIGNED_PAYLOAD), |v| {
            String::from_utf8_lossy(v.as_bytes())
        });
    read(body, &word, parts, None)
}

/// Checks the body against what was announced, and takes its frame off.
pub(crate) fn read(
    body: &Bytes,
    word: &str,
    parts: &Parts,
    seed: Option<&Seed>,
) -> Result<Payload, Refusal> {
    if word == UNSIGNED_PAYLOAD {
        return Ok(Payload::plain(body));
    }
    let Some(chunks) = Chunks::announced(word) else {
        let computed = sha256_hex(body);
        return if computed.eq_ignore_ascii_case(word) {
            Ok(Payload::plain(body))
        } else {
            Err(Refusal::ContentHash {
                client: word.into(),
                computed,
            })
        };
    };
    let decoded = decode(body, chunks, seed).map_err(|error| match error {
        ChunkError::Malformed(what) => Refusal::Chunks(what.into()),
        // AWS shows the chunk's string to sign; the seed's canonical request was right.
        ChunkError::Signature {
            string_to_sign,
            signature,
        } => Refusal::Mismatch {
            access_key_id: String::new(),
            mismatch: Box::new(Mismatch {
                canonical_request: String::new(),
                string_to_sign,
                signature,
            }),
        },
    })?;
    let length = parts
        .headers
        .get("x-amz-decoded-content-length")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok());
    if length.is_some_and(|length| length != decoded.body.len()) {
        return Err(Refusal::IncompleteBody);
    }
    Ok(Payload {
        body: decoded.body,
        trailers: decoded.trailers,
        was_chunked: true,
    })
}
