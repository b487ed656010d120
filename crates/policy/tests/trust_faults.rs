//! Five trust faults that EKS answers with one sentence, told apart.

use emu_policy::{
    AssumeKind, Cause, Context, DecidedBy, Decision, Document, DocumentKind, Policies, Policy,
    Principal, Request, Verdict, assume_actions, decide_all,
};

const ROLE: &str = "arn:aws:iam::111122223333:role/app";

/// The road of hop 1: EKS assumes the role for a pod of `default/api`, with six tags.
fn hop1(trust: &str) -> Verdict {
    let document = Document::parse(trust, DocumentKind::Trust).expect("a valid trust policy");
    let context = Context::new()
        .with("aws:RequestTag/kubernetes-namespace", "default")
        .with("aws:RequestTag/kubernetes-service-account", "api")
        .with("aws:RequestTag/eks-cluster-name", "demo")
        .with("aws:SourceAccount", "111122223333")
        .with(
            "aws:SourceArn",
            "arn:aws:eks:us-east-1:111122223333:cluster/demo",
        )
        .with(
            "aws:TagKeys",
            vec![
                "kubernetes-namespace".to_owned(),
                "eks-cluster-name".to_owned(),
            ],
        );
    let request = Request {
        principal: Principal::Service {
            name: "pods.eks.amazonaws.com".into(),
        },
        action: String::new(),
        resource: ROLE.into(),
        resource_account: "111122223333".into(),
        context,
    };
    let policies = Policies {
        resource: Some(Policy::new("app", document)),
        ..Policies::default()
    };
    decide_all(
        request,
        &policies,
        assume_actions(AssumeKind::AssumeRole, false, true),
    )
    .pop()
    .expect("one verdict")
}

fn trust(principal: &str, action: &str, rest: &str) -> String {
    format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":{action}{rest}}}]}}"#
    )
}

const PODS: &str = r#"{"Service":"pods.eks.amazonaws.com"}"#;
const BOTH: &str = r#"["sts:AssumeRole","sts:TagSession"]"#;

#[test]
fn a_sound_trust_policy_allows() {
    let verdict = hop1(&trust(PODS, BOTH, ""));
    assert_eq!(
        (verdict.decision, verdict.decided_by),
        (Decision::Allow, DecidedBy::Trust)
    );
    assert_eq!(
        verdict.explain(),
        ["trust policy of role app: statement 0 allows sts:AssumeRole"]
    );
    assert_eq!(verdict.reason_text(), "");
}

#[test]
fn a_principal_not_trusted() {
    let verdict = hop1(&trust(
        r#"{"Service":"ec2.amazonaws.com"}"#,
        r#""sts:AssumeRole""#,
        "",
    ));
    assert_eq!(verdict.cause(), Some(Cause::Principal));
    assert_eq!(
        verdict.explain(),
        [
            "trust policy of role app: statement 0: principal: the statement trusts Service ec2.amazonaws.com, the caller is Service pods.eks.amazonaws.com",
            "trust policy of role app: statement 0 would allow sts:TagSession, but it lists only sts:AssumeRole",
        ]
    );
    assert_eq!(
        verdict.reason_text(),
        "because no role trust policy allows the sts:TagSession action"
    );
}

#[test]
fn b_tag_session_missing() {
    let verdict = hop1(&trust(PODS, r#""sts:AssumeRole""#, ""));
    assert_eq!(verdict.cause(), Some(Cause::Action));
    assert_eq!(verdict.action, "sts:TagSession");
    assert_eq!(
        verdict.explain(),
        [
            "trust policy of role app: statement 0 would allow sts:TagSession, but it lists only sts:AssumeRole"
        ]
    );
}

#[test]
fn c_condition_on_a_request_tag() {
    let condition =
        r#","Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":["shop"]}}"#;
    let verdict = hop1(&trust(PODS, BOTH, condition));
    assert_eq!(verdict.cause(), Some(Cause::Condition));
    assert_eq!(
        verdict.explain(),
        [
            "trust policy of role app: statement 0: condition StringEquals aws:RequestTag/kubernetes-namespace wants [\"shop\"], the request carried \"default\""
        ]
    );
}

#[test]
fn d_condition_on_the_source() {
    let condition = r#","Condition":{"StringEquals":{"aws:SourceAccount":"444455556666"},"ArnEquals":{"aws:SourceArn":"arn:aws:eks:us-east-1:444455556666:cluster/demo"}}"#;
    let verdict = hop1(&trust(PODS, BOTH, condition));
    assert_eq!(verdict.cause(), Some(Cause::Condition));
    let keys: Vec<&str> = verdict
        .failed_conditions()
        .map(|trace| trace.key.as_str())
        .collect();
    assert_eq!(keys, ["aws:SourceAccount", "aws:SourceArn"]);
}

#[test]
fn e_an_explicit_deny() {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[
            {{"Effect":"Allow","Principal":{PODS},"Action":{BOTH}}},
            {{"Sid":"NoDefault","Effect":"Deny","Principal":{{"AWS":"*"}},"Action":"sts:*",
              "Condition":{{"StringEquals":{{"aws:RequestTag/kubernetes-namespace":"default"}}}}}}]}}"#
    );
    let verdict = hop1(&text);
    assert_eq!(
        (verdict.decision, verdict.decided_by),
        (Decision::ExplicitDeny, DecidedBy::Trust)
    );
    assert_eq!(verdict.cause(), Some(Cause::ExplicitDeny));
    assert_eq!(
        verdict.reason_text(),
        "with an explicit deny in the role trust policy"
    );
    assert_eq!(
        verdict.explain(),
        [
            "trust policy of role app: statement \"NoDefault\" denies sts:TagSession explicitly: condition StringEquals aws:RequestTag/kubernetes-namespace [\"default\"] holds, the request carried \"default\""
        ]
    );
}

#[test]
fn a_verdict_survives_json() {
    let verdict = hop1(&trust(PODS, r#""sts:AssumeRole""#, ""));
    let json = serde_json::to_value(&verdict).expect("serialises");
    assert_eq!(json["decision"], "implicit-deny");
    assert_eq!(json["decidedBy"], "trust");
    assert_eq!(
        json["layers"][0]["nearMisses"][0]["failures"][0]["part"],
        "action"
    );
    assert_eq!(
        serde_json::from_value::<Verdict>(json).expect("reads back"),
        verdict
    );
}
