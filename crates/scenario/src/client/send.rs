//! Signing with SigV4, and the way to the emulator.

use std::{
    net::SocketAddr,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SigningSettings,
        UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use bytes::Bytes;
use emu_core::Timestamp;
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

use super::{ApiAnswer, ApiRequest};
use crate::run::Trouble;

/// Keys to sign with. A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys {
    /// The access key id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: Option<String>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Keys").field(&self.access_key_id).finish()
    }
}

/// The headers of a signed request, `Host` among them.
///
/// # Errors
/// If the request cannot be signed, which would be a mistake of ours.
pub fn signed(
    request: &ApiRequest,
    keys: &Keys,
    host: &str,
    region: &str,
    now: Timestamp,
) -> Result<Vec<(String, String)>, Trouble> {
    let identity = aws_credential_types::Credentials::new(
        &keys.access_key_id,
        &keys.secret_access_key,
        keys.session_token.clone(),
        None,
        "scenario",
    )
    .into();
    let mut settings = SigningSettings::default();
    if request.service == "s3" {
        settings.percent_encoding_mode = PercentEncodingMode::Single;
        settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
        settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    }
    let wrong =
        |e: &dyn std::fmt::Display| Trouble::new(format!("the request could not be signed: {e}"));
    let parameters = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(request.service)
        .time(system_time(now))
        .settings(settings)
        .build()
        .map_err(|e| wrong(&e))?
        .into();
    let mut headers = vec![("host".to_owned(), host.to_owned())];
    if let Some(content_type) = request.content_type {
        headers.push(("content-type".into(), content_type.into()));
    }
    let uri = format!("http://{host}{}", request.path);
    let signable = SignableRequest::new(
        request.method,
        uri,
        headers.iter().map(|(n, v)| (n.as_str(), v.as_str())),
        SignableBody::Bytes(&request.body),
    )
    .map_err(|e| wrong(&e))?;
    let (instructions, _) = sign(signable, &parameters)
        .map_err(|e| wrong(&e))?
        .into_parts();
    let added: Vec<(String, String)> = instructions
        .headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    headers.extend(added);
    Ok(headers)
}

/// Sends a signed request from this process.
///
/// # Errors
/// If there is no answer.
pub async fn send_direct(
    request: &ApiRequest,
    keys: &Keys,
    address: SocketAddr,
    region: &str,
    now: Timestamp,
) -> Result<ApiAnswer, Trouble> {
    let host = address.to_string();
    let mut builder = http::Request::builder()
        .method(request.method)
        .uri(format!("http://{host}{}", request.path));
    for (name, value) in signed(request, keys, &host, region, now)? {
        builder = builder.header(name, value);
    }
    let no_answer = |e: &dyn std::fmt::Display| {
        Trouble::new(format!("no answer from the emulator at {host}: {e}"))
    };
    let message = builder
        .body(Full::new(Bytes::from(request.body.clone())))
        .map_err(|e| no_answer(&e))?;
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let answer = tokio::time::timeout(Duration::from_secs(30), client.request(message))
        .await
        .map_err(|e| no_answer(&e))?
        .map_err(|e| no_answer(&e))?;
    let (parts, body) = answer.into_parts();
    let body = body.collect().await.map_err(|e| no_answer(&e))?.to_bytes();
    Ok(ApiAnswer::read(
        parts.status.as_u16(),
        |name| {
            parts
                .headers
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        },
        String::from_utf8_lossy(&body).into_owned(),
    ))
}

fn system_time(now: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_nanos(u64::try_from(now.as_nanosecond()).unwrap_or(0))
}
