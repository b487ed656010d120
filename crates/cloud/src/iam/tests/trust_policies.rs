//! The checks of trust policies (F.6 of the reference) and the binding of principals.

use crate::{
    iam::{CreateRole, Role},
    testing::{ACCOUNT, PODS, cloud, role, root, said, trusting, user},
};

/// A document and IAM's answer; each document is a statement beside its Effect unless it begins with `!`.
const CASES: &[(&str, &str)] = &[
    ("!not json", "This policy contains invalid Json"),
    (
        r#""Principal":{"Service":"ec2.amazonaws.com"},"Action":"s3:GetObject""#,
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    (
        r#""Principal":{"Service":"ec2.amazonaws.com"},"Action":"*""#,
        "AssumeRole policy may only specify STS AssumeRole actions.",
    ),
    (
        r#""Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","Resource":"*""#,
        "Has prohibited field Resource",
    ),
    (
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/nobody"},"Action":"sts:AssumeRole""#,
        r#"Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/nobody""#,
    ),
    (
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:user/nobody"},"Action":"sts:AssumeRole""#,
        r#"Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user/nobody""#,
    ),
    (
        r#""Principal":{"AWS":"arn:aws:iam::111122223333:role/*"},"Action":"sts:AssumeRole""#,
        r#"Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:role/*""#,
    ),
    (
        r#""Principal":{"AWS":"AROAAAAAAAAAAAAAAAAAA"},"Action":"sts:AssumeRole""#,
        r#"Invalid principal in policy: "AWS":"AROAAAAAAAAAAAAAAAAAA""#,
    ),
    (
        r#""Principal":{"Service":"pod.eks.amazonaws.com"},"Action":"sts:AssumeRole""#,
        r#"Invalid principal in policy: "SERVICE":"pod.eks.amazonaws.com""#,
    ),
    (
        r#""Principal":"*","Action":"sts:AssumeRole""#,
        r#"AssumeRolepolicy contained an invalid principal: "STAR":"*"."#,
    ),
    (
        r#""Action":"sts:AssumeRole""#,
        "Missing required field Principal",
    ),
    (
        r#""Principal":{},"Action":"sts:AssumeRole""#,
        "Missing required field Principal cannot be empty!",
    ),
    (
        r#""NotPrincipal":{"AWS":"111122223333"},"Action":"sts:AssumeRole""#,
        "Allow with NotPrincipal is not allowed.",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":[{"Effect":"Deny","NotPrincipal":{"AWS":"111122223333"},"Action":"sts:AssumeRole"}]}"#,
        "AssumeRole policy must not contain NotPrincipal field.",
    ),
    (
        r#""Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole","NotResource":"*""#,
        "AssumeRole policy must not contain resources.",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":[]}"#,
        "Could not parse the policy: Statement is empty!",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":[{"Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "Missing required field Effect",
    ),
    (
        r#""Principal":{"Service":"ec2.amazonaws.com"}"#,
        "Missing required field Action",
    ),
    (
        r#"!{"Version":"2000-01-01","Statement":[{"Effect":"Allow","Principal":{"Service":"ec2.amazonaws.com"},"Action":"sts:AssumeRole"}]}"#,
        "The policy must contain a valid version string",
    ),
    (
        r#"!{"Version":"2012-10-17","Statement":[{"Sid":"a","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"},{"Sid":"a","Effect":"Allow","Principal":{"AWS":"*"},"Action":"sts:AssumeRole"}]}"#,
        "The Statement Ids in the policy are not unique",
    ),
    (
        r#""Principal":{"AWS":"*"},"Action":"sts:AssumeRole","Condition":{"Nope":{"a":"b"}}"#,
        "Syntax error in policy.",
    ),
];

fn document(case: &str) -> String {
    match case.strip_prefix('!') {
        Some(whole) => whole.into(),
        None => format!(r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow",{case}}}]}}"#),
    }
}

fn input(name: &str, trust: &str) -> CreateRole {
    CreateRole {
        name: name.into(),
        trust: trust.into(),
        ..CreateRole::default()
    }
}

#[test]
fn trust_policies_are_refused_as_recorded() {
    let cloud = cloud();
    for (case, text) in CASES {
        let answer = said(cloud.iam.create_role(
            &cloud,
            &root(&cloud),
            input("r", &document(case)),
        ));
        assert_eq!(
            answer,
            ("MalformedPolicyDocument".into(), (*text).to_owned()),
            "{case}"
        );
    }
}

#[test]
fn every_form_of_principal_that_is_allowed() {
    let cloud = cloud();
    role(&cloud, ACCOUNT, "known", PODS, "");
    user(&cloud, ACCOUNT, "alice", "");
    for (n, principal) in [
        r#"{"AWS":"*"}"#,
        r#"{"AWS":"111122223333"}"#,
        r#"{"AWS":["arn:aws:iam::999999999999:root","arn:aws:iam::111122223333:role/known"]}"#,
        r#"{"AWS":"arn:aws:iam::111122223333:user/alice"}"#,
        r#"{"AWS":"arn:aws:sts::111122223333:assumed-role/whoever/session"}"#,
        r#"{"Service":["pods.eks.amazonaws.com","ec2.amazonaws.com"]}"#,
        r#"{"Federated":"arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/ABC"}"#,
    ]
    .iter()
    .enumerate()
    {
        let case = format!(r#""Principal":{principal},"Action":["sts:AssumeRole","sts:*"]"#);
        let created = cloud.iam.create_role(&cloud, &root(&cloud), input(&format!("r{n}"), &document(&case)));
        created.unwrap_or_else(|e| panic!("{principal}: {e}"));
    }
}

#[test]
fn a_principal_is_bound_to_the_one_who_bore_the_name() {
    let cloud = cloud();
    let call = root(&cloud);
    let first = role(&cloud, ACCOUNT, "app", PODS, "");
    let target = role(&cloud, ACCOUNT, "target", &trusting(&first.arn), "");
    let shown = |role: &Role| {
        cloud
            .iam
            .role(ACCOUNT, &role.name)
            .unwrap()
            .trust
            .printed(&cloud.iam)
    };
    assert_eq!(shown(&target), trusting(&first.arn));

    cloud.iam.delete_role(&cloud, &call, "app").unwrap();
    assert_eq!(
        shown(&target),
        trusting(&first.id),
        "a dead role is shown by its id"
    );
    let second = role(&cloud, ACCOUNT, "app", PODS, "");
    assert_ne!(first.id, second.id);
    assert_eq!(
        shown(&target),
        trusting(&first.id),
        "another of the same name is another"
    );

    cloud
        .iam
        .update_trust(&cloud, &call, "target", &trusting(&second.id))
        .unwrap();
    assert_eq!(
        shown(&target),
        trusting(&second.arn),
        "an id is shown as the ARN of its living bearer"
    );
}

#[test]
fn a_trust_policy_may_have_2048_characters_without_white_space() {
    let cloud = cloud();
    let long = |n: usize| {
        trusting("*").replace(
            "{\"Effect\"",
            &format!(
                "{}{{\"Sid\":\"{}\",\"Effect\"",
                " ".repeat(500),
                "a".repeat(n)
            ),
        )
    };
    let spare = 2_048 - long(0).chars().filter(|c| !c.is_whitespace()).count();
    cloud
        .iam
        .create_role(&cloud, &root(&cloud), input("fits", &long(spare)))
        .unwrap();
    assert_eq!(
        said(
            cloud
                .iam
                .create_role(&cloud, &root(&cloud), input("long", &long(spare + 1)))
        ),
        (
            "LimitExceeded".into(),
            "Cannot exceed quota for ACLSizePerRole: 2048".into()
        )
    );
}
