//! Session tags (E.3, E.6 of the reference).

use super::{alice_and_app, asking, pair};
use crate::{
    sts::AssumeRole,
    testing::{ACCOUNT, allow, call, role, said, trusting},
};

fn tag(key: &str, value: &str) -> (String, String) {
    (key.into(), value.into())
}

#[test]
fn rules() {
    let (cloud, _, fine) = alice_and_app();
    let refused = |tags: Vec<(String, String)>, transitive: &[&str]| {
        let transitive_tag_keys = transitive.iter().map(|k| (*k).to_owned()).collect();
        said(cloud.sts.assume_role(
            &cloud,
            AssumeRole {
                tags,
                transitive_tag_keys,
                ..fine.clone()
            },
        ))
    };
    assert_eq!(
        refused(vec![tag("a", "1")], &["b"]),
        pair(
            "InvalidParameterValue",
            "The specified transitive tag key must be included in the requested tags."
        )
    );
    assert_eq!(
        refused(vec![tag("a", "1"), tag("A", "2")], &[]),
        pair(
            "InvalidParameterValue",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    );
    assert_eq!(
        refused(vec![tag("aws:x", "1")], &[]).0,
        "InvalidParameterValue"
    );
    let large: Vec<_> = (0..4)
        .map(|n| tag(&format!("k{n}"), &"v".repeat(160)))
        .collect();
    assert_eq!(
        refused(large, &[]),
        pair(
            "PackedPolicyTooLarge",
            "Packed size of session tags consumes 112% of allotted space."
        )
    );
}

#[test]
fn transitive_tags_go_on_and_others_stay_behind() {
    let (cloud, _, fine) = alice_and_app();
    let second = role(&cloud, ACCOUNT, "second", &trusting(&fine.role_arn), "");
    let third = role(&cloud, ACCOUNT, "third", &trusting(&second.arn), "");
    let request = AssumeRole {
        tags: vec![tag("Team", "red"), tag("local", "yes")],
        transitive_tag_keys: vec!["Team".into()],
        ..fine
    };
    let first = cloud.sts.assume_role(&cloud, request).unwrap();
    assert_eq!(first.identity.session_tags.len(), 2);
    assert!(first.packed_policy_size.is_some());
    let caller = call(&cloud, first.identity);
    let conflicting = AssumeRole {
        tags: vec![tag("TEAM", "blue")],
        ..asking(&caller, &second.arn)
    };
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, conflicting)),
        pair(
            "InvalidParameterValue",
            "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session."
        )
    );
    let session = cloud
        .sts
        .assume_role(&cloud, asking(&caller, &second.arn))
        .unwrap();
    assert_eq!(
        session
            .identity
            .session_tags
            .into_iter()
            .collect::<Vec<_>>(),
        [tag("Team", "red")]
    );
    let caller = call(
        &cloud,
        cloud
            .find_credential(&session.access_key_id)
            .unwrap()
            .identity,
    );
    let session = cloud
        .sts
        .assume_role(&cloud, asking(&caller, &third.arn))
        .unwrap();
    assert_eq!(
        session
            .identity
            .session_tags
            .into_iter()
            .collect::<Vec<_>>(),
        [tag("Team", "red")]
    );
    assert_eq!(session.identity.transitive_tags, ["Team"]);
}

#[test]
fn tags_need_a_permission_of_their_own_even_if_inherited() {
    let (cloud, alice, fine) = alice_and_app();
    let narrow = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":{"AWS":"WHO"},"Action":"sts:AssumeRole"}]}"#;
    let plain = role(
        &cloud,
        ACCOUNT,
        "plain",
        &narrow.replace("WHO", &alice.identity.caller.arn),
        "",
    );
    let tagged = |arn: &str| AssumeRole {
        tags: vec![tag("a", "1")],
        transitive_tag_keys: vec!["a".into()],
        ..asking(&alice, arn)
    };
    let refusal = cloud
        .sts
        .assume_role(&cloud, tagged(&plain.arn))
        .unwrap_err();
    assert_eq!(
        refusal.message,
        format!(
            "User: arn:aws:iam::111122223333:user/alice is not authorized to perform: sts:TagSession on resource: {}",
            plain.arn
        )
    );
    assert!(refusal.verdict.is_some());
    assert!(
        cloud
            .sts
            .assume_role(&cloud, asking(&alice, &plain.arn))
            .is_ok()
    );

    let session = cloud
        .sts
        .assume_role(&cloud, tagged(&fine.role_arn))
        .unwrap();
    let next = role(
        &cloud,
        ACCOUNT,
        "next",
        &narrow.replace("WHO", &fine.role_arn),
        "",
    );
    let caller = call(&cloud, session.identity);
    assert_eq!(
        said(cloud.sts.assume_role(&cloud, asking(&caller, &next.arn))).1,
        format!(
            "User: arn:aws:sts::111122223333:assumed-role/app/session is not authorized to perform: sts:TagSession on \
             resource: {}",
            next.arn
        )
    );
}

#[test]
fn conditions_see_requested_inherited_and_own_tags() {
    let (cloud, alice, _) = alice_and_app();
    let on = |condition: &str| {
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{{"AWS":"*"}},"Action":["sts:AssumeRole","sts:TagSession"],"Condition":{{{condition}}}}}]}}"#
        )
    };
    let requested = role(
        &cloud,
        ACCOUNT,
        "requested",
        &on(
            r#""StringEquals":{"aws:RequestTag/team":"red"},"ForAllValues:StringEquals":{"aws:TagKeys":["team"]}"#,
        ),
        "",
    );
    let with = |arn: &str, value: &str| AssumeRole {
        tags: vec![tag("team", value)],
        transitive_tag_keys: vec!["team".into()],
        ..asking(&alice, arn)
    };
    assert!(
        cloud
            .sts
            .assume_role(&cloud, with(&requested.arn, "blue"))
            .is_err()
    );
    let session = cloud
        .sts
        .assume_role(&cloud, with(&requested.arn, "red"))
        .unwrap();
    let caller = call(&cloud, session.identity);

    let principal = role(
        &cloud,
        ACCOUNT,
        "principal",
        &on(r#""StringEquals":{"aws:PrincipalTag/team":"red"}"#),
        "",
    );
    assert!(
        cloud
            .sts
            .assume_role(&cloud, asking(&caller, &principal.arn))
            .is_ok()
    );
    // Inherited tags are no request tags, except on the way to a target role, where both are offered.
    assert!(
        cloud
            .sts
            .assume_role(&cloud, asking(&caller, &requested.arn))
            .is_err()
    );
    let second_hop = AssumeRole {
        hop: 2,
        ..asking(&caller, &requested.arn)
    };
    assert!(cloud.sts.assume_role(&cloud, second_hop).is_ok());

    let variable = allow("s3:GetObject", "arn:aws:s3:::b/${aws:PrincipalTag/team}/*");
    let reader = role(
        &cloud,
        ACCOUNT,
        "reader",
        &on(r#""Null":{"aws:TagKeys":"false"}"#),
        &variable,
    );
    let session = cloud
        .sts
        .assume_role(&cloud, with(&reader.arn, "red"))
        .unwrap();
    let reader = call(&cloud, session.identity);
    let get = |key: &str| crate::Access {
        action: "s3:GetObject".into(),
        resource: format!("arn:aws:s3:::b/{key}"),
        ..crate::Access::default()
    };
    assert!(cloud.require(&reader, get("red/x")).is_ok());
    assert!(cloud.require(&reader, get("blue/x")).is_err());
}
