//! Changes are seen late when the knobs say so.

use std::time::Duration;

use emu_core::{Settings, Span};

use crate::{
    Access,
    iam::{CreateRole, EntityKind},
    sts::AssumeRole,
    testing::{ACCOUNT, PODS, allow, call, cloud_with, role, root, said, trusting, user},
};

#[tokio::test]
async fn a_new_role_is_not_seen_at_once() {
    let mut settings = Settings::default();
    settings.propagation.iam_role = Span::seconds(10);
    let cloud = cloud_with(settings);
    let alice = user(&cloud, ACCOUNT, "alice", "");
    cloud
        .clock()
        .advance(Duration::from_secs(11))
        .await
        .unwrap();
    let app = role(
        &cloud,
        ACCOUNT,
        "app",
        &trusting(&alice.identity.caller.arn),
        "",
    );
    assert!(
        cloud.iam.get_role(&cloud, &root(&cloud), "app").is_ok(),
        "IAM itself knows it"
    );
    assert!(cloud.iam.visible_role(&cloud, &app.arn).is_none());
    let input = CreateRole {
        name: "b".into(),
        trust: trusting(&app.arn),
        ..CreateRole::default()
    };
    assert_eq!(
        said(cloud.iam.create_role(&cloud, &root(&cloud), input.clone())).1,
        format!("Invalid principal in policy: \"AWS\":\"{}\"", app.arn)
    );
    let request = AssumeRole {
        caller: alice.identity.clone(),
        role_arn: app.arn.clone(),
        session_name: "session".into(),
        ..AssumeRole::default()
    };
    let refusal = cloud.sts.assume_role(&cloud, request.clone()).unwrap_err();
    assert_eq!(refusal.code, "AccessDenied");
    assert!(refusal.detail.unwrap().contains("propagation.iam.role"));
    cloud
        .clock()
        .advance(Duration::from_secs(10))
        .await
        .unwrap();
    cloud.sts.assume_role(&cloud, request).unwrap();
    cloud.iam.create_role(&cloud, &root(&cloud), input).unwrap();
}

#[tokio::test]
async fn a_changed_policy_is_not_seen_at_once() {
    let mut settings = Settings::default();
    settings.propagation.iam_policy = Span::seconds(10);
    let cloud = cloud_with(settings);
    let alice = user(&cloud, ACCOUNT, "alice", "");
    let app = role(
        &cloud,
        ACCOUNT,
        "app",
        &trusting(&alice.identity.caller.arn),
        "",
    );
    let request = AssumeRole {
        caller: alice.identity.clone(),
        role_arn: app.arn.clone(),
        session_name: "session".into(),
        ..AssumeRole::default()
    };
    let session = cloud.sts.assume_role(&cloud, request.clone()).unwrap();
    let caller = call(&cloud, session.identity);
    let get = || Access {
        action: "s3:GetObject".into(),
        resource: "arn:aws:s3:::b/k".into(),
        resource_account: ACCOUNT.into(),
        ..Access::default()
    };
    assert!(cloud.authorize(&caller, get()).is_err());
    let policy = allow("s3:GetObject", "*");
    cloud
        .iam
        .put_inline_policy(&cloud, &root(&cloud), EntityKind::Role, "app", "p", &policy)
        .unwrap();
    assert!(cloud.authorize(&caller, get()).is_err(), "not yet");
    cloud
        .clock()
        .advance(Duration::from_secs(10))
        .await
        .unwrap();
    assert!(
        cloud.authorize(&caller, get()).is_ok(),
        "sessions follow the present policies"
    );
    cloud
        .iam
        .update_trust(&cloud, &root(&cloud), "app", PODS)
        .unwrap();
    assert!(
        cloud.sts.assume_role(&cloud, request.clone()).is_ok(),
        "the old trust still counts"
    );
    cloud
        .clock()
        .advance(Duration::from_secs(10))
        .await
        .unwrap();
    assert!(cloud.sts.assume_role(&cloud, request).is_err());
    assert!(
        cloud.authorize(&caller, get()).is_ok(),
        "sessions outlive a changed trust policy"
    );
}
