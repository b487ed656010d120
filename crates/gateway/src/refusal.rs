//! Why a request is not let in, before anybody asks what it wants. The texts are in [`crate::texts`].

use emu_core::Timestamp;

use crate::{
    services::Service,
    sigv4::{AmzDate, Form, Malformed, Mismatch},
};

/// One reason. What the reference (E.10, H.3, H.6) tells apart is told apart here.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Refusal {
    /// No signature at all, at a service that wants one.
    Unsigned,
    /// A signature that is not complete.
    Malformed(Malformed),
    /// The scope names something that is not this endpoint's region, or not its service, or neither.
    Scope {
        service: Service,
        form: Form,
        /// The region sent and the one expected, if the region is wrong.
        region: Option<(String, String)>,
        /// The service sent, if it is wrong.
        other_service: Option<String>,
    },
    /// The scope's day is not the request's.
    ScopeDate { scope: String, date: AmzDate },
    /// The scope does not end in `aws4_request`.
    ScopeTerminator(String),
    /// `host` or `x-amz-*` headers that are not signed.
    HeadersNotSigned(Vec<String>),
    /// No such key, or not active, or the token is missing or another session's.
    UnknownKey {
        access_key_id: String,
        why: &'static str,
    },
    /// The token cannot be a token.
    UndecodableToken(String),
    /// A long-term key came with a token.
    NeedlessToken(String),
    /// The session is over.
    Expired { token: String },
    /// The session's role is gone.
    RoleGone { access_key_id: String },
    /// The clock of the signer is off.
    Skewed {
        date: AmzDate,
        now: Timestamp,
        window: std::time::Duration,
    },
    /// A presigned request's lifetime is missing or not a number of seconds up to a week.
    BadLifetime(Option<String>),
    /// A presigned request is over.
    PresignedOver {
        lifetime: u64,
        until: Timestamp,
        now: Timestamp,
    },
    /// A presigned request is from the future.
    PresignedEarly,
    /// The signature is wrong.
    Mismatch {
        access_key_id: String,
        mismatch: Box<Mismatch>,
    },
    /// `x-amz-content-sha256` is missing (S3).
    NoContentHash,
    /// `x-amz-content-sha256` is neither a hash nor one of the words (S3).
    BadContentHash(String),
    /// The body has another hash than the header says (S3).
    ContentHash { client: String, computed: String },
    /// The chunked body is broken (S3).
    Chunks(String),
    /// The chunked body has another length than it says (S3).
    IncompleteBody,
}
