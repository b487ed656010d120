//! A small AWS for tests.

use std::sync::Arc;

use emu_core::{Clock, Ids, Journal, Settings};

use crate::{Call, Cloud, Identity, ServiceError, iam::NewRole};

/// The account of the tests.
pub(crate) const ACCOUNT: &str = "111122223333";
/// Another account.
pub(crate) const OTHER: &str = "444455556666";
/// A trust policy for pods, as AWS documents it.
pub(crate) const PODS: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;

pub(crate) fn cloud() -> Arc<Cloud> {
    cloud_with(Settings::default())
}

pub(crate) fn cloud_with(mut settings: Settings) -> Arc<Cloud> {
    settings.account = ACCOUNT.into();
    let clock = Clock::new();
    Cloud::new(
        clock.clone(),
        Journal::new(clock, 10_000),
        settings,
        Ids::seeded(7),
    )
}

/// A call of the account's root.
pub(crate) fn root(cloud: &Cloud) -> Call {
    Call::administrator(cloud, ACCOUNT)
}

/// A call of a given identity.
pub(crate) fn call(cloud: &Cloud, identity: Identity) -> Call {
    Call {
        account: identity.caller.account.clone(),
        identity,
        ..root(cloud)
    }
}

/// A call of a new user with one inline policy.
pub(crate) fn user(cloud: &Cloud, account: &str, name: &str, policy: &str) -> Call {
    let root = Call::administrator(cloud, account);
    let input = crate::iam::CreateUser {
        name: name.into(),
        ..Default::default()
    };
    cloud.iam.create_user(cloud, &root, input).unwrap();
    if !policy.is_empty() {
        cloud
            .iam
            .put_inline_policy(
                cloud,
                &root,
                crate::iam::EntityKind::User,
                name,
                "p",
                policy,
            )
            .unwrap();
    }
    let key = cloud
        .iam
        .create_access_key(cloud, &root, Some(name))
        .unwrap();
    call(cloud, cloud.find_credential(&key.id).unwrap().identity)
}

/// A role with one inline policy.
pub(crate) fn role(
    cloud: &Cloud,
    account: &str,
    name: &str,
    trust: &str,
    policy: &str,
) -> Arc<crate::iam::Role> {
    let inline = if policy.is_empty() {
        Vec::new()
    } else {
        vec![("p".into(), policy.into())]
    };
    let new = NewRole {
        name: name.into(),
        trust: trust.into(),
        inline,
        ..NewRole::default()
    };
    cloud.iam.put_role(cloud, account, new).unwrap()
}

/// A trust policy naming one AWS principal with the three actions of assuming.
pub(crate) fn trusting(principal: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"{principal}"}},"Action":["sts:AssumeRole","sts:TagSession","sts:SetSourceIdentity"]}}]}}"#
    )
}

/// A policy of one statement.
pub(crate) fn allow(action: &str, resource: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":"{action}","Resource":"{resource}"}}]}}"#
    )
}

/// Code and text of an error.
pub(crate) fn said<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> (String, String) {
    let error = result.unwrap_err();
    (error.code.into_owned(), error.message)
}
