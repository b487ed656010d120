//! The constraints of the model (E.3 of the reference).

use std::time::Duration;

use super::{alice_and_app, pair};
use crate::{
    sts::{AssumeRole, Parameters},
    testing::said,
};

const ARN: &str =
    r"[\u0009\u000A\u000D\u0020-\u007E\u0085\u00A0-\uD7FF\uE000-\uFFFD\u10000-\u10FFFF]+";

fn one(value: &str, member: &str, constraint: &str) -> (String, String) {
    pair(
        "ValidationError",
        &format!(
            "1 validation error detected: Value {value} at '{member}' failed to satisfy constraint: Member must {constraint}"
        ),
    )
}

#[test]
fn members_that_are_missing() {
    let both = Parameters::default().check_assume_role();
    assert_eq!(
        said(both).1,
        "2 validation errors detected: Value null at 'roleArn' failed to satisfy constraint: Member must not be null; \
         Value null at 'roleSessionName' failed to satisfy constraint: Member must not be null"
    );
    let name = Parameters {
        role_arn: Some("arn:aws:iam::111122223333:role/app"),
        ..Parameters::default()
    };
    assert_eq!(
        said(name.check_assume_role()),
        one("null", "roleSessionName", "not be null")
    );
    assert_eq!(
        said(
            Parameters {
                session_name: Some("ab"),
                ..name
            }
            .check_web_identity()
        ),
        one("null", "webIdentityToken", "not be null")
    );
}

#[test]
fn members_out_of_bounds() {
    let (cloud, _, fine) = alice_and_app();
    type Change = fn(&mut AssumeRole);
    let cases: &[(Change, (String, String))] = &[
        (
            |r| r.role_arn = "not-an-arn".into(),
            one(
                "'not-an-arn'",
                "roleArn",
                "have length greater than or equal to 20",
            ),
        ),
        (
            |r| r.session_name = "a".into(),
            one(
                "'a'",
                "roleSessionName",
                "have length greater than or equal to 2",
            ),
        ),
        (
            |r| r.session_name = String::new(),
            one(
                "''",
                "roleSessionName",
                "have length greater than or equal to 2",
            ),
        ),
        (
            |r| r.session_name = "a".repeat(65),
            one(
                &format!("'{}'", "a".repeat(65)),
                "roleSessionName",
                "have length less than or equal to 64",
            ),
        ),
        (
            |r| r.session_name = "bad/name".into(),
            one(
                "'bad/name'",
                "roleSessionName",
                r"satisfy regular expression pattern: [\w+=,.@-]*",
            ),
        ),
        (
            |r| r.duration = Some(Duration::from_secs(899)),
            one(
                "'899'",
                "durationSeconds",
                "have value greater than or equal to 900",
            ),
        ),
        (
            |r| r.duration = Some(Duration::from_secs(43_201)),
            one(
                "'43201'",
                "durationSeconds",
                "have value less than or equal to 43200",
            ),
        ),
        (
            |r| r.external_id = Some("x".into()),
            one(
                "'x'",
                "externalId",
                "have length greater than or equal to 2",
            ),
        ),
        (
            |r| r.external_id = Some("a b".into()),
            one(
                "'a b'",
                "externalId",
                r"satisfy regular expression pattern: [\w+=,.@:\/-]*",
            ),
        ),
        (
            |r| r.external_id = Some("x".repeat(1_225)),
            one(
                &format!("'{}'", "x".repeat(1_225)),
                "externalId",
                "have length less than or equal to 1224",
            ),
        ),
        (
            |r| r.source_identity = Some("x".into()),
            one(
                "'x'",
                "sourceIdentity",
                "have length greater than or equal to 2",
            ),
        ),
        (
            |r| r.tags = (0..51).map(|n| (format!("k{n}"), String::new())).collect(),
            one("''", "tags", "have length less than or equal to 50"),
        ),
        (
            |r| r.role_arn = "this-is-long-enough-but-no-arn".into(),
            pair(
                "ValidationError",
                "this-is-long-enough-but-no-arn is invalid",
            ),
        ),
    ];
    for (change, expected) in cases {
        let mut request = fine.clone();
        change(&mut request);
        assert_eq!(said(cloud.sts.assume_role(&cloud, request)), *expected);
    }
    let mut empty = fine.clone();
    empty.role_arn = String::new();
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, empty)).1,
        format!(
            "2 validation errors detected: Value '' at 'roleArn' failed to satisfy constraint: Member must satisfy regular \
             expression pattern: {ARN}; Value '' at 'roleArn' failed to satisfy constraint: Member must have length greater \
             than or equal to 20"
        )
    );
    assert!(cloud.sts.assume_role(&cloud, fine).is_ok());
}

#[test]
fn supplementary_characters_are_refused_and_lengths_are_counted_in_scalars() {
    let (cloud, _, fine) = alice_and_app();
    let arn = "arn:aws:iam::111122223333:role/\u{1F600}";
    let request = AssumeRole {
        role_arn: arn.into(),
        ..fine.clone()
    };
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, request)),
        one(
            &format!("'{arn}'"),
            "roleArn",
            &format!("satisfy regular expression pattern: {ARN}")
        )
    );
    let longest = format!("arn:aws:iam::111122223333:role/{}", "é".repeat(2_048 - 31));
    let request = AssumeRole {
        role_arn: longest,
        ..fine
    };
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, request)).0,
        "AccessDenied"
    );
}

#[test]
fn a_session_policy_that_is_none() {
    let (cloud, _, fine) = alice_and_app();
    let request = AssumeRole {
        policy: Some("nonsense".into()),
        ..fine.clone()
    };
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, request)),
        pair("MalformedPolicyDocument", "Syntax errors in policy.")
    );
    let request = AssumeRole {
        policy_arns: vec!["arn:aws:iam::aws:policy/Nothing".into()],
        ..fine
    };
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, request)),
        pair(
            "ValidationError",
            "Policy arn:aws:iam::aws:policy/Nothing does not exist or is not attachable."
        )
    );
}
