//! Entities: what there is, what there is not, what may not be deleted, how many there may be.

use crate::{
    iam::{
        CreatePolicy, CreateProvider, CreateRole, CreateUser,
        EntityKind::{Role, User},
        ListPolicies, PageRequest, UpdateRole,
    },
    testing::{ACCOUNT, OTHER, PODS, allow, cloud, role, root, said, user},
};

const S3_READ: &str = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";

fn pair(code: &str, text: &str) -> (String, String) {
    (code.into(), text.into())
}

#[test]
fn what_cannot_be_found() {
    let cloud = cloud();
    let (iam, call) = (&cloud.iam, &root(&cloud));
    role(&cloud, ACCOUNT, "r", PODS, "");
    user(&cloud, ACCOUNT, "u", "");
    let missing = "arn:aws:iam::111122223333:policy/none";
    let no = |text: &str| pair("NoSuchEntity", text);
    assert_eq!(
        said(iam.get_role(&cloud, call, "x")),
        no("The role with name x cannot be found.")
    );
    assert_eq!(
        said(iam.delete_role(&cloud, call, "x")),
        no("The role with name x cannot be found.")
    );
    assert_eq!(
        said(iam.get_user(&cloud, call, Some("x"))),
        no("The user with name x cannot be found.")
    );
    assert_eq!(
        said(iam.inline_policy(&cloud, call, Role, "r", "x")),
        no("The role policy with name x cannot be found.")
    );
    assert_eq!(
        said(iam.put_inline_policy(&cloud, call, Role, "x", "p", "nonsense")),
        no("The role with name x cannot be found."),
        "an unknown role wins over a malformed document"
    );
    assert_eq!(
        said(iam.delete_access_key(&cloud, call, Some("u"), "AKIAX")),
        no("The Access Key with id AKIAX cannot be found.")
    );
    assert_eq!(
        said(iam.attach_policy(&cloud, call, Role, "r", missing)),
        no("Policy arn:aws:iam::111122223333:policy/none does not exist or is not attachable.")
    );
    assert_eq!(
        said(iam.detach_policy(&cloud, call, Role, "r", S3_READ)),
        no("Policy arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess was not found.")
    );
    assert_eq!(
        said(iam.get_policy(&cloud, call, missing)),
        no("Policy arn:aws:iam::111122223333:policy/none was not found.")
    );
    assert_eq!(
        said(iam.get_policy_version(&cloud, call, S3_READ, "v9")),
        no(
            "Policy arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess version v9 does not exist or is not attachable."
        )
    );
    assert_eq!(
        said(iam.set_boundary(&cloud, call, Role, "r", Some(missing))),
        no("Scope ARN: arn:aws:iam::111122223333:policy/none does not exist or is not attachable.")
    );
    let provider = "arn:aws:iam::111122223333:oidc-provider/none";
    assert_eq!(
        said(iam.get_provider(&cloud, call, provider)),
        no("OpenIDConnect Provider not found for arn arn:aws:iam::111122223333:oidc-provider/none")
    );
    assert_eq!(
        said(iam.delete_provider(&cloud, call, provider)),
        no("OpenId connect Provider arn:aws:iam::111122223333:oidc-provider/none cannot be found.")
    );
}

#[test]
fn what_exists_already() {
    let cloud = cloud();
    let (iam, call) = (&cloud.iam, &root(&cloud));
    role(&cloud, ACCOUNT, "app", PODS, "");
    let again = CreateRole {
        name: "APP".into(),
        trust: PODS.into(),
        ..CreateRole::default()
    };
    assert_eq!(
        said(iam.create_role(&cloud, call, again)),
        pair("EntityAlreadyExists", "Role with name APP already exists.")
    );
    let policy = |path: &str| CreatePolicy {
        name: "p".into(),
        path: Some(path.into()),
        document: allow("s3:*", "*"),
        ..CreatePolicy::default()
    };
    iam.create_policy(&cloud, call, policy("/")).unwrap();
    assert_eq!(
        said(iam.create_policy(&cloud, call, policy("/team/"))),
        pair(
            "EntityAlreadyExists",
            "A policy called p already exists. Duplicate names are not allowed."
        )
    );
    let provider = CreateProvider {
        url: "https://issuer.example/id/1".into(),
        ..CreateProvider::default()
    };
    iam.create_provider(&cloud, call, provider.clone()).unwrap();
    assert_eq!(
        said(iam.create_provider(&cloud, call, provider)),
        pair(
            "EntityAlreadyExists",
            "Provider with url https://issuer.example/id/1 already exists."
        )
    );
    iam.create_user(
        &cloud,
        call,
        CreateUser {
            name: "u".into(),
            ..CreateUser::default()
        },
    )
    .unwrap();
    assert_eq!(
        said(iam.create_user(
            &cloud,
            call,
            CreateUser {
                name: "u".into(),
                ..CreateUser::default()
            }
        )),
        pair("EntityAlreadyExists", "User with name u already exists.")
    );
    // Accounts do not share names.
    role(&cloud, OTHER, "app", PODS, "");
}

#[test]
fn what_cannot_be_deleted() {
    let cloud = cloud();
    let (iam, call) = (&cloud.iam, &root(&cloud));
    role(&cloud, ACCOUNT, "r", PODS, &allow("s3:*", "*"));
    iam.attach_policy(&cloud, call, Role, "r", S3_READ).unwrap();
    iam.attach_policy(&cloud, call, Role, "r", S3_READ).unwrap();
    let conflict = |text: &str| pair("DeleteConflict", text);
    assert_eq!(
        said(iam.delete_role(&cloud, call, "r")),
        conflict("Cannot delete entity, must detach all policies first.")
    );
    iam.detach_policy(&cloud, call, Role, "r", S3_READ).unwrap();
    assert_eq!(
        said(iam.delete_role(&cloud, call, "r")),
        conflict("Cannot delete entity, must delete policies first.")
    );
    iam.delete_inline_policy(&cloud, call, Role, "r", "p")
        .unwrap();
    assert_eq!(
        said(iam.delete_inline_policy(&cloud, call, Role, "r", "p")),
        pair(
            "NoSuchEntity",
            "The role policy with name p cannot be found."
        )
    );
    let policy = CreatePolicy {
        name: "p".into(),
        document: allow("s3:*", "*"),
        ..CreatePolicy::default()
    };
    let arn = iam.create_policy(&cloud, call, policy).unwrap().arn.clone();
    iam.attach_policy(&cloud, call, Role, "r", &arn).unwrap();
    assert_eq!(
        said(iam.delete_policy(&cloud, call, &arn)),
        conflict("Cannot delete a policy attached to entities.")
    );
    iam.detach_policy(&cloud, call, Role, "r", &arn).unwrap();
    for _ in 0..4 {
        iam.create_policy_version(&cloud, call, &arn, &allow("s3:*", "*"), false)
            .unwrap();
    }
    assert_eq!(
        said(iam.create_policy_version(&cloud, call, &arn, &allow("s3:*", "*"), false)),
        pair(
            "LimitExceeded",
            "A managed policy can have up to 5 versions. Before you create a new version, you must delete an existing version."
        )
    );
    assert_eq!(
        said(iam.delete_policy_version(&cloud, call, &arn, "v1")),
        conflict("Cannot delete the default version of a policy.")
    );
    iam.set_default_policy_version(&cloud, call, &arn, "v5")
        .unwrap();
    for id in ["v1", "v2", "v3", "v4"] {
        iam.delete_policy_version(&cloud, call, &arn, id).unwrap();
    }
    iam.delete_policy(&cloud, call, &arn).unwrap();
    iam.delete_role(&cloud, call, "r").unwrap();

    iam.create_user(
        &cloud,
        call,
        CreateUser {
            name: "u".into(),
            ..CreateUser::default()
        },
    )
    .unwrap();
    let key = iam.create_access_key(&cloud, call, Some("u")).unwrap();
    iam.create_access_key(&cloud, call, Some("u")).unwrap();
    assert_eq!(
        said(iam.create_access_key(&cloud, call, Some("u"))),
        pair(
            "LimitExceeded",
            "Cannot exceed quota for AccessKeysPerUser: 2"
        )
    );
    assert_eq!(
        said(iam.delete_user(&cloud, call, "u")),
        conflict("Cannot delete entity, must remove referenced objects first.")
    );
    iam.update_access_key(&cloud, call, Some("u"), &key.id, false)
        .unwrap();
    assert!(!cloud.find_credential(&key.id).unwrap().active);
    iam.delete_access_key(&cloud, call, Some("u"), &key.id)
        .unwrap();
    assert!(cloud.find_credential(&key.id).is_none());
    assert_eq!(
        said(iam.delete_policy(&cloud, call, S3_READ)),
        pair(
            "AccessDenied",
            "Cannot delete policies outside your own account."
        )
    );
    assert_eq!(
        said(iam.create_policy_version(&cloud, call, S3_READ, &allow("s3:*", "*"), true)),
        pair(
            "AccessDenied",
            "Cannot update policies outside your own account."
        )
    );
    assert_eq!(
        said(iam.delete_policy_version(&cloud, call, S3_READ, "v1")),
        pair(
            "AccessDenied",
            "Cannot delete policy versions for policies outside your own account."
        )
    );
}

#[test]
fn quotas() {
    let cloud = cloud();
    let (iam, call) = (&cloud.iam, &root(&cloud));
    role(&cloud, ACCOUNT, "r", PODS, "");
    for n in 0..11 {
        let policy = CreatePolicy {
            name: format!("p{n}"),
            document: allow("s3:*", "*"),
            ..CreatePolicy::default()
        };
        let arn = iam.create_policy(&cloud, call, policy).unwrap().arn.clone();
        let attached = iam.attach_policy(&cloud, call, Role, "r", &arn);
        if n < 10 {
            attached.unwrap();
        } else {
            assert_eq!(
                said(attached),
                pair(
                    "LimitExceeded",
                    "Cannot exceed quota for PoliciesPerRole: 10"
                )
            );
        }
    }
    let long = allow("s3:*", &format!("arn:aws:s3:::{}", "b".repeat(10_240)));
    assert_eq!(
        said(iam.put_inline_policy(&cloud, call, Role, "r", "p", &long)),
        pair(
            "LimitExceeded",
            "Maximum policy size of 10240 bytes exceeded for role r"
        )
    );
    let mut settings = (*cloud.settings()).clone();
    settings.quotas.roles = 1;
    cloud.set_settings(settings);
    let more = CreateRole {
        name: "more".into(),
        trust: PODS.into(),
        ..CreateRole::default()
    };
    assert_eq!(
        said(iam.create_role(&cloud, call, more)),
        pair(
            "LimitExceeded",
            "Cannot exceed quota for RolesPerAccount: 1"
        )
    );
}

#[test]
fn tags() {
    let cloud = cloud();
    let (iam, call) = (&cloud.iam, &root(&cloud));
    role(&cloud, ACCOUNT, "r", PODS, "");
    let tag = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    iam.tag(
        &cloud,
        call,
        Role,
        "r",
        vec![tag("Team", "a"), tag("env", "x")],
    )
    .unwrap();
    iam.tag(&cloud, call, Role, "r", vec![tag("team", "b")])
        .unwrap();
    assert_eq!(
        iam.tags(&cloud, call, Role, "r").unwrap(),
        [tag("team", "b"), tag("env", "x")]
    );
    assert_eq!(
        said(iam.tag(&cloud, call, Role, "r", vec![tag("k", ""), tag("K", "")])),
        pair(
            "InvalidInput",
            "Duplicate tag keys found. Please note that Tag keys are case insensitive."
        )
    );
    let many: Vec<_> = (0..51).map(|n| tag(&format!("k{n}"), "")).collect();
    assert_eq!(
        said(iam.tag(&cloud, call, Role, "r", many)),
        pair(
            "ValidationError",
            "1 validation error detected: Value at 'tags' failed to satisfy constraint: Member must have length less than or equal to 50"
        )
    );
    let many: Vec<_> = (0..50).map(|n| tag(&format!("k{n}"), "")).collect();
    assert_eq!(
        said(iam.tag(&cloud, call, Role, "r", many)),
        pair(
            "LimitExceeded",
            "The number of tags has reached the maximum limit."
        )
    );
    assert_eq!(
        said(iam.tag(&cloud, call, Role, "r", vec![tag(&"k".repeat(129), "")])),
        pair(
            "ValidationError",
            "1 validation error detected: Value at 'tags.1.member.key' failed to satisfy constraint: Member must have length less than or equal to 128"
        )
    );
    assert_eq!(
        said(iam.untag(&cloud, call, Role, "r", &["k".repeat(129)])),
        pair(
            "ValidationError",
            r"1 validation error detected: Value at 'tagKeys' failed to satisfy constraint: Member must satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: [\p{L}\p{Z}\p{N}_.:/=+\-@]+, Member must not be null]"
        )
    );
    iam.untag(&cloud, call, Role, "r", &["absent".into(), "TEAM".into()])
        .unwrap();
    assert_eq!(
        iam.tags(&cloud, call, Role, "r").unwrap(),
        [tag("env", "x")]
    );
}

#[test]
fn forms_of_names_paths_and_arns() {
    let cloud = cloud();
    let (iam, call) = (&cloud.iam, &root(&cloud));
    let create = |name: &str, path: Option<&str>| {
        let path = path.map(str::to_owned);
        iam.create_role(
            &cloud,
            call,
            CreateRole {
                name: name.into(),
                path,
                trust: PODS.into(),
                ..CreateRole::default()
            },
        )
    };
    assert_eq!(
        said(create("a/b", None)),
        pair(
            "ValidationError",
            "The specified value for roleName is invalid. It must contain only alphanumeric characters and/or the following: +=,.@_-"
        )
    );
    assert_eq!(
        said(create(&"a".repeat(65), None)),
        pair(
            "ValidationError",
            "1 validation error detected: Value at 'roleName' failed to satisfy constraint: Member must have length less than or equal to 64"
        )
    );
    assert_eq!(
        said(create("a", Some("team"))),
        pair(
            "ValidationError",
            "The specified value for path is invalid. It must begin and end with / and contain only alphanumeric characters and/or / characters."
        )
    );
    assert_eq!(
        create("a", Some("/team/x/")).unwrap().arn,
        "arn:aws:iam::111122223333:role/team/x/a"
    );
    assert!(
        iam.role_by_arn("arn:aws:iam::111122223333:role/a")
            .is_none(),
        "the path belongs to the ARN"
    );
    assert_eq!(
        said(iam.attach_policy(&cloud, call, Role, "a", "this-is-not-an-arn-at-all")),
        pair(
            "ValidationError",
            "ARN this-is-not-an-arn-at-all is not valid."
        )
    );
    assert_eq!(
        said(iam.set_boundary(&cloud, call, Role, "a", Some("nonsense"))),
        pair("InvalidInput", "ARN nonsense is not valid.")
    );
    let provider = |url: &str, thumbprints: usize| CreateProvider {
        url: url.into(),
        thumbprints: vec!["A".repeat(40); thumbprints],
        ..CreateProvider::default()
    };
    assert_eq!(
        said(iam.create_provider(&cloud, call, provider("http://plain.example", 0))),
        pair("ValidationError", "Invalid Open ID Connect Provider URL")
    );
    assert_eq!(
        said(iam.create_provider(&cloud, call, provider("https://i.example", 6))),
        pair(
            "InvalidInput",
            "Thumbprint list must contain fewer than 5 entries."
        )
    );
    let made = iam
        .create_provider(&cloud, call, provider("https://i.example", 1))
        .unwrap();
    assert_eq!(
        (made.url.as_str(), made.thumbprints[0].as_str()),
        ("i.example", "a".repeat(40).as_str())
    );
    iam.add_client_id(&cloud, call, &made.arn, "sts.amazonaws.com")
        .unwrap();
    iam.add_client_id(&cloud, call, &made.arn, "sts.amazonaws.com")
        .unwrap();
    iam.remove_client_id(&cloud, call, &made.arn, "absent")
        .unwrap();
    assert_eq!(
        iam.get_provider(&cloud, call, &made.arn)
            .unwrap()
            .client_ids,
        ["sts.amazonaws.com"]
    );
    let too_long = UpdateRole {
        max_session_seconds: Some(43_201),
        ..UpdateRole::default()
    };
    assert_eq!(
        said(iam.update_role(&cloud, call, "a", too_long)),
        pair(
            "ValidationError",
            "1 validation error detected: Value at 'maxSessionDuration' failed to satisfy constraint: Member must have value less than or equal to 43200"
        )
    );
    assert_eq!(
        said(iam.get_user(&cloud, call, None)),
        pair(
            "ValidationError",
            "Must specify userName when calling with non-User credentials"
        )
    );
}

#[test]
fn lists() {
    let cloud = cloud();
    let (iam, call) = (&cloud.iam, &root(&cloud));
    for name in ["b", "a", "C"] {
        role(&cloud, ACCOUNT, name, PODS, "");
    }
    role(&cloud, OTHER, "elsewhere", PODS, "");
    let page = PageRequest {
        max_items: Some(2),
        marker: None,
    };
    let first = iam.list_roles(&cloud, call, None, &page).unwrap();
    let names: Vec<_> = first.items.iter().map(|role| role.name.as_str()).collect();
    assert_eq!(names, ["C", "a"]);
    let rest = PageRequest {
        marker: first.marker,
        ..page
    };
    assert_eq!(
        iam.list_roles(&cloud, call, None, &rest).unwrap().items[0].name,
        "b"
    );
    iam.attach_policy(&cloud, call, Role, "a", S3_READ).unwrap();
    let attached = ListPolicies {
        only_attached: true,
        ..ListPolicies::default()
    };
    let page = iam.list_policies(&cloud, call, &attached).unwrap();
    assert_eq!(page.items.len(), 1);
    assert_eq!(
        iam.entities_for_policy(&cloud, call, S3_READ).unwrap().0[0].0,
        "a"
    );
    let listed = iam
        .attached_policies(&cloud, call, Role, "a", &PageRequest::default())
        .unwrap();
    assert_eq!(
        listed.items,
        [("AmazonS3ReadOnlyAccess".to_owned(), S3_READ.to_owned())]
    );
    user(&cloud, ACCOUNT, "u", &allow("s3:*", "*"));
    assert_eq!(
        iam.inline_policies(&cloud, call, User, "u", &PageRequest::default())
            .unwrap()
            .items,
        ["p"]
    );
}
