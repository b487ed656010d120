//! Nanoseconds a decision: `cargo run --release -p emu-policy --example bench`.

use std::{hint::black_box, time::Instant};

use emu_policy::{
    Context, Document, DocumentKind, Policies, Policy, Principal, Request, decide, evaluate,
};

const TRUST: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow",
  "Principal":{"Service":"pods.eks.amazonaws.com"},"Action":["sts:AssumeRole","sts:TagSession"],
  "Condition":{"StringEquals":{"aws:RequestTag/kubernetes-namespace":"shop","aws:SourceAccount":"111122223333"},
               "ArnLike":{"aws:SourceArn":"arn:aws:eks:*:111122223333:cluster/*"}}}]}"#;

const PERMISSION: &str = r#"{"Version":"2012-10-17","Statement":[
  {"Effect":"Allow","Action":["s3:ListBucket"],"Resource":"arn:aws:s3:::invoices"},
  {"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],
   "Resource":"arn:aws:s3:::invoices/${aws:PrincipalTag/kubernetes-namespace}/*"},
  {"Effect":"Deny","Action":"s3:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":"false"}}}]}"#;

fn context() -> Context {
    let mut context = Context::new();
    for name in [
        "kubernetes-namespace",
        "kubernetes-service-account",
        "kubernetes-pod-name",
        "eks-cluster-name",
    ] {
        context.set(&format!("aws:RequestTag/{name}"), "shop");
        context.set(&format!("aws:PrincipalTag/{name}"), "shop");
    }
    context
        .with("aws:SourceAccount", "111122223333")
        .with(
            "aws:SourceArn",
            "arn:aws:eks:us-east-1:111122223333:cluster/demo",
        )
        .with("aws:SecureTransport", true)
}

fn measure<T>(name: &str, mut run: impl FnMut() -> T) {
    const ROUNDS: u32 = 200_000;
    for _ in 0..ROUNDS / 10 {
        black_box(run());
    }
    let start = Instant::now();
    for _ in 0..ROUNDS {
        black_box(run());
    }
    println!(
        "{name:<44} {:>8} ns",
        start.elapsed().as_nanos() / u128::from(ROUNDS)
    );
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let trust = Document::parse(TRUST, DocumentKind::Trust)?;
    let permission = Document::parse(PERMISSION, DocumentKind::Inline)?;
    let assume = Request {
        principal: Principal::Service {
            name: "pods.eks.amazonaws.com".into(),
        },
        action: "sts:AssumeRole".into(),
        resource: "arn:aws:iam::111122223333:role/app".into(),
        resource_account: "111122223333".into(),
        context: context(),
    };
    let by_service = Policies {
        resource: Some(Policy::new("app", trust)),
        ..Policies::default()
    };
    let get = Request {
        principal: Principal::RoleSession {
            role_arn: "arn:aws:iam::111122223333:role/app".into(),
            role_id: "AROAAPP".into(),
            session_arn: "arn:aws:sts::111122223333:assumed-role/app/s1".into(),
        },
        action: "s3:GetObject".into(),
        resource: "arn:aws:s3:::invoices/shop/2026/07/a.pdf".into(),
        ..assume.clone()
    };
    let by_session = Policies {
        identity: vec![Policy::new("read", permission)],
        ..Policies::default()
    };

    measure("evaluate, trust policy, 3 conditions", || {
        evaluate(&assume, &by_service)
    });
    measure("decide, trust policy, 3 conditions", || {
        decide(&assume, &by_service)
    });
    measure("evaluate, identity policy, 3 statements", || {
        evaluate(&get, &by_session)
    });
    measure("decide, identity policy, 3 statements", || {
        decide(&get, &by_session)
    });
    measure("parse, identity policy, 3 statements", || {
        Document::parse(PERMISSION, DocumentKind::Inline)
    });
    Ok(())
}
