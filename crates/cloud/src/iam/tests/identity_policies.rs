//! The recorded checks of identity policies, in AWS's order (F.5 of the reference).

use crate::{
    iam::CreatePolicy,
    testing::{cloud, root, said},
};

/// Statement fields beside Effect, or a whole document if it begins with `!`.
const CASES: &[(&str, &str)] = &[
    ("!not json", "Syntax errors in policy."),
    ("![]", "Syntax errors in policy."),
    (
        r#"!{"Version":"2012-10-17","Statement":[],"Extra":1}"#,
        "Syntax errors in policy.",
    ),
    (r#"!{"Version":"2012-10-17"}"#, "Syntax errors in policy."),
    (
        r#"!{"Version":"2012-10-17","Statement":[]}"#,
        "Syntax errors in policy.",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":["x"]}"#,
        "Syntax errors in policy.",
    ),
    (
        r#"!{"Version":"2099-01-01","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        "Syntax errors in policy.",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":[{"Action":"s3:*","Resource":"*"}]}"#,
        "Syntax errors in policy.",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":[{"Effect":"Permit","Action":"s3:*","Resource":"*"}]}"#,
        "Syntax errors in policy.",
    ),
    (
        r#""Action":"s3:*","NotAction":"s3:*","Resource":"*""#,
        "Syntax errors in policy.",
    ),
    (
        r#""Action":"s3:*","Resource":"*","NotResource":"*""#,
        "Syntax errors in policy.",
    ),
    (
        r#""Action":"s3:*","Resource":"*","Condition":{"Nope":{"a":"b"}}"#,
        "Syntax errors in policy.",
    ),
    (
        r#""Sid":1,"Action":"s3:*","Resource":"*""#,
        "Syntax errors in policy.",
    ),
    (
        r#"!{"Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        "Policy document must be version 2012-10-17 or greater.",
    ),
    (
        r#"!{"Version":"2008-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        "Policy document must be version 2012-10-17 or greater.",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":[{"Effect":"allow","Action":"s3:*","Resource":"*"}]}"#,
        "The policy failed legacy parsing",
    ),
    (
        r#""Action":"s3:*","Resource":"arn:aws:sqs::q""#,
        "The policy failed legacy parsing",
    ),
    (
        r#""Action":"s3:*","Resource":"*","Condition":{"DateLessThan":{"aws:CurrentTime":"nonsense"}}"#,
        "The policy failed legacy parsing",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"a","Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
        "Statement IDs (SID) in a single policy must be unique.",
    ),
    (
        r#""Resource":"*""#,
        "Policy statement must contain actions.",
    ),
    (
        r#""Action":"s3:*","Resource":"bucket""#,
        r#"Resource bucket must be in ARN format or "*"."#,
    ),
    (
        r#""Action":"s3:*","Resource":"arn:b:c:d:e:f:g:h""#,
        r#"Partition "b" is not valid for resource "arn:b:c:d:e:f:g:h"."#,
    ),
    (
        r#""Action":"s3:*","Resource":"arn:aws:s*:::bucket""#,
        "Resource vendor must be fully qualified and cannot contain regexes.",
    ),
    (
        r#""Action":"iam:*","Resource":"arn:aws:iam:us-east-1:111122223333:role/x""#,
        "IAM resource arn:aws:iam:us-east-1:111122223333:role/x cannot contain region information.",
    ),
    (
        r#""Action":"s3:*","Resource":"arn:aws:s3:us-east-1::bucket""#,
        "Resource arn:aws:s3:us-east-1::bucket can not contain region information.",
    ),
    (
        r#""Action":"iam:*","Resource":"arn:aws:iam::111122223333:thing/x""#,
        r#"IAM resource path must either be "*", root, or start with user/, federated-user/, role/, group/, instance-profile/, mfa/, server-certificate/, policy/, sms-mfa/, saml-provider/, oidc-provider/, report/, access-report/."#,
    ),
    (
        r#""Action":"everything","Resource":"*""#,
        "Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.",
    ),
    (
        r#""Action":"s3:Get:Object","Resource":"*""#,
        "Actions/Condition can contain only one colon.",
    ),
    (
        r#""Action":"s%3:GetObject","Resource":"*""#,
        "Vendor s%3 is not valid",
    ),
    (
        r#""Action":"s3:GetObject""#,
        "Policy statement must contain resources.",
    ),
    (
        r#""Action":"s3:GetObject","Resource":"*","Principal":"*""#,
        "Policy document should not specify a principal.",
    ),
];

fn document(case: &str) -> String {
    match case.strip_prefix('!') {
        Some(whole) => whole.into(),
        None => format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{case}}}]}}"#),
    }
}

#[test]
fn managed_policies_are_refused_as_recorded() {
    let cloud = cloud();
    for (case, text) in CASES {
        let input = CreatePolicy {
            name: "p".into(),
            document: document(case),
            ..CreatePolicy::default()
        };
        let answer = said(cloud.iam.create_policy(&cloud, &root(&cloud), input));
        assert_eq!(
            answer,
            ("MalformedPolicyDocument".into(), (*text).to_owned()),
            "{case}"
        );
    }
}

#[test]
fn what_is_accepted_without_complaint() {
    let cloud = cloud();
    for (n, case) in [
        r#""Action":"nosuch:Thing","Resource":"*""#,
        r#""Action":"s3:*","Resource":"*","Condition":{}"#,
        r#""Action":"s3:*","Resource":"*","Condition":{"Nope":{}}"#,
        r#""Action":"s3:*","Resource":"*","Condition":{"ForAnyValue:StringEqualsIfExists":{"a":"b"}}"#,
        r#"!{"Version":"2012-10-17","Id":"i","Statement":[{"Sid":"","Effect":"Allow","Action":"s3:*","Resource":"*"},{"Sid":"","Effect":"Allow","Action":"s3:*","Resource":"*"}]}"#,
    ]
    .iter()
    .enumerate()
    {
        let input = CreatePolicy { name: format!("p{n}"), document: document(case), ..CreatePolicy::default() };
        cloud.iam.create_policy(&cloud, &root(&cloud), input).unwrap_or_else(|e| panic!("{case}: {e}"));
    }
}
