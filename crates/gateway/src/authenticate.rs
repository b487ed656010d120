//! Who sent this? The checks in the order AWS makes them (the reference's sections E.10 and H.5):
//! scope → coverage → key and token → expiry → the issuing role → time → HMAC → the body's own signatures.

use bytes::Bytes;
use emu_cloud::{Cloud, Identity};
use http::request::Parts;

use crate::{
    host::{Host, is_region},
    payload::{self, Payload},
    refusal::Refusal,
    services::{Family, Service},
    sigv4::{
        Claim, Form, Malformed, PathRule, Seed, TERMINATOR, canonical_text, unsigned_headers,
        verify,
    },
};

/// A caller whose signature holds.
#[derive(Debug)]
pub(crate) struct Authenticated {
    /// Who.
    pub(crate) identity: Identity,
    /// The region of the scope.
    pub(crate) region: String,
    /// The body without its chunk frame.
    pub(crate) payload: Payload,
}

/// Checks a request. Unsigned requests are the caller's affair, but a malformed claim is refused here.
pub(crate) fn authenticate(
    cloud: &Cloud,
    service: Service,
    parts: &Parts,
    claim: Result<Option<Claim<'_>>, Malformed>,
    host: Host<'_>,
    body: &Bytes,
) -> Result<Authenticated, Refusal> {
    let claim = claim
        .map_err(Refusal::Malformed)?
        .ok_or(Refusal::Unsigned)?;
    let settings = cloud.settings();
    scope(&claim, service, host, &settings.region)?;
    let is_s3 = service.family() == Family::S3;
    let unsigned = unsigned_headers(&parts.headers, |name| claim.signs(name));
    if !unsigned.is_empty() {
        return Err(Refusal::HeadersNotSigned(
            unsigned.into_iter().map(str::to_owned).collect(),
        ));
    }

    let token = token(&claim, parts)?;
    let unknown = |why| Refusal::UnknownKey {
        access_key_id: claim.access_key_id.to_string(),
        why,
    };
    let credential = cloud
        .find_credential(&claim.access_key_id)
        .ok_or_else(|| unknown("there is no such key"))?;
    if !credential.active {
        return Err(unknown("the key is inactive"));
    }
    let mut needless_token = None;
    match (&credential.session_token, token) {
        (Some(expected), Some(token)) if same(expected.as_bytes(), token.as_bytes()) => {}
        (Some(_), Some(token)) if is_s3 && !decodable(&token) => {
            return Err(Refusal::UndecodableToken(token));
        }
        (Some(_), Some(_)) => return Err(unknown("the token belongs to another session")),
        (Some(_), None) => return Err(unknown("the session's token is missing")),
        (None, Some(token)) if is_s3 => return Err(Refusal::NeedlessToken(token)),
        (None, Some(token)) => needless_token = Some(token),
        (None, None) => {}
    }
    let now = cloud.now();
    if credential.expires_at.is_some_and(|at| at <= now) {
        return Err(Refusal::Expired {
            token: credential.session_token.unwrap_or_default(),
        });
    }
    if !credential.role_alive {
        return Err(Refusal::RoleGone {
            access_key_id: claim.access_key_id.to_string(),
        });
    }
    time(&claim, service, now, settings.clock_skew.get())?;

    let word = if is_s3 {
        payload::announced(&claim, parts)?
    } else {
        crate::sigv4::sha256_hex(body).into()
    };
    let rule = if is_s3 {
        PathRule::Once
    } else {
        PathRule::Twice
    };
    let key =
        verify(&claim, parts, rule, &word, &credential.secret_access_key).map_err(|mismatch| {
            Refusal::Mismatch {
                access_key_id: claim.access_key_id.to_string(),
                mismatch,
            }
        })?;
    if let Some(token) = needless_token {
        return Err(Refusal::NeedlessToken(token));
    }
    let payload = if is_s3 {
        payload::read(body, &word, parts, Some(&Seed::new(key, &claim)))
            .map_err(|refusal| chunk_mismatch(refusal, &claim, parts, rule, &word))?
    } else {
        Payload::plain(body)
    };
    Ok(Authenticated {
        identity: credential.identity,
        region: claim.scope.region.into_owned(),
        payload,
    })
}

/// A wrong chunk is answered with the chunk's string to sign and the seed's canonical request (snapshot).
fn chunk_mismatch(
    refusal: Refusal,
    claim: &Claim<'_>,
    parts: &Parts,
    rule: PathRule,
    word: &str,
) -> Refusal {
    match refusal {
        Refusal::Mismatch { mut mismatch, .. } => {
            mismatch.canonical_request = canonical_text(claim, parts, rule, word);
            Refusal::Mismatch {
                access_key_id: claim.access_key_id.to_string(),
                mismatch,
            }
        }
        refusal => refusal,
    }
}

/// Region first, then service, then day and terminator.
fn scope(claim: &Claim<'_>, service: Service, host: Host<'_>, home: &str) -> Result<(), Refusal> {
    let found = &*claim.scope.region;
    let expected = match host.region {
        Some(region) => region,
        None if host.global => "us-east-1",
        // On one port there are all regions; what is no region at all is wrong everywhere.
        None if is_region(found) => found,
        None => home,
    };
    let region = (found != expected).then(|| (found.to_owned(), expected.to_owned()));
    let other = &*claim.scope.service;
    let other_service = (other != service.signing_name()).then(|| other.to_owned());
    if region.is_some() || other_service.is_some() {
        return Err(Refusal::Scope {
            service,
            form: claim.form,
            region,
            other_service,
        });
    }
    if claim.scope.date != claim.date.day() {
        return Err(Refusal::ScopeDate {
            scope: claim.scope.date.to_string(),
            date: claim.date,
        });
    }
    if claim.scope.terminator != TERMINATOR {
        return Err(Refusal::ScopeTerminator(claim.scope.terminator.to_string()));
    }
    Ok(())
}

/// The one token of a request. A signed header beats the query; identical headers count as one (snapshots).
fn token(claim: &Claim<'_>, parts: &Parts) -> Result<Option<String>, Refusal> {
    let mut found: Option<std::borrow::Cow<'_, str>> = None;
    for token in Claim::header_tokens(&parts.headers) {
        if found.as_ref().is_some_and(|found| *found != token) {
            return Err(Refusal::UnknownKey {
                access_key_id: claim.access_key_id.to_string(),
                why: "two different session tokens",
            });
        }
        found = Some(token);
    }
    Ok(found
        .or_else(|| claim.query_token.clone())
        .filter(|token| !token.is_empty())
        .map(std::borrow::Cow::into_owned))
}

/// Whether a token looks like one of AWS's: base64 of some length.
fn decodable(token: &str) -> bool {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    token.len() >= 64 && STANDARD_NO_PAD.decode(token.trim_end_matches('=')).is_ok()
}

/// Takes the same time wherever the texts differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len()
        && std::hint::black_box(a.iter().zip(b).fold(0u8, |all, (x, y)| all | (x ^ y))) == 0
}

fn time(
    claim: &Claim<'_>,
    service: Service,
    now: emu_core::Timestamp,
    window: std::time::Duration,
) -> Result<(), Refusal> {
    let date = claim.date.at();
    if service == Service::S3 && claim.form == Form::Query {
        return presigned(claim, now, window);
    }
    if date.duration_since(now).unsigned_abs() > window {
        return Err(Refusal::Skewed {
            date: claim.date,
            now,
            window,
        });
    }
    Ok(())
}

/// S3's presigned requests live as long as they say, up to a week. Elsewhere the usual window holds (EKS's tokens say 60
/// seconds and are honoured for 15 minutes; docs).
fn presigned(
    claim: &Claim<'_>,
    now: emu_core::Timestamp,
    window: std::time::Duration,
) -> Result<(), Refusal> {
    const WEEK: u64 = 604_800;
    let text = claim.expires.as_deref();
    let lifetime = text
        .and_then(|text| text.parse::<u64>().ok())
        .filter(|seconds| *seconds <= WEEK)
        .ok_or_else(|| Refusal::BadLifetime(text.map(str::to_owned)))?;
    let date = claim.date.at();
    if date.duration_since(now) > jiff::SignedDuration::try_from(window).unwrap_or_default() {
        return Err(Refusal::PresignedEarly);
    }
    let until = date
        .saturating_add(jiff::SignedDuration::from_secs(lifetime as i64))
        .unwrap_or(date);
    if now > until {
        return Err(Refusal::PresignedOver {
            lifetime,
            until,
            now,
        });
    }
    Ok(())
}
