//! How refusals are worded, and which keys a request carries.

use std::collections::BTreeMap;

use crate::{
    Access, Call, Identity,
    iam::{EntityKind, NewRole},
    sts::AssumeRole,
    testing::{ACCOUNT, OTHER, allow, call, cloud, root, said, trusting, user},
};

fn access(action: &str, resource: &str) -> Access {
    Access {
        action: action.into(),
        resource: resource.into(),
        resource_account: ACCOUNT.into(),
        ..Access::default()
    }
}

#[test]
fn each_service_has_its_words() {
    let cloud = cloud();
    let alice = user(&cloud, ACCOUNT, "alice", "");
    let who = "User: arn:aws:iam::111122223333:user/alice is not authorized to perform:";
    let role = "arn:aws:iam::111122223333:role/team/app";
    let cluster = "arn:aws:eks:us-east-1:111122223333:cluster/c";
    for (action, resource, code, tail) in [
        (
            "s3:GetObject",
            "arn:aws:s3:::b/k",
            "AccessDenied",
            "on resource: \"arn:aws:s3:::b/k\" because no identity-based policy allows the s3:GetObject action",
        ),
        (
            "s3:ListAllMyBuckets",
            "*",
            "AccessDenied",
            "on resource: \"arn:aws:s3:::*\" because no identity-based policy allows the s3:ListAllMyBuckets action",
        ),
        (
            "iam:GetRole",
            role,
            "AccessDenied",
            "on resource: role app because no identity-based policy allows the iam:GetRole action",
        ),
        (
            "iam:PassRole",
            role,
            "AccessDeniedException",
            "on resource: arn:aws:iam::111122223333:role/team/app because no identity-based policy allows the iam:PassRole action",
        ),
        (
            "eks:DescribeCluster",
            cluster,
            "AccessDeniedException",
            "on resource: arn:aws:eks:us-east-1:111122223333:cluster/c because no identity-based policy allows the eks:DescribeCluster action",
        ),
        (
            "eks-auth:AssumeRoleForPodIdentity",
            cluster,
            "AccessDeniedException",
            "on resource: arn:aws:eks:us-east-1:111122223333:cluster/c",
        ),
        (
            "sts:GetAccessKeyInfo",
            "*",
            "AccessDenied",
            "on resource: *",
        ),
    ] {
        let answer = said(cloud.require(&alice, access(action, resource)));
        assert_eq!(answer, (code.to_owned(), format!("{who} {action} {tail}")));
    }
    let anonymous = Call {
        identity: Identity::anonymous(),
        ..alice
    };
    assert_eq!(
        said(cloud.require(&anonymous, access("s3:GetObject", "arn:aws:s3:::b/k"))).1,
        "Access Denied"
    );
}

#[test]
fn each_layer_has_its_words() {
    let cloud = cloud();
    let deny = |effect: &str| allow("s3:*", "*").replace("Allow", effect);
    let bob = user(&cloud, ACCOUNT, "bob", &deny("Deny"));
    let ends = |caller: &Call, access: Access, tail: &str| {
        let text = said(cloud.require(caller, access)).1;
        assert!(text.ends_with(tail), "{text}");
    };
    let get = || access("s3:GetObject", "arn:aws:s3:::b/k");
    ends(
        &bob,
        get(),
        "with an explicit deny in an identity-based policy",
    );
    let alice = user(&cloud, ACCOUNT, "alice", &allow("s3:*", "*"));
    let bucket = |effect: &str, principal: &str| {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"{effect}","Principal":{principal},"Action":"s3:*","Resource":"arn:aws:s3:::b/*"}}]}}"#
        );
        Access {
            resource_policy: Some(("b".into(), text)),
            ..get()
        }
    };
    assert!(cloud.require(&alice, get()).is_ok());
    ends(
        &alice,
        bucket("Deny", "\"*\""),
        "with an explicit deny in a resource-based policy",
    );
    let foreign = user(&cloud, OTHER, "carol", &allow("s3:*", "*"));
    ends(
        &foreign,
        get(),
        "because no resource-based policy allows the s3:GetObject action",
    );
    assert!(
        cloud
            .require(
                &foreign,
                bucket("Allow", &format!("{{\"AWS\":\"{OTHER}\"}}"))
            )
            .is_ok()
    );
    // Root is root in its own account alone.
    assert!(cloud.require(&root(&cloud), get()).is_ok());
    let other_root = Call::administrator(&cloud, OTHER);
    ends(
        &other_root,
        get(),
        "because no resource-based policy allows the s3:GetObject action",
    );
    let boundary = Some("arn:aws:iam::aws:policy/AmazonSQSFullAccess");
    cloud
        .iam
        .set_boundary(&cloud, &root(&cloud), EntityKind::User, "alice", boundary)
        .unwrap();
    ends(
        &alice,
        get(),
        "because no permissions boundary allows the s3:GetObject action",
    );
    let verdict = cloud.authorize(&alice, get()).unwrap_err();
    assert_eq!(said(cloud.require(&alice, get())).0, "AccessDenied");
    assert!(!verdict.explain().is_empty());
}

#[test]
fn the_keys_of_a_request() {
    let cloud = cloud();
    let alice = user(&cloud, ACCOUNT, "alice", "");
    let holds = |caller: &Call, condition: &str| {
        let policy = allow("s3:*", "*").replace(
            "\"Resource\"",
            &format!("\"Condition\":{{{condition}}},\"Resource\""),
        );
        let name = if caller.identity.user_name.is_some() {
            "alice"
        } else {
            "app"
        };
        let kind = if name == "alice" {
            EntityKind::User
        } else {
            EntityKind::Role
        };
        cloud
            .iam
            .put_inline_policy(&cloud, &root(&cloud), kind, name, "p", &policy)
            .unwrap();
        let access = Access {
            context: BTreeMap::from([("s3:prefix".to_owned(), vec!["home/".to_owned()])]),
            resource_tags: BTreeMap::from([("env".to_owned(), "test".to_owned())]),
            ..access("s3:ListBucket", "arn:aws:s3:::b")
        };
        assert!(cloud.require(caller, access).is_ok(), "{condition}");
    };
    let alice = Call {
        source_ip: Some("10.1.2.3".parse().unwrap()),
        user_agent: Some("aws-cli/2".into()),
        ..alice
    };
    for condition in [
        r#""ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:user/alice"}"#,
        r#""StringEquals":{"aws:PrincipalAccount":"111122223333","aws:PrincipalType":"User","aws:username":"alice"}"#,
        r#""StringLike":{"aws:userid":"AIDA*"}"#,
        r#""Null":{"aws:TokenIssueTime":"true","aws:MultiFactorAuthPresent":"true","aws:SourceArn":"true"}"#,
        r#""IpAddress":{"aws:SourceIp":"10.0.0.0/8"}"#,
        r#""StringLike":{"aws:UserAgent":"aws-cli*"}"#,
        r#""Bool":{"aws:SecureTransport":"true","aws:ViaAWSService":"false","aws:PrincipalIsAWSService":"false"}"#,
        r#""StringEquals":{"aws:RequestedRegion":"us-east-1","s3:prefix":"home/","aws:ResourceTag/ENV":"test","aws:ResourceAccount":"111122223333"}"#,
        r#""DateGreaterThan":{"aws:CurrentTime":"2020-01-01T00:00:00Z"},"NumericGreaterThan":{"aws:EpochTime":"1500000000"}"#,
    ] {
        holds(&alice, condition);
    }
    let tags = vec![
        ("team".to_owned(), "role".to_owned()),
        ("own".to_owned(), "yes".to_owned()),
    ];
    let trust = trusting(&alice.identity.caller.arn);
    let new = NewRole {
        name: "app".into(),
        path: Some("/p/".into()),
        trust,
        tags,
        ..NewRole::default()
    };
    let app = cloud.iam.put_role(&cloud, ACCOUNT, new).unwrap();
    let request = AssumeRole {
        caller: alice.identity,
        role_arn: app.arn.clone(),
        session_name: "session".into(),
        tags: vec![("Team".into(), "session".into())],
        source_identity: Some("alice".into()),
        ..AssumeRole::default()
    };
    let session = call(
        &cloud,
        cloud.sts.assume_role(&cloud, request).unwrap().identity,
    );
    for condition in [
        r#""ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/p/app"}"#,
        r#""StringEquals":{"aws:PrincipalType":"AssumedRole","aws:PrincipalTag/team":"session","aws:PrincipalTag/own":"yes","aws:SourceIdentity":"alice"}"#,
        r#""StringLike":{"aws:userid":"AROA*:session"},"Null":{"aws:username":"true","aws:TokenIssueTime":"false"}"#,
        r#""Bool":{"aws:MultiFactorAuthPresent":"false"}"#,
    ] {
        holds(&session, condition);
    }
}
