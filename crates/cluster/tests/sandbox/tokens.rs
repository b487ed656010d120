//! A pod's projected token.

use std::time::Duration;

use emu_cluster::{Cluster, ClusterError, MintRequest, token::TokenFault};
use emu_core::{Event, ServiceAccountRef};

use crate::world::{AUDIENCE, config, name, pod, start};

#[tokio::test]
async fn a_token_is_renewed_at_80_percent_of_its_life() {
    let config = config().await;
    let (clock, journal) = (config.clock.clone(), config.journal.clone());
    let sandbox = start(config).await;
    sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
    let api = name("api-0");
    let first = sandbox.read_token(&api, AUDIENCE).await.unwrap();
    let Some(entry) = journal
        .wait(0, Duration::from_secs(5), |e| {
            matches!(e.event, Event::TokenIssued { .. })
        })
        .await
    else {
        panic!("no token was issued")
    };
    let Event::TokenIssued {
        issued_at,
        expires_at,
        ..
    } = &entry.event
    else {
        unreachable!()
    };
    let life = expires_at.duration_since(*issued_at).as_secs() as u64;
    assert!((79_200..=86_400).contains(&life), "{life}");
    clock
        .advance(Duration::from_secs(life * 4 / 5 - 60))
        .await
        .unwrap();
    assert_eq!(sandbox.read_token(&api, AUDIENCE).await.unwrap(), first);
    clock.advance(Duration::from_secs(120)).await.unwrap();
    let second = sandbox.read_token(&api, AUDIENCE).await.unwrap();
    assert_ne!(second, first);
    sandbox.rotate_tokens(&api).await.unwrap();
    assert_ne!(sandbox.read_token(&api, AUDIENCE).await.unwrap(), second);
    clock
        .advance(Duration::from_secs(10 * 86_400))
        .await
        .unwrap();
    let issued = |e: &&std::sync::Arc<emu_core::Entry>| {
        matches!(e.event, Event::TokenIssued { rotation: true, .. })
    };
    let count = journal.since(0).iter().filter(issued).count();
    assert!((13..=18).contains(&count), "{count}");
    sandbox.delete_pod(&api).await.unwrap();
    let last = journal.last();
    clock
        .advance(Duration::from_secs(5 * 86_400))
        .await
        .unwrap();
    assert!(!journal.since(last).iter().any(|e| issued(&e)));
}

#[tokio::test]
async fn token_files_go_wrong_and_right_again() {
    let sandbox = start(config().await).await;
    sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
    let api = name("api-0");
    let token = sandbox.read_token(&api, AUDIENCE).await.unwrap();
    sandbox
        .set_token_fault(&api, Some(TokenFault::Newline))
        .await
        .unwrap();
    assert_eq!(
        sandbox.read_token(&api, AUDIENCE).await.unwrap(),
        format!("{token}\n")
    );
    sandbox
        .set_token_fault(&api, Some(TokenFault::Missing))
        .await
        .unwrap();
    assert!(sandbox.read_token(&api, AUDIENCE).await.is_err());
    sandbox.set_token_fault(&api, None).await.unwrap();
    assert_eq!(sandbox.read_token(&api, AUDIENCE).await.unwrap(), token);
}

#[tokio::test]
async fn who_may_read_the_token_is_as_on_a_kubelet() {
    let sandbox = start(config().await).await;
    if !sandbox.capabilities().users {
        eprintln!("skipped: this process cannot give files away");
        return;
    }
    let with = |name: &str, security: serde_json::Value| {
        let mut pod = pod(name, "api");
        pod.spec.as_mut().unwrap().security_context = serde_json::from_value(security).unwrap();
        pod
    };
    let cases = [
        ("plain", serde_json::json!({}), "644 0 0"),
        (
            "user",
            serde_json::json!({ "runAsUser": 1234 }),
            "600 1234 0",
        ),
        (
            "group",
            serde_json::json!({ "runAsUser": 1234, "fsGroup": 77 }),
            "640 1234 77",
        ),
    ];
    for (case, security, wanted) in cases {
        sandbox
            .create_pod(with(case, security), None)
            .await
            .unwrap();
        let script = "stat -c '%a %u %g' $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE; cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE >/dev/null; id -u";
        let output = crate::world::sh(&sandbox, case, script).await;
        assert!(
            output.stdout_text().starts_with(wanted),
            "{case}: {output:?}"
        );
        assert_eq!(output.stderr_text(), "", "{case}");
    }
    // Catalogue C5: a file of root's, a program that is not.
    sandbox
        .set_token_fault(&name("user"), Some(TokenFault::Unreadable))
        .await
        .unwrap();
    let output = crate::world::sh(
        &sandbox,
        "user",
        "cat $AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    )
    .await;
    assert!(
        output.stderr_text().contains("Permission denied"),
        "{output:?}"
    );
}

#[tokio::test]
async fn tokens_by_hand_and_pods_that_are_refused() {
    let sandbox = start(config().await).await;
    let issued = sandbox
        .mint_token(MintRequest {
            service_account: ServiceAccountRef::new("shop", "api"),
            audiences: vec!["sts.amazonaws.com".into()],
            seconds: 3600,
            pod: None,
        })
        .await
        .unwrap();
    assert_eq!(
        issued.expires_at.duration_since(issued.issued_at).as_secs(),
        3600
    );
    let error = sandbox
        .create_pod(pod("x", "nobody"), None)
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "pods \"x\" is forbidden: error looking up service account shop/nobody: serviceaccount \"nobody\" not found"
    );
    sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
    let again = sandbox.create_pod(pod("api-0", "api"), None).await;
    assert!(matches!(again, Err(ClusterError::Exists { .. })));
}
