//! The other calls (E.9 of the reference).

use super::pair;
use crate::{
    Access,
    sts::Federation,
    testing::{ACCOUNT, OTHER, allow, call, cloud, root, said, user},
};

#[test]
fn session_tokens() {
    let cloud = cloud();
    let alice = user(&cloud, ACCOUNT, "alice", &allow("*", "*"));
    let session = cloud.sts.session_token(&cloud, &alice, Some(900)).unwrap();
    let caller = call(
        &cloud,
        cloud
            .find_credential(&session.access_key_id)
            .unwrap()
            .identity,
    );
    assert_eq!(caller.identity.caller.arn, alice.identity.caller.arn);
    assert_eq!(
        said(cloud.sts.session_token(&cloud, &caller, None)),
        pair(
            "AccessDenied",
            "Cannot call GetSessionToken with session credentials"
        )
    );
    assert_eq!(
        said(cloud.sts.federation_token(
            &cloud,
            &caller,
            Federation {
                name: Some("bob".into()),
                ..Federation::default()
            }
        )),
        pair(
            "AccessDenied",
            "Cannot call GetFederationToken with session credentials"
        )
    );
    let s3 = Access {
        action: "s3:ListAllMyBuckets".into(),
        resource: "*".into(),
        ..Access::default()
    };
    assert!(cloud.require(&caller, s3).is_ok());
    assert_eq!(
        said(cloud.iam.get_user(&cloud, &caller, None)).0,
        "InvalidClientTokenId"
    );
    assert!(cloud.iam.get_user(&cloud, &alice, None).is_ok());
    assert_eq!(
        said(cloud.sts.session_token(&cloud, &alice, Some(129_601))).1,
        "1 validation error detected: Value '129601' at 'durationSeconds' failed to satisfy constraint: Member must have \
         value less than or equal to 129600"
    );
    // Root's last an hour.
    let session = cloud
        .sts
        .session_token(&cloud, &root(&cloud), None)
        .unwrap();
    assert!(session.expires_at.duration_since(cloud.now()).as_secs() <= 3_600);
}

#[test]
fn federated_users_have_what_both_sides_allow() {
    let cloud = cloud();
    let alice = user(&cloud, ACCOUNT, "alice", &allow("*", "*"));
    let federate = |policy: Option<String>| {
        let request = Federation {
            name: Some("bob".into()),
            policy,
            ..Federation::default()
        };
        cloud.sts.federation_token(&cloud, &alice, request).unwrap()
    };
    let bob = federate(Some(allow("s3:GetObject", "*")));
    assert_eq!(
        bob.session.assumed_role_arn,
        "arn:aws:sts::111122223333:federated-user/bob"
    );
    assert_eq!(bob.session.assumed_role_id, "111122223333:bob");
    let bob = call(&cloud, bob.session.identity);
    let ask = |action: &str| Access {
        action: action.into(),
        resource: "arn:aws:s3:::b/k".into(),
        ..Access::default()
    };
    assert!(cloud.require(&bob, ask("s3:GetObject")).is_ok());
    assert!(cloud.require(&bob, ask("s3:PutObject")).is_err());
    let nobody = federate(None);
    assert_eq!(nobody.packed_policy_size, 0);
    let nobody = call(&cloud, nobody.session.identity);
    assert!(cloud.require(&nobody, ask("s3:GetObject")).is_err());
    assert_eq!(
        said(
            cloud
                .sts
                .federation_token(&cloud, &alice, Federation::default())
        )
        .1,
        "1 validation error detected: Value null at 'name' failed to satisfy constraint: Member must not be null"
    );
}

#[test]
fn the_account_is_in_the_key() {
    let cloud = cloud();
    let key = cloud.ids().session_key(OTHER);
    assert_eq!(
        cloud
            .sts
            .access_key_info(&cloud, &root(&cloud), Some(&key))
            .unwrap(),
        OTHER
    );
    assert!(
        said(
            cloud
                .sts
                .access_key_info(&cloud, &root(&cloud), Some("short"))
        )
        .1
        .contains("'accessKeyId'")
    );
    let alice = user(&cloud, ACCOUNT, "alice", "");
    assert_eq!(
        said(cloud.sts.access_key_info(&cloud, &alice, Some(&key))),
        pair(
            "AccessDenied",
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:GetAccessKeyInfo on resource: *"
        )
    );
    assert_eq!(
        said(
            cloud
                .sts
                .decode_authorization_message(&cloud, &root(&cloud), Some("x"))
        )
        .0,
        "InvalidAuthorizationMessageException"
    );
}

#[test]
fn keys_of_roots() {
    let cloud = cloud();
    let test = cloud.find_credential("test").unwrap();
    assert_eq!(
        (
            test.secret_access_key.as_str(),
            test.identity.caller.arn.as_str()
        ),
        ("test", "arn:aws:iam::111122223333:root")
    );
    assert_eq!(
        cloud.find_credential(OTHER).unwrap().identity.user_id,
        OTHER
    );
    for unknown in ["", "tests", "12345678901", "AKIAIOSFODNN7EXAMPLE"] {
        assert!(cloud.find_credential(unknown).is_none(), "{unknown}");
    }
}
