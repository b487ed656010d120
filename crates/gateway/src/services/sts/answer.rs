//! Writing the answers of STS; the order of elements is that of the snapshots.

use bytes::Bytes;
use emu_cloud::{
    Call,
    sts::{CallerIdentity, FederatedSession, Session, WebIdentitySession},
};
use emu_core::Timestamp;
use http::Response;

use super::{
    FRAME,
    query::{self, Xml},
};

/// ISO 8601 in UTC, whole seconds.
fn time(at: Timestamp) -> String {
    Timestamp::from_second(at.as_second())
        .unwrap_or(at)
        .to_string()
}

fn credentials(xml: &mut Xml, session: &Session) {
    xml.element("Credentials", |xml| {
        xml.text("AccessKeyId", &session.access_key_id)
            .text("SecretAccessKey", &session.secret_access_key)
            .text("SessionToken", &session.session_token)
            .text("Expiration", time(session.expires_at));
    });
}

fn assumed_role_user(xml: &mut Xml, session: &Session) {
    xml.element("AssumedRoleUser", |xml| {
        xml.text("AssumedRoleId", &session.assumed_role_id)
            .text("Arn", &session.assumed_role_arn);
    });
}

pub(super) fn assumed(call: &Call, session: &Session) -> Response<Bytes> {
    query::result(FRAME, "AssumeRole", &call.request_id, |xml| {
        assumed_role_user(xml, session);
        credentials(xml, session);
        xml.optional("PackedPolicySize", session.packed_policy_size)
            .optional(
                "SourceIdentity",
                session.identity.source_identity.as_deref(),
            );
    })
}

pub(super) fn web_identity(call: &Call, answer: &WebIdentitySession) -> Response<Bytes> {
    query::result(
        FRAME,
        "AssumeRoleWithWebIdentity",
        &call.request_id,
        |xml| {
            xml.text("SubjectFromWebIdentityToken", &answer.subject)
                .text("Audience", &answer.audience);
            assumed_role_user(xml, &answer.session);
            credentials(xml, &answer.session);
            xml.text("Provider", &answer.provider)
                .optional("PackedPolicySize", answer.session.packed_policy_size)
                .optional(
                    "SourceIdentity",
                    answer.session.identity.source_identity.as_deref(),
                );
        },
    )
}

pub(super) fn caller_identity(call: &Call) -> Response<Bytes> {
    let identity = CallerIdentity::from(&call.identity);
    query::result(FRAME, "GetCallerIdentity", &call.request_id, |xml| {
        xml.text("Arn", identity.arn)
            .text("UserId", identity.user_id)
            .text("Account", identity.account);
    })
}

pub(super) fn session_token(call: &Call, session: &Session) -> Response<Bytes> {
    query::result(FRAME, "GetSessionToken", &call.request_id, |xml| {
        credentials(xml, session);
    })
}

pub(super) fn federation_token(call: &Call, answer: &FederatedSession) -> Response<Bytes> {
    query::result(FRAME, "GetFederationToken", &call.request_id, |xml| {
        credentials(xml, &answer.session);
        xml.element("FederatedUser", |xml| {
            xml.text("FederatedUserId", &answer.session.assumed_role_id)
                .text("Arn", &answer.session.assumed_role_arn);
        })
        .text("PackedPolicySize", answer.packed_policy_size);
    })
}

pub(super) fn account(call: &Call, account: &str) -> Response<Bytes> {
    query::result(FRAME, "GetAccessKeyInfo", &call.request_id, |xml| {
        xml.text("Account", account);
    })
}

pub(super) fn decoded(call: &Call, message: &str) -> Response<Bytes> {
    query::result(
        FRAME,
        "DecodeAuthorizationMessage",
        &call.request_id,
        |xml| {
            xml.text("DecodedMessage", message);
        },
    )
}
