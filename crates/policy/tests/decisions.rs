//! Which layers must allow, whose silence matters, and what is named as the reason.

use emu_policy::{
    Context, DecidedBy, Decision, Document, DocumentKind, Policies, Policy, Principal, Request,
    Verdict, decide, evaluate,
};

const HERE: &str = "111122223333";
const THERE: &str = "444455556666";
const SESSION: &str = "arn:aws:sts::111122223333:assumed-role/app/s1";
const ROLE: &str = "arn:aws:iam::111122223333:role/team/app";
const ALL: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#;
const NONE: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"ec2:*","Resource":"*"}}"#;
const DENY: &str =
    r#"{"Version":"2012-10-17","Statement":{"Effect":"Deny","Action":"s3:*","Resource":"*"}}"#;

fn session() -> Principal {
    Principal::RoleSession {
        role_arn: ROLE.into(),
        role_id: "AROAAPP".into(),
        session_arn: SESSION.into(),
    }
}

fn user() -> Principal {
    Principal::User {
        arn: "arn:aws:iam::111122223333:user/ann".into(),
        id: "AIDAANN".into(),
    }
}

fn own(text: &str) -> Policy {
    Policy::new(
        "p",
        Document::parse(text, DocumentKind::Inline).expect("valid"),
    )
}

/// A bucket policy that allows the principal everything.
fn bucket(principal: &str) -> Option<Policy> {
    bucket_with(&format!(
        r#""Effect":"Allow","Principal":{principal},"Action":"s3:*","Resource":"*""#
    ))
}

fn bucket_with(statement: &str) -> Option<Policy> {
    let text = format!(r#"{{"Version":"2012-10-17","Statement":[{{{statement}}}]}}"#);
    Some(Policy::new(
        "invoices",
        Document::parse(&text, DocumentKind::Resource).expect("valid"),
    ))
}

fn trust(principal: &str) -> Option<Policy> {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Principal":{principal},"Action":"s3:*"}}]}}"#
    )
    .replace("s3:*", "sts:*");
    Some(Policy::new(
        "target",
        Document::parse(&text, DocumentKind::Trust).expect("valid"),
    ))
}

struct Ask {
    principal: Principal,
    account: &'static str,
    action: &'static str,
    context: Context,
    policies: Policies,
}

impl Ask {
    fn new(principal: Principal) -> Self {
        Self {
            principal,
            account: HERE,
            action: "s3:GetObject",
            context: Context::new(),
            policies: Policies::default(),
        }
    }

    fn verdict(&self) -> Verdict {
        let request = Request {
            principal: self.principal.clone(),
            action: self.action.into(),
            resource: "arn:aws:s3:::invoices/a".into(),
            resource_account: self.account.into(),
            context: self.context.clone(),
        };
        let verdict = decide(&request, &self.policies);
        assert_eq!(
            evaluate(&request, &self.policies),
            (verdict.decision, verdict.decided_by)
        );
        verdict
    }

    fn outcome(&self) -> (Decision, DecidedBy) {
        let verdict = self.verdict();
        (verdict.decision, verdict.decided_by)
    }
}

use DecidedBy::{Boundary, Permission, Rcp, ResourcePolicy, Scp, SessionPolicy, Trust};
use Decision::{Allow, ExplicitDeny, ImplicitDeny};

#[test]
fn within_one_account_identity_boundary_and_session_must_all_allow() {
    let mut ask = Ask::new(session());
    assert_eq!(ask.outcome(), (ImplicitDeny, Permission));
    assert_eq!(
        ask.verdict().reason_text(),
        "because no identity-based policy allows the s3:GetObject action"
    );
    ask.policies.identity = vec![own(ALL)];
    assert_eq!(ask.outcome(), (Allow, Permission));
    ask.policies.boundary = Some(own(NONE));
    assert_eq!(ask.outcome(), (ImplicitDeny, Boundary));
    assert_eq!(
        ask.verdict().reason_text(),
        "because no permissions boundary allows the s3:GetObject action"
    );
    ask.policies.boundary = Some(own(ALL));
    ask.policies.session = vec![own(NONE)];
    assert_eq!(ask.outcome(), (ImplicitDeny, SessionPolicy));
    assert_eq!(
        ask.verdict().reason_text(),
        "because no session policy allows the s3:GetObject action"
    );
    // Several session policies are a union.
    ask.policies.session = vec![own(NONE), own(ALL)];
    assert_eq!(ask.outcome(), (Allow, Permission));
    // Silence is named identity first, then boundary, then session.
    ask.policies = Policies {
        identity: vec![own(NONE)],
        boundary: Some(own(NONE)),
        session: vec![own(NONE)],
        ..Policies::default()
    };
    assert_eq!(ask.outcome(), (ImplicitDeny, Permission));
}

#[test]
fn what_a_resource_policy_spares() {
    // The session itself: nothing else is asked.
    let mut ask = Ask::new(session());
    ask.policies = Policies {
        boundary: Some(own(NONE)),
        session: vec![own(NONE)],
        resource: bucket(&format!(r#"{{"AWS":"{SESSION}"}}"#)),
        ..Policies::default()
    };
    assert_eq!(ask.outcome(), (Allow, ResourcePolicy));
    // The role, by ARN, by id, or everyone: boundary and session still limit.
    for principal in [
        format!(r#"{{"AWS":"{ROLE}"}}"#),
        r#"{"AWS":"AROAAPP"}"#.into(),
        r#""*""#.into(),
        r#"{"AWS":"*"}"#.into(),
    ] {
        ask.policies.boundary = Some(own(NONE));
        ask.policies.session = vec![own(ALL)];
        ask.policies.resource = bucket(&principal);
        assert_eq!(ask.outcome(), (ImplicitDeny, Boundary), "{principal}");
        ask.policies.boundary = None;
        ask.policies.session = vec![own(NONE)];
        assert_eq!(ask.outcome(), (ImplicitDeny, SessionPolicy), "{principal}");
        ask.policies.session = Vec::new();
        assert_eq!(ask.outcome(), (Allow, ResourcePolicy), "{principal}");
    }
    // The account delegates: the identity policy decides.
    for principal in [HERE.to_owned(), format!("arn:aws:iam::{HERE}:root")] {
        ask.policies = Policies {
            resource: bucket(&format!(r#"{{"AWS":"{principal}"}}"#)),
            ..Policies::default()
        };
        assert_eq!(ask.outcome(), (ImplicitDeny, Permission), "{principal}");
        ask.policies.identity = vec![own(ALL)];
        assert_eq!(ask.outcome(), (Allow, Permission), "{principal}");
    }
    // Another role of the same name under another path, and a role made anew, are strangers.
    for principal in [
        format!("arn:aws:iam::{HERE}:role/app"),
        "AROAOLD".to_owned(),
    ] {
        ask.policies = Policies {
            resource: bucket(&format!(r#"{{"AWS":"{principal}"}}"#)),
            ..Policies::default()
        };
        assert_eq!(ask.outcome(), (ImplicitDeny, Permission), "{principal}");
    }
    let mut ask = Ask::new(user());
    ask.policies = Policies {
        boundary: Some(own(NONE)),
        resource: bucket(r#"{"AWS":"arn:aws:iam::111122223333:user/ann"}"#),
        ..Policies::default()
    };
    assert_eq!(ask.outcome(), (Allow, ResourcePolicy));
}

#[test]
fn everyone_narrowed_by_principal_arn_counts_as_named() {
    let mut ask = Ask::new(session());
    ask.context.set("aws:PrincipalArn", ROLE);
    ask.policies = Policies {
        boundary: Some(own(NONE)),
        session: vec![own(NONE)],
        resource: bucket_with(&format!(
            r#""Effect":"Allow","Principal":"*","Action":"s3:*","Resource":"*","Condition":{{"ArnEquals":{{"aws:PrincipalArn":"{ROLE}"}}}}"#
        )),
        ..Policies::default()
    };
    assert_eq!(ask.outcome(), (Allow, ResourcePolicy));
}

#[test]
fn a_pinned_principal_is_the_entity_and_not_its_name() {
    let mut ask = Ask::new(session());
    let document = Document::parse(
        &format!(r#"{{"Statement":{{"Effect":"Allow","Principal":{{"AWS":"{ROLE}"}},"Action":"s3:*","Resource":"*"}}}}"#),
        DocumentKind::Resource,
    )
    .expect("valid");
    for (id, wanted) in [("AROAAPP", Allow), ("AROAEARLIER", ImplicitDeny)] {
        let pinned = document.clone().pin_principals(|_| Some(id.to_owned()));
        ask.policies.resource = Some(Policy::new("invoices", pinned));
        assert_eq!(ask.outcome().0, wanted, "{id}");
    }
}

#[test]
fn across_accounts_both_sides_must_allow() {
    let mut ask = Ask::new(session());
    ask.account = THERE;
    ask.policies.identity = vec![own(ALL)];
    assert_eq!(ask.outcome(), (ImplicitDeny, ResourcePolicy));
    assert!(ask.verdict().explain()[0].contains("has no policy"));
    for principal in [
        format!(r#"{{"AWS":"{SESSION}"}}"#),
        format!(r#"{{"AWS":"{HERE}"}}"#),
        r#""*""#.into(),
    ] {
        ask.policies.identity = vec![own(ALL)];
        ask.policies.resource = bucket(&principal);
        assert_eq!(ask.outcome(), (Allow, ResourcePolicy), "{principal}");
        ask.policies.identity = Vec::new();
        assert_eq!(ask.outcome(), (ImplicitDeny, Permission), "{principal}");
    }
    ask.policies.resource = bucket(&format!(r#"{{"AWS":"{THERE}"}}"#));
    ask.policies.identity = vec![own(ALL)];
    assert_eq!(ask.outcome(), (ImplicitDeny, ResourcePolicy));
    assert_eq!(
        ask.verdict().reason_text(),
        "because no resource-based policy allows the s3:GetObject action"
    );
}

#[test]
fn a_trust_policy_is_mandatory() {
    let mut ask = Ask::new(session());
    ask.action = "sts:AssumeRole";
    ask.policies.identity = vec![own(ALL)];
    ask.policies.resource = trust(r#"{"Service":"ec2.amazonaws.com"}"#);
    assert_eq!(ask.outcome(), (ImplicitDeny, Trust));
    assert_eq!(
        ask.verdict().reason_text(),
        "because no role trust policy allows the sts:AssumeRole action"
    );
    // The account alone: the identity policy must allow too.
    ask.policies.resource = trust(&format!(r#"{{"AWS":"{HERE}"}}"#));
    assert_eq!(ask.outcome(), (Allow, Trust));
    ask.policies.identity = Vec::new();
    assert_eq!(ask.outcome(), (ImplicitDeny, Permission));
    // Named directly: trust alone, but a boundary still limits a role.
    ask.policies.resource = trust(&format!(r#"{{"AWS":"{ROLE}"}}"#));
    assert_eq!(ask.outcome(), (Allow, Trust));
    ask.policies.boundary = Some(own(NONE));
    assert_eq!(ask.outcome(), (ImplicitDeny, Boundary));
    ask.policies.resource = trust(&format!(r#"{{"AWS":"{SESSION}"}}"#));
    assert_eq!(ask.outcome(), (Allow, Trust));
    // From another account, everyone's trust does not spare the identity policy.
    ask.account = THERE;
    ask.policies = Policies {
        resource: trust(r#"{"AWS":"*"}"#),
        ..Policies::default()
    };
    assert_eq!(ask.outcome(), (ImplicitDeny, Permission));
}

#[test]
fn callers_without_policies_of_their_own() {
    let service = |name: &str| Principal::Service { name: name.into() };
    let mut ask = Ask::new(service("pods.eks.amazonaws.com"));
    ask.action = "sts:AssumeRole";
    // Policies of others are no concern of theirs.
    ask.policies.identity = vec![own(DENY)];
    ask.policies.resource = trust(r#"{"Service":"pods.eks.amazonaws.com"}"#);
    assert_eq!(ask.outcome(), (Allow, Trust));
    ask.principal = service("Pods.eks.amazonaws.com");
    assert_eq!(ask.outcome(), (ImplicitDeny, Trust));
    let provider = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.us-east-1.amazonaws.com/id/A";
    ask.principal = Principal::WebIdentity {
        provider: provider.into(),
    };
    ask.action = "sts:AssumeRoleWithWebIdentity";
    ask.policies.resource = trust(&format!(r#"{{"Federated":"{provider}"}}"#));
    assert_eq!(ask.outcome(), (Allow, Trust));
    ask.policies.resource = trust(&format!(r#"{{"AWS":"{HERE}"}}"#));
    assert_eq!(ask.outcome(), (ImplicitDeny, Trust));
    let mut ask = Ask::new(Principal::Anonymous);
    assert_eq!(ask.outcome(), (ImplicitDeny, ResourcePolicy));
    ask.policies.resource = bucket(r#""*""#);
    assert_eq!(ask.outcome(), (Allow, ResourcePolicy));
}

#[test]
fn the_root_user() {
    let mut ask = Ask::new(Principal::Root {
        account: HERE.into(),
    });
    assert_eq!(ask.outcome(), (Allow, Permission));
    ask.policies.resource =
        bucket_with(r#""Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*""#);
    assert_eq!(ask.outcome(), (ExplicitDeny, ResourcePolicy));
    ask.policies = Policies {
        scps: vec![vec![own(NONE)]],
        ..Policies::default()
    };
    assert_eq!(ask.outcome(), (ImplicitDeny, Scp));
    ask.policies = Policies::default();
    ask.account = THERE;
    assert_eq!(ask.outcome(), (ImplicitDeny, ResourcePolicy));
}

#[test]
fn an_explicit_deny_wins_in_every_layer() {
    let deny = |layer: DecidedBy| {
        let mut ask = Ask::new(session());
        let policies = &mut ask.policies;
        policies.identity = vec![own(ALL)];
        policies.resource = bucket(&format!(r#"{{"AWS":"{SESSION}"}}"#));
        match layer {
            Permission => policies.identity.push(own(DENY)),
            Boundary => policies.boundary = Some(own(DENY)),
            SessionPolicy => policies.session = vec![own(ALL), own(DENY)],
            ResourcePolicy => {
                policies.resource = bucket_with(
                    r#""Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*""#,
                );
            }
            Scp => policies.scps = vec![vec![own(ALL), own(DENY)]],
            Rcp => {
                let rcp = bucket_with(
                    r#""Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*""#,
                );
                policies.rcps = vec![rcp.into_iter().chain(bucket(r#""*""#)).collect()];
            }
            Trust => unreachable!("trust policies have a test of their own"),
        }
        ask
    };
    for (layer, reason) in [
        (
            Permission,
            "with an explicit deny in an identity-based policy",
        ),
        (Boundary, "with an explicit deny in a permissions boundary"),
        (SessionPolicy, "with an explicit deny in a session policy"),
        (
            ResourcePolicy,
            "with an explicit deny in a resource-based policy",
        ),
        (Scp, "with an explicit deny in a service control policy"),
        (Rcp, "with an explicit deny in a resource control policy"),
    ] {
        let verdict = deny(layer).verdict();
        assert_eq!(
            (verdict.decision, verdict.decided_by),
            (ExplicitDeny, layer)
        );
        assert_eq!(verdict.reason_text(), reason);
    }
}

#[test]
fn every_level_of_an_organisation_must_allow() {
    let mut ask = Ask::new(session());
    ask.policies.identity = vec![own(ALL)];
    ask.policies.scps = vec![vec![own(ALL)], vec![own(NONE), own(ALL)]];
    assert_eq!(ask.outcome(), (Allow, Permission));
    ask.policies.scps = vec![vec![own(ALL)], vec![own(NONE)]];
    assert_eq!(ask.outcome(), (ImplicitDeny, Scp));
    // Service-linked roles and services are out of its reach.
    ask.principal = Principal::RoleSession {
        role_arn: "arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/r".into(),
        role_id: "AROASLR".into(),
        session_arn: "arn:aws:sts::111122223333:assumed-role/r/s".into(),
    };
    assert_eq!(ask.outcome(), (Allow, Permission));
}

#[test]
fn not_principal_spares_whom_it_lists_in_full() {
    let mut ask = Ask::new(session());
    ask.policies.identity = vec![own(ALL)];
    let not = |listed: &str| {
        bucket_with(&format!(
            r#""Effect":"Deny","NotPrincipal":{{"AWS":[{listed}]}},"Action":"s3:*","Resource":"*""#
        ))
    };
    ask.policies.resource = not(&format!(r#""{ROLE}""#));
    assert_eq!(ask.outcome(), (ExplicitDeny, ResourcePolicy));
    ask.policies.resource = not(&format!(r#""{ROLE}","{HERE}""#));
    assert_eq!(ask.outcome(), (ExplicitDeny, ResourcePolicy));
    ask.policies.resource = not(&format!(r#""{ROLE}","{HERE}","{SESSION}""#));
    assert_eq!(ask.outcome(), (Allow, Permission));
    // A boundary takes the exemption away.
    ask.policies.boundary = Some(own(ALL));
    assert_eq!(ask.outcome(), (ExplicitDeny, ResourcePolicy));
}

#[test]
fn actions_ignore_case_and_not_forms_invert() {
    let allowed = |statement: &str, action: &'static str| {
        let mut ask = Ask::new(user());
        ask.action = action;
        ask.policies.identity = vec![own(&format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow",{statement}}}}}"#
        ))];
        ask.outcome().0 == Allow
    };
    assert!(allowed(
        r#""Action":"S3:getobject","Resource":"*""#,
        "s3:GetObject"
    ));
    assert!(allowed(
        r#""Action":"s3:Get?bject","Resource":"*""#,
        "s3:GetObject"
    ));
    assert!(!allowed(
        r#""Action":"s3:Get","Resource":"*""#,
        "s3:GetObject"
    ));
    assert!(!allowed(
        r#""NotAction":"s3:*","Resource":"*""#,
        "s3:GetObject"
    ));
    assert!(allowed(
        r#""NotAction":["s3:Put*","ec2:*"],"Resource":"*""#,
        "s3:GetObject"
    ));
    assert!(allowed(
        r#""Action":"*","NotResource":"arn:aws:s3:::logs/*""#,
        "s3:GetObject"
    ));
    assert!(!allowed(
        r#""Action":"*","NotResource":"arn:aws:s3:::invoices/*""#,
        "s3:GetObject"
    ));
}

#[test]
fn a_silent_policy_says_what_came_closest() {
    let mut ask = Ask::new(session());
    ask.context
        .set("aws:PrincipalTag/kubernetes-namespace", "default");
    ask.policies.identity = vec![own(r#"{"Version":"2012-10-17","Statement":[
            {"Sid":"Read","Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::invoices/*","Condition":{"StringEquals":{"aws:PrincipalTag/kubernetes-namespace":"shop"}}},
            {"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::other/*"},
            {"Effect":"Allow","Action":["ec2:*","eks:*"],"Resource":"*"}]}"#)];
    assert_eq!(
        ask.verdict().explain(),
        [
            "identity policy p: statement \"Read\": condition StringEquals aws:PrincipalTag/kubernetes-namespace wants [\"shop\"], the request carried \"default\"",
            "identity policy p: statement 1 allows s3:GetObject, but only on arn:aws:s3:::other/*; the request is for arn:aws:s3:::invoices/a",
        ]
    );
    ask.context.remove("aws:PrincipalTag/kubernetes-namespace");
    assert!(ask.verdict().explain()[0].ends_with("the request did not carry the key"));
    ask.policies.identity = vec![own(NONE)];
    assert_eq!(
        ask.verdict().explain(),
        ["identity policy p: no statement allows s3:GetObject"]
    );
    ask.policies.identity = Vec::new();
    assert_eq!(
        ask.verdict().explain(),
        [format!("{SESSION} has no identity policy")]
    );
}

#[test]
fn an_undefined_comparison_warns() {
    let mut ask = Ask::new(session());
    ask.context
        .set("aws:TagKeys", vec!["a".to_owned(), "b".to_owned()]);
    ask.policies.identity = vec![own(
        r#"{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"StringEquals":{"aws:TagKeys":"b"}}}}"#,
    )];
    let verdict = ask.verdict();
    assert!(verdict.is_allowed());
    assert_eq!(verdict.warnings.len(), 1);
}
