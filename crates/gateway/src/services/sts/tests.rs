//! The bytes of STS.

use std::sync::Arc;

use bytes::Bytes;
use emu_cloud::{
    Call, Cloud,
    iam::{CreateUser, NewRole},
};
use emu_core::{Clock, Ids, Journal, Settings};
use http::{Request, Response};

use super::{super::ApiRecord, handle};

fn cloud() -> Arc<Cloud> {
    let clock = Clock::new();
    Cloud::new(
        clock.clone(),
        Journal::new(clock, 1_000),
        Settings::default(),
        Ids::seeded(1),
    )
}

fn ask(cloud: &Arc<Cloud>, call: &Call, form: &str) -> (Response<Bytes>, String) {
    let request = Request::builder()
        .method("POST")
        .uri("/")
        .body(Bytes::from(form.to_owned()))
        .unwrap();
    let response = handle(cloud, call.clone(), request);
    let text = String::from_utf8(response.body().to_vec()).unwrap();
    (response, text)
}

fn root(cloud: &Cloud) -> Call {
    Call {
        request_id: "id-1".into(),
        ..Call::administrator(cloud, "000000000000")
    }
}

#[test]
fn an_assumed_role() {
    let cloud = cloud();
    let root = root(&cloud);
    cloud
        .iam
        .create_user(
            &cloud,
            &root,
            CreateUser {
                name: "alice".into(),
                ..CreateUser::default()
            },
        )
        .unwrap();
    let key = cloud
        .iam
        .create_access_key(&cloud, &root, Some("alice"))
        .unwrap();
    let identity = cloud.find_credential(&key.id).unwrap().identity;
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::000000000000:user/alice"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"]}]}"#;
    let new = NewRole {
        name: "app".into(),
        trust: trust.into(),
        ..NewRole::default()
    };
    let role = cloud.iam.put_role(&cloud, "000000000000", new).unwrap();
    let alice = Call { identity, ..root };
    let arn = &role.arn;
    // The first of two equal names counts.
    let (response, text) = ask(
        &cloud,
        &alice,
        &format!(
            "Action=AssumeRole&Version=2011-06-15&RoleArn={arn}&RoleSessionName=first&RoleSessionName=second&SourceIdentity=me&DurationSeconds=%2B900"
        ),
    );
    assert_eq!(response.status(), 200, "{text}");
    let between = |a: &str, b: &str| {
        text.split(a)
            .nth(1)
            .unwrap()
            .split(b)
            .next()
            .unwrap()
            .to_owned()
    };
    let expected = format!(
        "<AssumeRoleResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <AssumeRoleResult>\n    <AssumedRoleUser>\n      \
         <AssumedRoleId>{id}:first</AssumedRoleId>\n      <Arn>arn:aws:sts::000000000000:assumed-role/app/first</Arn>\n    \
         </AssumedRoleUser>\n    <Credentials>\n      <AccessKeyId>{key}</AccessKeyId>\n      \
         <SecretAccessKey>{secret}</SecretAccessKey>\n      <SessionToken>{token}</SessionToken>\n      \
         <Expiration>{expiration}</Expiration>\n    </Credentials>\n    <SourceIdentity>me</SourceIdentity>\n  \
         </AssumeRoleResult>\n  <ResponseMetadata>\n    <RequestId>id-1</RequestId>\n  </ResponseMetadata>\n\
         </AssumeRoleResponse>\n",
        id = role.id,
        key = between("<AccessKeyId>", "<"),
        secret = between("<SecretAccessKey>", "<"),
        token = between("<SessionToken>", "<"),
        expiration = between("<Expiration>", "<"),
    );
    assert_eq!(text, expected);
    assert!(
        between("<Expiration>", "<").ends_with('Z') && between("<Expiration>", "<").len() == 20
    );
    let record = response.extensions().get::<ApiRecord>().unwrap();
    assert_eq!(
        (record.action.as_str(), &record.resource),
        ("sts:AssumeRole", arn)
    );

    let (response, text) = ask(
        &cloud,
        &alice,
        &format!(
            "Action=AssumeRole&RoleArn={arn}&RoleSessionName=first&Tags.member.1.Key=a&Tags.member.1.Value=b"
        ),
    );
    assert_eq!(response.status(), 403);
    assert_eq!(
        text,
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\">\n  <Error>\n    <Type>Sender</Type>\n    \
             <Code>AccessDenied</Code>\n    <Message>User: arn:aws:iam::000000000000:user/alice is not authorized to perform: \
             sts:TagSession on resource: {arn}</Message>\n  </Error>\n  <RequestId>id-1</RequestId>\n</ErrorResponse>\n"
        )
    );
    assert!(
        response
            .extensions()
            .get::<ApiRecord>()
            .unwrap()
            .verdict
            .is_some()
    );
}

#[test]
fn refusals_of_the_schema() {
    let cloud = cloud();
    let root = root(&cloud);
    for (form, code, message) in [
        (
            "Action=AssumeRole&DurationSeconds=abc",
            "MalformedInput",
            None,
        ),
        (
            "Action=GetSessionToken&DurationSeconds=",
            "MalformedInput",
            Some("missing value for decimal type"),
        ),
        (
            "Action=AssumeRole&RoleArn=arn:aws:iam::000000000000:role/app",
            "ValidationError",
            Some(
                "1 validation error detected: Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null",
            ),
        ),
        (
            "Action=Nonsense",
            "InvalidAction",
            Some("Could not find operation Nonsense for version 2011-06-15"),
        ),
    ] {
        let (response, text) = ask(&cloud, &root, form);
        assert_eq!(response.status(), 400);
        assert!(text.contains(&format!("<Code>{code}</Code>")), "{text}");
        match message {
            Some(message) => assert!(
                text.contains(&format!("<Message>{message}</Message>")),
                "{text}"
            ),
            None => assert!(!text.contains("<Message>"), "{text}"),
        }
    }
}

#[test]
fn who_am_i() {
    let cloud = cloud();
    let (response, text) = ask(
        &cloud,
        &root(&cloud),
        "Action=GetCallerIdentity&Version=2011-06-15&Unknown=1",
    );
    assert!(
        response
            .headers()
            .contains_key("x-amz-sts-extended-request-id")
    );
    assert!(text.contains(
        "  <GetCallerIdentityResult>\n    <Arn>arn:aws:iam::000000000000:root</Arn>\n    <UserId>000000000000</UserId>\n    \
         <Account>000000000000</Account>\n  </GetCallerIdentityResult>\n"
    ), "{text}");
}
