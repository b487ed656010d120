//! What AWS answers to requests it does not let in. Source of each text: the reference's E.10, H.3 and H.6; the mark
//! stands beside it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use emu_cloud::ServiceError;
use sha2::{Digest as _, Sha256};

use crate::{
    refusal::Refusal,
    services::{Family, Service},
    sigv4::{AmzDate, Form, Malformed, Mismatch},
};

/// Names a refusal as the service's family does.
pub(crate) fn refusal(service: Service, refusal: &Refusal) -> ServiceError {
    match service.family() {
        Family::S3 => s3(refusal),
        Family::Query => other(refusal, false),
        Family::Json => other(refusal, true),
    }
    .because(format!("{refusal:?}"))
}

/// STS, IAM (`json` false) and EKS, EKS Auth (`json` true) differ in the names, hardly in the texts.
fn other(refusal: &Refusal, json: bool) -> ServiceError {
    let error = |query: &'static str, rest: &'static str, status, message: String| {
        ServiceError::new(if json { rest } else { query }, status, message)
    };
    let signature = |message: String| {
        error(
            "SignatureDoesNotMatch",
            "InvalidSignatureException",
            403,
            message,
        )
    };
    let incomplete = |message: String| {
        error(
            "IncompleteSignature",
            "IncompleteSignatureException",
            400,
            message,
        )
    };
    let unknown = || {
        error(
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            403,
            // snapshot
            "The security token included in the request is invalid.".into(),
        )
    };
    match refusal {
        Refusal::Unsigned => error(
            "MissingAuthenticationToken",
            "MissingAuthenticationTokenException",
            403,
            // thread
            if json {
                "Missing Authentication Token"
            } else {
                "Request is missing Authentication Token"
            }
            .into(),
        ),
        Refusal::Malformed(malformed) => incomplete(incomplete_text(malformed)),
        Refusal::Scope {
            service,
            region,
            other_service,
            ..
        } => {
            // snapshot; both texts end in a space, and both stand there if both are wrong
            let mut text = String::new();
            if region.is_some() {
                text.push_str("Credential should be scoped to a valid region. ");
            }
            if other_service.is_some() {
                text.push_str(&format!(
                    "Credential should be scoped to correct service: '{service}'. "
                ));
            }
            signature(text)
        }
        // docs
        Refusal::ScopeDate { scope, date } => signature(format!(
            "Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{scope}' != '{}', from '{date}'.",
            date.day()
        )),
        // docs
        Refusal::ScopeTerminator(found) => signature(format!(
            "Credential should be scoped with a valid terminator: 'aws4_request', not '{found}'."
        )),
        Refusal::HeadersNotSigned(names) => signature(
            names
                .iter()
                .map(|name| match name.as_str() {
                    // inferred
                    "host" => {
                        "'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization."
                            .into()
                    }
                    // inferred
                    name => format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."),
                })
                .collect::<Vec<String>>()
                .join(" "),
        ),
        Refusal::UnknownKey { .. }
        | Refusal::UndecodableToken(_)
        | Refusal::NeedlessToken(_)
        | Refusal::RoleGone { .. } => unknown(),
        // snapshot; no full stop
        Refusal::Expired { .. } => error(
            "ExpiredToken",
            "ExpiredTokenException",
            403,
            "The security token included in the request is expired".into(),
        ),
        Refusal::Skewed { date, now, window } => {
            let minutes = window.as_secs() / 60;
            let server = AmzDate::from(*now);
            // thread
            signature(if date.at() < *now {
                let limit = AmzDate::from(now.saturating_sub(signed(*window)).unwrap_or(*now));
                format!(
                    "Signature expired: {date} is now earlier than {limit} ({server} - {minutes} min.)"
                )
            } else {
                let limit = AmzDate::from(now.saturating_add(signed(*window)).unwrap_or(*now));
                format!(
                    "Signature not yet current: {date} is still later than {limit} ({server} + {minutes} min.)"
                )
            })
        }
        Refusal::Mismatch { mismatch, .. } => {
            // snapshot; the JSON services append what they computed (thread)
            let text = "The request signature we calculated does not match the signature you provided. Check your AWS \
                        Secret Access Key and signing method. Consult the service documentation for details.";
            signature(if json {
                format!(
                    "{text}\n\nThe Canonical String for this request should have been\n'{}'\n\nThe String-to-Sign should have been\n'{}'\n",
                    mismatch.canonical_request, mismatch.string_to_sign
                )
            } else {
                text.into()
            })
        }
        // These arise at S3 alone.
        Refusal::BadLifetime(_)
        | Refusal::PresignedOver { .. }
        | Refusal::PresignedEarly
        | Refusal::NoContentHash
        | Refusal::BadContentHash(_)
        | Refusal::ContentHash { .. }
        | Refusal::Chunks(_)
        | Refusal::IncompleteBody => incomplete(String::new()),
    }
}

fn signed(window: std::time::Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(window).unwrap_or(jiff::SignedDuration::MAX)
}

// inferred, after what botocore's users and other emulators report
fn incomplete_text(malformed: &Malformed) -> String {
    match malformed {
        Malformed::BothForms => {
            "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string parameter \
             or the Authorization header should be specified"
                .into()
        }
        Malformed::Scheme(scheme) => format!("Unsupported AWS 'algorithm': '{scheme}'."),
        Malformed::Header { missing, header } => {
            let mut text = String::new();
            for name in missing {
                text.push_str(&match *name {
                    "X-Amz-Date" => "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header. ".into(),
                    name => format!("Authorization header requires '{name}' parameter. "),
                });
            }
            let hashed = STANDARD.encode(Sha256::digest(header));
            format!("{text}(Hashed with SHA-256 and encoded with Base64) Authorization={hashed}")
        }
        Malformed::Query { missing } => {
            let texts: Vec<String> = missing
                .iter()
                .map(|name| format!("AWS query-string parameters must include '{name}'. "))
                .collect();
            format!("{}Re-examine the query-string parameters.", texts.concat())
        }
        Malformed::Credential { credential, .. } => format!(
            "Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term, got '{credential}'"
        ),
        Malformed::Date(text) => format!(
            "Date must be in ISO-8601 'basic format'. Got '{text}'. See http://en.wikipedia.org/wiki/ISO_8601"
        ),
    }
}

fn error(code: &'static str, status: u16, message: impl Into<String>) -> ServiceError {
    ServiceError::new(code, status, message)
}

fn s3(refusal: &Refusal) -> ServiceError {
    match refusal {
        // thread
        Refusal::Unsigned => error("AccessDenied", 403, "Access Denied"),
        Refusal::Malformed(malformed) => s3_malformed(malformed),
        // snapshot; the region is reported alone when both are wrong
        Refusal::Scope { service, form, region, other_service } => {
            let (code, subject) = malformed_in(*form);
            match (region, other_service) {
                (Some((found, expected)), _) => error(
                    code,
                    400,
                    format!("{subject}; the region '{found}' is wrong; expecting '{expected}'"),
                )
                .with("Region", expected.as_str()),
                (None, other) => error(
                    code,
                    400,
                    format!(
                        "{subject}; incorrect service \"{}\". This endpoint belongs to \"{service}\".",
                        other.as_deref().unwrap_or_default()
                    ),
                ),
            }
        }
        // docs
        Refusal::ScopeDate { scope, date } => error(
            "AuthorizationHeaderMalformed",
            400,
            format!(
                "The authorization header is malformed; Invalid credential date \"{scope}\". This date is not the same as X-Amz-Date: \"{}\".",
                date.day()
            ),
        ),
        // inferred
        Refusal::ScopeTerminator(found) => error(
            "AuthorizationHeaderMalformed",
            400,
            format!("The authorization header is malformed; incorrect terminal \"{found}\". This endpoint uses \"aws4_request\"."),
        ),
        // snapshot
        Refusal::HeadersNotSigned(names) => error(
            "AccessDenied",
            403,
            "There were headers present in the request which were not signed",
        )
        .with("HeadersNotSigned", names.join(", ")),
        // snapshot
        Refusal::UnknownKey { access_key_id, .. } | Refusal::RoleGone { access_key_id } => error(
            "InvalidAccessKeyId",
            403,
            "The AWS Access Key Id you provided does not exist in our records.",
        )
        .with("AWSAccessKeyId", access_key_id.as_str()),
        // snapshot
        Refusal::UndecodableToken(token) | Refusal::NeedlessToken(token) => error(
            "InvalidToken",
            400,
            "The provided token is malformed or otherwise invalid.",
        )
        .with("Token-0", token.as_str()),
        // snapshot
        Refusal::Expired { token } => error("ExpiredToken", 400, "The provided token has expired.")
            .with("Token-0", token.as_str()),
        // docs
        Refusal::Skewed { date, now, window } => error(
            "RequestTimeTooSkewed",
            403,
            "The difference between the request time and the current time is too large.",
        )
        .with("RequestTime", date.as_str())
        .with("ServerTime", seconds(*now))
        .with("MaxAllowedSkewMilliseconds", window.as_millis().to_string()),
        // docs
        Refusal::BadLifetime(text) => error(
            "AuthorizationQueryParametersError",
            400,
            match text.as_deref().map(str::parse::<i64>) {
                None => QUERY_INCOMPLETE,
                Some(Err(_)) => "X-Amz-Expires should be a number",
                Some(Ok(n)) if n < 0 => "X-Amz-Expires must be non-negative",
                Some(Ok(_)) => {
                    "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less \
                     than 604800 seconds"
                }
            },
        ),
        // snapshot
        Refusal::PresignedOver { lifetime, until, now } => {
            error("AccessDenied", 403, "Request has expired")
                .with("X-Amz-Expires", lifetime.to_string())
                .with("Expires", seconds(*until))
                .with("ServerTime", seconds(*now))
        }
        // docs
        Refusal::PresignedEarly => error("AccessDenied", 403, "Request is not valid yet"),
        // snapshot
        Refusal::Mismatch { access_key_id, mismatch } => mismatch_members(access_key_id, mismatch),
        // docs
        Refusal::NoContentHash => error(
            "InvalidRequest",
            400,
            "Missing required header for this request: x-amz-content-sha256",
        ),
        // docs
        Refusal::BadContentHash(found) => error(
            "InvalidArgument",
            400,
            "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, \
             STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER, \
             STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD, STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
        )
        .with("ArgumentName", "x-amz-content-sha256")
        .with("ArgumentValue", found.as_str()),
        // inferred
        Refusal::ContentHash { client, computed } => error(
            "XAmzContentSHA256Mismatch",
            400,
            "The provided 'x-amz-content-sha256' header does not match what was computed.",
        )
        .with("ClientComputedContentSHA256", client.as_str())
        .with("S3ComputedContentSHA256", computed.as_str()),
        // docs
        Refusal::Chunks(what) => error(
            "InvalidRequest",
            400,
            "The body is not well-formed aws-chunked content.",
        )
        .because(what.clone()),
        // docs
        Refusal::IncompleteBody => error(
            "IncompleteBody",
            400,
            "The request body terminated unexpectedly",
        ),
    }
}

// snapshot
const QUERY_INCOMPLETE: &str = "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, \
                                X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.";

fn malformed_in(form: Form) -> (&'static str, &'static str) {
    match form {
        Form::Header => (
            "AuthorizationHeaderMalformed",
            "The authorization header is malformed",
        ),
        Form::Query => (
            "AuthorizationQueryParametersError",
            "Error parsing the X-Amz-Credential parameter",
        ),
    }
}

fn s3_malformed(malformed: &Malformed) -> ServiceError {
    match malformed {
        // docs
        Malformed::BothForms => error("InvalidArgument", 400, incomplete_text(malformed))
            .with("ArgumentName", "Authorization"),
        // docs
        Malformed::Scheme(scheme) if scheme == "AWS" || scheme.starts_with("AWS4-") => error(
            "InvalidRequest",
            400,
            "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.",
        ),
        // docs
        Malformed::Scheme(scheme) => {
            error("InvalidArgument", 400, "Unsupported Authorization Type")
                .with("ArgumentName", "Authorization")
                .with("ArgumentValue", scheme.as_str())
        }
        Malformed::Header { missing, .. } if missing.as_slice() == ["X-Amz-Date"] => error(
            "AccessDenied",
            403,
            "AWS authentication requires a valid Date or x-amz-date header",
        ),
        // docs
        Malformed::Header { .. } => error(
            "AuthorizationHeaderMalformed",
            400,
            "The authorization header is malformed; the authorization header requires three components: Credential, \
             SignedHeaders, and Signature.",
        ),
        Malformed::Query { .. } => {
            error("AuthorizationQueryParametersError", 400, QUERY_INCOMPLETE)
        }
        // snapshot
        Malformed::Credential { form, .. } => {
            let (code, subject) = malformed_in(*form);
            let subject = match form {
                Form::Header => format!("{subject}; the Credential is mal-formed"),
                Form::Query => format!("{subject}; the Credential is mal-formed"),
            };
            error(
                code,
                400,
                format!(
                    "{subject}; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
                ),
            )
        }
        Malformed::Date(_) => error(
            "AccessDenied",
            403,
            "AWS authentication requires a valid Date or x-amz-date header",
        ),
    }
}

/// S3's diagnostics of a wrong signature.
pub(crate) fn mismatch_members(access_key_id: &str, mismatch: &Mismatch) -> ServiceError {
    let spaced = |text: &str| {
        let bytes: Vec<String> = text.bytes().map(|b| format!("{b:02x}")).collect();
        bytes.join(" ")
    };
    ServiceError::new(
        "SignatureDoesNotMatch",
        403,
        "The request signature we calculated does not match the signature you provided. Check your key and signing method.",
    )
    .with("AWSAccessKeyId", access_key_id)
    .with("StringToSign", mismatch.string_to_sign.as_str())
    .with("SignatureProvided", mismatch.signature.as_str())
    .with("StringToSignBytes", spaced(&mismatch.string_to_sign))
    .with("CanonicalRequest", mismatch.canonical_request.as_str())
    .with("CanonicalRequestBytes", spaced(&mismatch.canonical_request))
}

fn seconds(at: emu_core::Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

/// A request to a service we do not have. The text is ours, in AWS's shape.
pub(crate) fn unsupported(name: &str) -> ServiceError {
    let supported: Vec<&str> = Service::ALL.iter().map(|s| s.signing_name()).collect();
    ServiceError::new(
        "UnsupportedOperation",
        400,
        format!(
            "The service '{name}' is not emulated. Emulated services: {}.",
            supported.join(", ")
        ),
    )
}

/// A service answers too many requests. STS: `Throttling` 400; EKS Auth: `ThrottlingException` 429 (model). Texts inferred.
pub(crate) fn throttled(service: Service) -> ServiceError {
    match service.family() {
        Family::Json => ServiceError::new("ThrottlingException", 429, "Rate exceeded"),
        Family::Query => ServiceError::new("Throttling", 400, "Rate exceeded"),
        Family::S3 => ServiceError::new("SlowDown", 503, "Please reduce your request rate."),
    }
}

/// A handler failed in a way it should not have.
pub(crate) fn internal(service: Service) -> ServiceError {
    match service.family() {
        Family::Json => ServiceError::new("InternalServerException", 500, "Internal failure"),
        Family::Query => ServiceError::new("InternalFailure", 500, "Internal failure"),
        Family::S3 => ServiceError::new(
            "InternalError",
            500,
            "We encountered an internal error. Please try again.",
        ),
    }
}
