//! Who may assume what (G.6 of the reference), and what the session is.

use std::time::Duration;

use emu_core::{Event, Settings};

use super::{alice_and_app, asking, pair};
use crate::{
    Access, Identity,
    iam::{EntityKind, NewRole},
    sts::{AssumeRole, CallerIdentity},
    testing::{
        ACCOUNT, OTHER, PODS, allow, call, cloud, cloud_with, role, root, said, trusting, user,
    },
};

fn refusal(caller: &str, action: &str, role: &str) -> (String, String) {
    pair(
        "AccessDenied",
        &format!("User: {caller} is not authorized to perform: {action} on resource: {role}"),
    )
}

#[test]
fn a_session() {
    let (cloud, _, request) = alice_and_app();
    let before = cloud.now();
    let session = cloud.sts.assume_role(&cloud, request).unwrap();
    let app = cloud.iam.role(ACCOUNT, "app").unwrap();
    assert_eq!(
        session.assumed_role_arn,
        "arn:aws:sts::111122223333:assumed-role/app/session"
    );
    assert_eq!(session.assumed_role_id, format!("{}:session", app.id));
    assert_eq!(session.packed_policy_size, None);
    assert!(session.access_key_id.starts_with("ASIA") && session.access_key_id.len() == 20);
    assert!(session.session_token.len() >= 100);
    let lasts = session.expires_at.duration_since(before).as_secs();
    assert!((3_598..=3_600).contains(&lasts), "{lasts}");
    assert_eq!(session.expires_at.subsec_nanosecond(), 0);
    let credential = cloud.find_credential(&session.access_key_id).unwrap();
    assert_eq!(
        credential.session_token.as_deref(),
        Some(&*session.session_token)
    );
    assert!(credential.role_alive && credential.active);
    assert_eq!(
        CallerIdentity::from(&credential.identity),
        CallerIdentity {
            arn: session.assumed_role_arn,
            user_id: session.assumed_role_id,
            account: ACCOUNT.into(),
        }
    );
}

#[test]
fn the_table_of_callers() {
    let cloud = cloud();
    let may = allow("sts:AssumeRole", "*");
    let silent = user(&cloud, ACCOUNT, "silent", "");
    let allowed = user(&cloud, ACCOUNT, "allowed", &may);
    let foreign_silent = user(&cloud, OTHER, "silent", "");
    let foreign = user(&cloud, OTHER, "allowed", &may);
    let by_account = role(
        &cloud,
        ACCOUNT,
        "by-account",
        &trusting(&format!("arn:aws:iam::{ACCOUNT}:root")),
        "",
    );
    let by_other = role(&cloud, ACCOUNT, "by-other", &trusting(OTHER), "");
    let by_name = role(
        &cloud,
        ACCOUNT,
        "by-name",
        &trusting(&silent.identity.caller.arn),
        "",
    );
    let by_foreign_name = role(
        &cloud,
        ACCOUNT,
        "by-foreign-name",
        &trusting(&foreign_silent.identity.caller.arn),
        "",
    );
    let everyone = role(&cloud, ACCOUNT, "everyone", &trusting("*"), "");
    for (caller, role, fits) in [
        (&silent, &by_name, true),
        (&allowed, &by_name, false),
        (&silent, &by_account, false),
        (&allowed, &by_account, true),
        (&silent, &everyone, true),
        (&foreign_silent, &everyone, false),
        (&foreign, &everyone, true),
        (&foreign, &by_other, true),
        (&foreign_silent, &by_other, false),
        (&foreign_silent, &by_foreign_name, false),
        (&foreign, &by_account, false),
    ] {
        let answer = cloud.sts.assume_role(&cloud, asking(caller, &role.arn));
        if fits {
            assert!(
                answer.is_ok(),
                "{} {}",
                caller.identity.caller.arn,
                role.name
            );
        } else {
            assert_eq!(
                said(answer),
                refusal(&caller.identity.caller.arn, "sts:AssumeRole", &role.arn)
            );
        }
    }
    // No oracle for existence.
    let unknown = format!("arn:aws:iam::{ACCOUNT}:role/none");
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, asking(&allowed, &unknown))),
        refusal(&allowed.identity.caller.arn, "sts:AssumeRole", &unknown)
    );
}

#[test]
fn services() {
    let cloud = cloud();
    let app = role(&cloud, ACCOUNT, "app", PODS, "");
    let cluster = "arn:aws:eks:us-east-1:111122223333:cluster/c";
    let pods = || {
        Identity::service(
            "pods.eks.amazonaws.com",
            Some(cluster.into()),
            Some(ACCOUNT.into()),
        )
    };
    let request = |caller: Identity| AssumeRole {
        hop: 1,
        source: "pod-identity",
        caller,
        role_arn: app.arn.clone(),
        session_name: "eks-c-pod-1".into(),
        // More than the role's maximum: services are exempt from it.
        duration: Some(Duration::from_secs(21_600)),
        tags: vec![("kubernetes-namespace".into(), "default".into())],
        transitive_tag_keys: vec!["kubernetes-namespace".into()],
        ..AssumeRole::default()
    };
    let session = cloud.sts.assume_role(&cloud, request(pods())).unwrap();
    assert!(session.expires_at.duration_since(cloud.now()).as_secs() > 21_000);
    let other = Identity::service("ec2.amazonaws.com", None, None);
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, request(other))),
        refusal("ec2.amazonaws.com", "sts:TagSession", &app.arn)
    );
    let conditional = PODS.replace(
        "\"Action\"",
        &format!(r#""Condition":{{"StringEquals":{{"aws:SourceAccount":"{ACCOUNT}"}},"ArnEquals":{{"aws:SourceArn":"{cluster}"}}}},"Action""#),
    );
    cloud
        .iam
        .update_trust(&cloud, &root(&cloud), "app", &conditional)
        .unwrap();
    assert!(cloud.sts.assume_role(&cloud, request(pods())).is_ok());
    let elsewhere = Identity::service(
        "pods.eks.amazonaws.com",
        Some(cluster.into()),
        Some(OTHER.into()),
    );
    assert!(cloud.sts.assume_role(&cloud, request(elsewhere)).is_err());
}

#[test]
fn everything_asked_is_written_down() {
    let (cloud, _, mut request) = alice_and_app();
    request.tags = vec![("a".into(), "1".into())];
    request.source_identity = Some("alice".into());
    let start = cloud.journal().last();
    cloud.sts.assume_role(&cloud, request).unwrap();
    let entries = cloud.journal().since(start);
    let actions: Vec<String> = entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::TrustEvaluated {
                action, verdict, ..
            } => {
                assert_eq!(verdict["decision"], "allow");
                Some(action.clone())
            }
            _ => None,
        })
        .collect();
    assert_eq!(
        actions,
        ["sts:SetSourceIdentity", "sts:TagSession", "sts:AssumeRole"]
    );
    assert!(
        matches!(&entries.last().unwrap().event, Event::SessionIssued { role_arn, .. } if role_arn.ends_with("role/app"))
    );
    let text =
        serde_json::to_string(&entries.iter().map(|e| (**e).clone()).collect::<Vec<_>>()).unwrap();
    assert!(!text.contains("IQoJb3JpZ2lu"), "no token in the journal");
}

#[test]
fn external_ids() {
    let (cloud, alice, mut request) = alice_and_app();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"WHO"},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{"StringEquals":{"sts:ExternalId":"us-east-1/1/c/ns/sa"}}}]}"#;
    cloud
        .iam
        .update_trust(
            &cloud,
            &root(&cloud),
            "app",
            &trust.replace("WHO", &alice.identity.caller.arn),
        )
        .unwrap();
    let arn = alice.identity.caller.arn;
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, request.clone())),
        refusal(&arn, "sts:AssumeRole", &request.role_arn)
    );
    request.external_id = Some("us-east-1/1/c/ns/sa".into());
    cloud.sts.assume_role(&cloud, request.clone()).unwrap();
    // A condition that fails on both actions is reported as the extra one (thread).
    request.external_id = Some("another".into());
    request.tags = vec![("a".into(), "1".into())];
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, request.clone())),
        refusal(&arn, "sts:TagSession", &request.role_arn)
    );
}

#[test]
fn source_identities() {
    let (cloud, alice, fine) = alice_and_app();
    let trust = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"WHO"},"Action":["sts:AssumeRole","sts:SetSourceIdentity"],"Condition":{"StringEquals":{"sts:SourceIdentity":"right"}}}]}"#;
    cloud
        .iam
        .update_trust(
            &cloud,
            &root(&cloud),
            "app",
            &trust.replace("WHO", &alice.identity.caller.arn),
        )
        .unwrap();
    let arn = alice.identity.caller.arn;
    let with = |identity: Option<&str>| AssumeRole {
        source_identity: identity.map(str::to_owned),
        ..fine.clone()
    };
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, with(Some("wrong")))),
        refusal(&arn, "sts:SetSourceIdentity", &fine.role_arn)
    );
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, with(None))),
        refusal(&arn, "sts:AssumeRole", &fine.role_arn)
    );
    let session = cloud.sts.assume_role(&cloud, with(Some("right"))).unwrap();
    assert_eq!(session.identity.source_identity.as_deref(), Some("right"));
    let next = role(&cloud, ACCOUNT, "next", &trusting(&fine.role_arn), "");
    let caller = call(&cloud, session.identity);
    let replaced = AssumeRole {
        source_identity: Some("other".into()),
        ..asking(&caller, &next.arn)
    };
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, replaced)),
        pair(
            "ValidationError",
            "The source identity is already set for this assume role session"
        )
    );
    let session = cloud
        .sts
        .assume_role(&cloud, asking(&caller, &next.arn))
        .unwrap();
    assert_eq!(session.identity.source_identity.as_deref(), Some("right"));
}

#[test]
fn root_assumes_nothing_unless_lenient() {
    let cloud = cloud();
    let app = role(&cloud, ACCOUNT, "app", &trusting(ACCOUNT), "");
    let request = asking(&root(&cloud), &app.arn);
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, request.clone())),
        pair("AccessDenied", "Roles may not be assumed by root accounts.")
    );
    let lenient = cloud_with(Settings {
        lenient_roles: true,
        ..Settings::default()
    });
    role(&lenient, ACCOUNT, "app", &trusting(ACCOUNT), "");
    lenient.sts.assume_role(&lenient, request).unwrap();
}

#[test]
fn session_policies_limit_and_live_policies_follow() {
    let (cloud, _, fine) = alice_and_app();
    let put = |text: &str| {
        cloud
            .iam
            .put_inline_policy(&cloud, &root(&cloud), EntityKind::Role, "app", "p", text)
            .unwrap();
    };
    put(&allow("s3:*", "*"));
    let request = AssumeRole {
        policy: Some(allow("s3:GetObject", "*")),
        ..fine
    };
    let session = cloud.sts.assume_role(&cloud, request).unwrap();
    assert!(session.packed_policy_size.is_some());
    let caller = call(&cloud, session.identity);
    let ask = |action: &str| Access {
        action: action.into(),
        resource: "arn:aws:s3:::b/k".into(),
        ..Access::default()
    };
    assert!(cloud.require(&caller, ask("s3:GetObject")).is_ok());
    assert_eq!(
        said(cloud.require(&caller, ask("s3:PutObject"))),
        pair(
            "AccessDenied",
            "User: arn:aws:sts::111122223333:assumed-role/app/session is not authorized to perform: s3:PutObject on \
             resource: \"arn:aws:s3:::b/k\" because no session policy allows the s3:PutObject action"
        )
    );
    put(&allow("s3:List*", "*"));
    assert_eq!(
        said(cloud.require(&caller, ask("s3:GetObject"))).1,
        "User: arn:aws:sts::111122223333:assumed-role/app/session is not authorized to perform: s3:GetObject on resource: \
         \"arn:aws:s3:::b/k\" because no identity-based policy allows the s3:GetObject action"
    );
}

#[test]
fn boundaries_limit_the_session_but_not_the_assuming() {
    let cloud = cloud();
    let alice = user(&cloud, ACCOUNT, "alice", "");
    let new = NewRole {
        name: "app".into(),
        trust: trusting(&alice.identity.caller.arn),
        managed: vec!["arn:aws:iam::aws:policy/AdministratorAccess".into()],
        boundary: Some("arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess".into()),
        ..NewRole::default()
    };
    let app = cloud.iam.put_role(&cloud, ACCOUNT, new).unwrap();
    let session = cloud
        .sts
        .assume_role(&cloud, asking(&alice, &app.arn))
        .unwrap();
    let caller = call(&cloud, session.identity);
    let ask = |action: &str| Access {
        action: action.into(),
        resource: "arn:aws:s3:::b".into(),
        ..Access::default()
    };
    assert!(cloud.require(&caller, ask("s3:ListBucket")).is_ok());
    assert!(
        said(cloud.require(&caller, ask("s3:CreateBucket")))
            .1
            .ends_with("because no permissions boundary allows the s3:CreateBucket action")
    );
}

#[test]
fn a_session_dies_with_its_role() {
    let (cloud, alice, request) = alice_and_app();
    let session = cloud.sts.assume_role(&cloud, request).unwrap();
    cloud.iam.delete_role(&cloud, &root(&cloud), "app").unwrap();
    assert!(
        !cloud
            .find_credential(&session.access_key_id)
            .unwrap()
            .role_alive
    );
    role(
        &cloud,
        ACCOUNT,
        "app",
        &trusting(&alice.identity.caller.arn),
        "",
    );
    assert!(
        !cloud
            .find_credential(&session.access_key_id)
            .unwrap()
            .role_alive,
        "another role of that name"
    );
}
