//! How a refusal is worded (G.10 of the reference).

use emu_core::{Arn, journal::CallerKind};
use emu_policy::Verdict;

use super::{Access, is_long_term_kind};
use crate::{Call, ServiceError};

/// A verdict in words, for the explanation.
pub(crate) fn in_words(verdict: &Verdict) -> String {
    verdict.explain().join("; ")
}

/// `User: … is not authorized to perform: …`, with the resource and the reason as the service writes them.
pub(super) fn refuse(call: &Call, access: &Access, verdict: &Verdict) -> ServiceError {
    let service = access.action.split(':').next().unwrap_or_default();
    // PassRole is asked by the service that is given the role, and it words the refusal.
    let by_json_service = matches!(service, "eks" | "eks-auth") || access.action == "iam:PassRole";
    let code = if by_json_service {
        "AccessDeniedException"
    } else {
        "AccessDenied"
    };
    let caller = &call.identity.caller;
    let message = if caller.kind == CallerKind::Anonymous {
        "Access Denied".into()
    } else {
        let mut message = format!(
            "User: {} is not authorized to perform: {}",
            caller.arn, access.action
        );
        message.push_str(&on_resource(service, access));
        // Thread: STS and EKS Auth leave the reason out.
        let reason = verdict.reason_text();
        if !matches!(service, "sts" | "eks-auth") && !reason.is_empty() {
            message.push(' ');
            message.push_str(&reason);
        }
        message
    };
    let mut error = ServiceError::new(code, 403, message).because(in_words(verdict));
    error.verdict = serde_json::to_value(verdict).ok().map(Box::new);
    error
}

/// S3 quotes the ARN, IAM names roles, users and policies in its own way (threads, snapshots).
fn on_resource(service: &str, access: &Access) -> String {
    let resource = &access.resource;
    match service {
        // Docs: calls about no bucket in particular show `arn:aws:s3:::*`.
        "s3" if resource == "*" => " on resource: \"arn:aws:s3:::*\"".into(),
        "s3" => format!(" on resource: \"{resource}\""),
        "iam" if access.action != "iam:PassRole" => {
            format!(" on resource: {}", iam_resource(resource))
        }
        _ => format!(" on resource: {resource}"),
    }
}

fn iam_resource(text: &str) -> String {
    let Ok(arn) = text.parse::<Arn>() else {
        return text.into();
    };
    match arn.kind_and_rest() {
        Some((kind @ ("role" | "user"), rest)) if !rest.is_empty() && !rest.ends_with('/') => {
            format!("{kind} {}", arn.name())
        }
        Some(("policy", rest)) if !rest.is_empty() && !rest.ends_with('/') => {
            format!("policy {text}")
        }
        _ => text.into(),
    }
}

/// Docs: credentials of GetSessionToken cannot call IAM (without MFA), nor STS beyond AssumeRole and GetCallerIdentity.
pub(super) fn session_token(call: &Call, access: &Access) -> Result<(), ServiceError> {
    let identity = &call.identity;
    if !(identity.is_session() && is_long_term_kind(identity.caller.kind)) {
        return Ok(());
    }
    if access.action.starts_with("iam:") && access.action != "iam:PassRole" {
        return Err(ServiceError::new(
            "InvalidClientTokenId",
            403,
            "The security token included in the request is invalid",
        )
        .because("IAM cannot be called with credentials of GetSessionToken"));
    }
    if access.action.starts_with("sts:") && access.action != "sts:AssumeRole" {
        let message = format!(
            "User: {} is not authorized to perform: {}",
            identity.caller.arn, access.action
        );
        return Err(ServiceError::new("AccessDenied", 403, message).because(
            "STS takes credentials of GetSessionToken for AssumeRole and GetCallerIdentity only",
        ));
    }
    Ok(())
}
