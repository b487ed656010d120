//! SimulatePrincipalPolicy.

use crate::{
    iam::Simulation,
    testing::{ACCOUNT, PODS, allow, cloud, role, root, said},
};

#[test]
fn the_engine_answers() {
    let cloud = cloud();
    let policy = r#"{"Version":"2012-10-17","Statement":[
  {"Effect":"Allow","Action":"s3:Get*","Resource":"arn:aws:s3:::b/*","Condition":{"StringEquals":{"aws:PrincipalTag/team":"red"}}},
  {"Effect":"Deny","Action":"s3:Delete*","Resource":"*"}]}"#;
    let app = role(&cloud, ACCOUNT, "app", PODS, policy);
    let ask = |actions: &[&str], resources: &[&str], tag: Option<&str>| {
        let input = Simulation {
            source_arn: app.arn.clone(),
            actions: actions.iter().map(|a| (*a).to_owned()).collect(),
            resources: resources.iter().map(|r| (*r).to_owned()).collect(),
            context: tag
                .map(|tag| ("AWS:principaltag/Team".to_owned(), vec![tag.to_owned()]))
                .into_iter()
                .collect(),
            ..Simulation::default()
        };
        cloud.iam.simulate(&cloud, &root(&cloud), input).unwrap()
    };
    let results = ask(
        &["s3:getobject", "s3:PutObject", "s3:DeleteObject"],
        &["arn:aws:s3:::b/k"],
        Some("red"),
    );
    let decisions: Vec<_> = results.iter().map(|result| result.decision).collect();
    assert_eq!(decisions, ["allowed", "implicitDeny", "explicitDeny"]);
    assert_eq!(results[0].matched[0].start, (2, 3));
    assert_eq!(results[2].matched[0].start, (3, 3));
    let without = ask(&["s3:GetObject"], &["arn:aws:s3:::b/k"], None);
    assert_eq!(without[0].missing, ["aws:PrincipalTag/team"]);
    assert_eq!(without[0].decision, "implicitDeny");
    let several = ask(
        &["s3:GetObject"],
        &["arn:aws:s3:::b/k", "arn:aws:s3:::c/k"],
        Some("red"),
    );
    assert_eq!(several[0].decision, "implicitDeny");
    let each: Vec<_> = several[0]
        .by_resource
        .iter()
        .map(|one| one.decision)
        .collect();
    assert_eq!(each, ["allowed", "implicitDeny"]);

    let more = Simulation {
        source_arn: app.arn.clone(),
        actions: vec!["sqs:SendMessage".into()],
        policies: vec![allow("sqs:*", "*")],
        boundaries: vec![allow("s3:*", "*")],
        ..Simulation::default()
    };
    let bounded = cloud
        .iam
        .simulate(&cloud, &root(&cloud), more.clone())
        .unwrap();
    assert_eq!(
        (bounded[0].decision, bounded[0].boundary_allows),
        ("implicitDeny", Some(false))
    );
    let unknown = Simulation {
        source_arn: format!("{}x", app.arn),
        ..more
    };
    assert_eq!(
        said(cloud.iam.simulate(&cloud, &root(&cloud), unknown)).1,
        "The role with name appx cannot be found."
    );
}
