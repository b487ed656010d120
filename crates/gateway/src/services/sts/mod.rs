//! The HTTP face of `cloud::sts`.

mod answer;
mod parameters;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use emu_cloud::{
    Call, Cloud, ServiceError,
    sts::{AssumeRole, Federation, Parameters, WebIdentity},
};
use http::{HeaderValue, Request, Response};

use super::{
    Recorded,
    query::{self, Frame, Params},
};

/// Namespace and version of this service. Source: model.
pub const FRAME: Frame = Frame {
    namespace: "https://sts.amazonaws.com/doc/2011-06-15/",
    version: "2011-06-15",
};

/// Answers a request whose signature holds.
pub fn handle(cloud: &Arc<Cloud>, call: Call, request: Request<Bytes>) -> Response<Bytes> {
    let params = Params::of(&request);
    let action = params.get("Action").unwrap_or_default();
    let resource = params.get("RoleArn").unwrap_or("*");
    let answer = match action {
        "AssumeRole" => assume_role(cloud, &call, &params),
        "AssumeRoleWithWebIdentity" => assume_role_with_web_identity(cloud, &call, &params),
        "GetCallerIdentity" => Ok(answer::caller_identity(&call)),
        "GetSessionToken" => session_token(cloud, &call, &params),
        "GetFederationToken" => federation_token(cloud, &call, &params),
        "GetAccessKeyInfo" => cloud
            .sts
            .access_key_info(cloud, &call, params.get("AccessKeyId"))
            .map(|account| answer::account(&call, &account)),
        "DecodeAuthorizationMessage" => cloud
            .sts
            .decode_authorization_message(cloud, &call, params.get("EncodedMessage"))
            .map(|message| answer::decoded(&call, &message)),
        _ => {
            let text = format!(
                "Could not find operation {action} for version {}",
                FRAME.version
            );
            return query::fault(
                &ServiceError::new("InvalidAction", 400, text),
                &call.request_id,
            );
        }
    };
    let mut response = answer
        .unwrap_or_else(|refusal| error(&refusal, &call.request_id))
        .recorded(format!("sts:{action}"), resource);
    if let Some(id) = extended_request_id(cloud, &call) {
        response
            .headers_mut()
            .insert("x-amz-sts-extended-request-id", id);
    }
    response
}

/// An error in this service's protocol.
pub fn error(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    query::error(FRAME, error, request_id)
}

/// Snapshot: base64 of `1:us-east-2:S:1763579652304:R:1Qdxo2gT`.
fn extended_request_id(cloud: &Cloud, call: &Call) -> Option<HeaderValue> {
    let tail: String = call
        .request_id
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .take(8)
        .collect();
    let plain = format!(
        "1:{}:S:{}:R:{tail}",
        call.region,
        cloud.now().as_millisecond()
    );
    HeaderValue::from_str(&STANDARD.encode(plain)).ok()
}

fn assume_role(
    cloud: &Cloud,
    call: &Call,
    params: &Params<'_>,
) -> Result<Response<Bytes>, ServiceError> {
    let duration_seconds = parameters::number(params, "DurationSeconds")?;
    let policy_arns = parameters::policy_arns(params);
    let tags = parameters::tags(params)?;
    let transitive_tag_keys = parameters::list(params, "TransitiveTagKeys");
    Parameters {
        role_arn: params.get("RoleArn"),
        session_name: params.get("RoleSessionName"),
        duration_seconds,
        external_id: params.get("ExternalId"),
        source_identity: params.get("SourceIdentity"),
        policy: params.get("Policy"),
        policy_arns: &policy_arns,
        tags: &tags,
        transitive_tag_keys: &transitive_tag_keys,
        web_identity_token: None,
    }
    .check_assume_role()?;
    let request = AssumeRole {
        request_id: call.request_id.clone(),
        hop: 0,
        source: "assume-role",
        caller: call.identity.clone(),
        role_arn: params.owned("RoleArn").unwrap_or_default(),
        session_name: params.owned("RoleSessionName").unwrap_or_default(),
        duration: parameters::duration(duration_seconds),
        tags,
        transitive_tag_keys,
        policy: params.owned("Policy"),
        policy_arns,
        external_id: params.owned("ExternalId"),
        source_identity: params.owned("SourceIdentity"),
        region: call.region.clone(),
    };
    let session = cloud.sts.assume_role_for(cloud, call, request)?;
    Ok(answer::assumed(call, &session))
}

fn assume_role_with_web_identity(
    cloud: &Cloud,
    call: &Call,
    params: &Params<'_>,
) -> Result<Response<Bytes>, ServiceError> {
    let request = WebIdentity {
        role_arn: params.owned("RoleArn"),
        session_name: params.owned("RoleSessionName"),
        token: params.owned("WebIdentityToken"),
        duration_seconds: parameters::number(params, "DurationSeconds")?,
        policy: params.owned("Policy"),
        policy_arns: parameters::policy_arns(params),
    };
    let session = cloud
        .sts
        .assume_role_with_web_identity(cloud, call, request)?;
    Ok(answer::web_identity(call, &session))
}

fn session_token(
    cloud: &Cloud,
    call: &Call,
    params: &Params<'_>,
) -> Result<Response<Bytes>, ServiceError> {
    let duration_seconds = parameters::number(params, "DurationSeconds")?;
    let session = cloud.sts.session_token(cloud, call, duration_seconds)?;
    Ok(answer::session_token(call, &session))
}

fn federation_token(
    cloud: &Cloud,
    call: &Call,
    params: &Params<'_>,
) -> Result<Response<Bytes>, ServiceError> {
    let request = Federation {
        name: params.owned("Name"),
        duration_seconds: parameters::number(params, "DurationSeconds")?,
        policy: params.owned("Policy"),
        policy_arns: parameters::policy_arns(params),
        tags: parameters::tags(params)?,
    };
    let federated = cloud.sts.federation_token(cloud, call, request)?;
    Ok(answer::federation_token(call, &federated))
}
