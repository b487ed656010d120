//! Signing the request with the node's keys.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use emu_core::Timestamp;
use http::{HeaderName, HeaderValue};

use crate::credentials::NodeKeys;

/// Headers the SDK leaves out of the signature.
const UNSIGNED: [&str; 3] = ["user-agent", "accept-encoding", "authorization"];

/// The headers that sign a request.
///
/// # Errors
/// In words, if the request cannot be signed.
pub(super) fn headers(
    keys: &NodeKeys,
    region: &str,
    now: Timestamp,
    url: &str,
    unsigned: &[(HeaderName, HeaderValue)],
    body: &[u8],
) -> Result<Vec<(HeaderName, HeaderValue)>, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let identity = Credentials::new(
        &*keys.access_key_id,
        &*keys.secret_access_key,
        keys.session_token.clone(),
        None,
        "node",
    )
    .into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("eks-auth")
        .time(system_time(now))
        .settings(SigningSettings::default())
        .build()
        .map_err(|e| text(&e))?
        .into();
    let visible = unsigned
        .iter()
        .filter(|(name, _)| !UNSIGNED.contains(&name.as_str()))
        .filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?)));
    let request = SignableRequest::new("POST", url, visible, SignableBody::Bytes(body))
        .map_err(|e| text(&e))?;
    let (instructions, _) = sign(request, &params).map_err(|e| text(&e))?.into_parts();
    instructions
        .into_parts()
        .0
        .into_iter()
        .map(|header| {
            let value = HeaderValue::from_str(header.value()).map_err(|e| text(&e))?;
            Ok((HeaderName::from_static(header.name()), value))
        })
        .collect()
}

fn system_time(now: Timestamp) -> SystemTime {
    let nanos = u64::try_from(now.as_nanosecond()).unwrap_or_default();
    SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)
}
