//! Durations: the role's maximum and the cap on chaining, in that order.

use std::time::Duration;

use super::{alice_and_app, asking, pair};
use crate::{
    iam::UpdateRole,
    sts::AssumeRole,
    testing::{ACCOUNT, call, role, root, said, trusting},
};

fn lasting(request: AssumeRole, seconds: u64) -> AssumeRole {
    AssumeRole {
        duration: Some(Duration::from_secs(seconds)),
        ..request
    }
}

#[test]
fn the_maximum_of_the_role_then_the_cap() {
    let (cloud, _, fine) = alice_and_app();
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, lasting(fine.clone(), 3_601))),
        pair(
            "ValidationError",
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )
    );
    let next = role(&cloud, ACCOUNT, "next", &trusting(&fine.role_arn), "");
    let session = cloud.sts.assume_role(&cloud, fine).unwrap();
    let caller = call(&cloud, session.identity);
    let chained = |seconds: u64| {
        cloud
            .sts
            .assume_role(&cloud, lasting(asking(&caller, &next.arn), seconds))
    };
    assert_eq!(
        said(chained(3_601)).1,
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
    );
    let longer = UpdateRole {
        max_session_seconds: Some(7_200),
        ..UpdateRole::default()
    };
    cloud
        .iam
        .update_role(&cloud, &root(&cloud), "next", longer)
        .unwrap();
    assert_eq!(
        said(chained(3_601)),
        pair(
            "ValidationError",
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
        )
    );
    assert!(chained(3_600).is_ok());
}

#[test]
fn sessions_of_get_session_token_count_as_chaining() {
    let (cloud, alice, fine) = alice_and_app();
    let longer = UpdateRole {
        max_session_seconds: Some(7_200),
        ..UpdateRole::default()
    };
    cloud
        .iam
        .update_role(&cloud, &root(&cloud), "app", longer)
        .unwrap();
    assert!(
        cloud
            .sts
            .assume_role(&cloud, lasting(fine.clone(), 7_200))
            .is_ok()
    );
    let session = cloud.sts.session_token(&cloud, &alice, None).unwrap();
    let caller = call(&cloud, session.identity);
    let answer = cloud
        .sts
        .assume_role(&cloud, lasting(asking(&caller, &fine.role_arn), 7_200));
    assert_eq!(
        said(answer).1,
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining."
    );
    assert!(
        cloud
            .sts
            .assume_role(&cloud, asking(&caller, &fine.role_arn))
            .is_ok()
    );
}
