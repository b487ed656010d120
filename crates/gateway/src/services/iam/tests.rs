//! IAM over its protocol.

use std::sync::Arc;

use bytes::Bytes;
use emu_cloud::{Call, Cloud};
use emu_core::{Clock, Ids, Journal, Settings};
use http::Request;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::{super::ApiRecord, handle};

const TRUST: &str = r#"{ "Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"]}]}"#;

struct World(Arc<Cloud>);

impl World {
    fn new() -> Self {
        let clock = Clock::new();
        Self(Cloud::new(
            clock.clone(),
            Journal::new(clock, 1_000),
            Settings::default(),
            Ids::seeded(1),
        ))
    }

    fn ask(&self, method: &str, form: &str) -> (u16, String, ApiRecord) {
        let form = form.replace(
            "TRUST",
            &utf8_percent_encode(TRUST, NON_ALPHANUMERIC).to_string(),
        );
        let form = if form.contains("Version=") {
            form
        } else {
            format!("{form}&Version=2010-05-08")
        };
        let (uri, body) = if method == "GET" {
            (format!("/?{form}"), String::new())
        } else {
            ("/".into(), form)
        };
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .body(Bytes::from(body))
            .unwrap();
        let call = Call {
            request_id: "id-1".into(),
            ..Call::administrator(&self.0, "000000000000")
        };
        let response = handle(&self.0, call, request);
        let record = response
            .extensions()
            .get::<ApiRecord>()
            .cloned()
            .unwrap_or_default();
        (
            response.status().as_u16(),
            String::from_utf8(response.body().to_vec()).unwrap(),
            record,
        )
    }
}

#[test]
fn a_role_comes_and_goes() {
    let world = World::new();
    let (status, text, record) = world.ask("POST", "Action=CreateRole&RoleName=app&AssumeRolePolicyDocument=TRUST&Path=/team/&Tags.member.1.Key=a&Tags.member.1.Value=b");
    assert_eq!(status, 200, "{text}");
    assert_eq!(
        (record.action.as_str(), record.resource.as_str()),
        ("iam:CreateRole", "arn:aws:iam::000000000000:role/team/app")
    );
    assert!(text.starts_with("<CreateRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n  <CreateRoleResult>\n    <Role>\n"), "{text}");
    assert!(text.contains("<Arn>arn:aws:iam::000000000000:role/team/app</Arn>"));
    assert!(
        text.contains("<AssumeRolePolicyDocument>%7B%20%22Version%22%3A%222012-10-17%22"),
        "kept verbatim: {text}"
    );
    assert!(
        !text.contains("MaxSessionDuration") && !text.contains("RoleLastUsed"),
        "{text}"
    );
    let (_, text, _) = world.ask("GET", "Action=GetRole&RoleName=app");
    assert!(
        text.contains("<MaxSessionDuration>3600</MaxSessionDuration>")
            && text.contains("<RoleLastUsed/>"),
        "{text}"
    );
    let (_, text, _) = world.ask("POST", "Action=ListRoles");
    assert!(
        !text.contains("<Tags>") && text.contains("<IsTruncated>false</IsTruncated>"),
        "{text}"
    );
    let (_, text, _) = world.ask("POST", "Action=DeleteRole&RoleName=app");
    assert_eq!(
        text,
        "<DeleteRoleResponse xmlns=\"https://iam.amazonaws.com/doc/2010-05-08/\">\n  <ResponseMetadata>\n    \
         <RequestId>id-1</RequestId>\n  </ResponseMetadata>\n</DeleteRoleResponse>\n"
    );
    let (status, text, record) = world.ask("POST", "Action=GetRole&RoleName=app");
    assert_eq!(status, 404);
    assert!(text.contains("<Code>NoSuchEntity</Code>\n    <Message>The role with name app cannot be found.</Message>"), "{text}");
    assert_eq!(record.error.unwrap().code, "NoSuchEntity");
}

#[test]
fn what_is_missing_or_malformed() {
    let world = World::new();
    let (status, text, _) = world.ask("POST", "Action=PutRolePolicy&PolicyName=p");
    assert_eq!(status, 400);
    assert!(
        text.contains(
            "2 validation errors detected: Value at 'roleName' failed to satisfy constraint: Member must not be null; Value at \
             'policyDocument' failed to satisfy constraint: Member must not be null"
        ),
        "{text}"
    );
    let (_, text, _) = world.ask("POST", "Action=ListRoles&MaxItems=many");
    assert!(
        text.contains("<Code>MalformedInput</Code>\n  </Error>"),
        "{text}"
    );
    let (_, text, _) = world.ask("POST", "Action=Nonsense");
    assert!(
        text.contains("Could not find operation Nonsense for version 2010-05-08"),
        "{text}"
    );
    let (_, text, _) = world.ask("POST", "Action=ListRoles&Version=2000-01-01");
    assert!(
        text.contains("Could not find operation ListRoles for version 2000-01-01"),
        "{text}"
    );
}
