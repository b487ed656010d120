//! What the recordings do not show: files, watches and certificates that change, metrics, the end, the journal.

mod fake;

use std::{collections::BTreeMap, sync::Arc};

use emu_core::{
    AssociationFeed, AssociationState, Clock, Event, Ids, Journal, ServiceAccountRef,
    journal::MutationReason,
};
use emu_webhook::{
    AccountDefaults, FeedIdentities, MutationSettings, Mutator, ServeError, Server,
    ServiceAccounts, serve_until,
    server::{CertificateFiles, TlsFlags, tls_config},
};
use fake::{FakeApi, SOON, Started, certificate, flags, review, send};
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::sync::watch;

const ROLE: &str = "arn:aws:iam::111122223333:role/reader";

fn role(annotation: &str) -> Value {
    json!({ "eks.amazonaws.com/role-arn": annotation })
}

fn is_patched(answer: &Value) -> bool {
    answer["response"]["patch"].is_string()
}

/// Asks until the answer is the wanted one: there is no event to wait for in somebody else's program.
async fn until_patched(server: &Started, namespace: &str, account: &str, wanted: bool) {
    let asked = async {
        while is_patched(&server.review(&review(namespace, account)).await) != wanted {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, asked)
        .await
        .expect("the change is seen");
}

#[tokio::test]
async fn accounts_and_config_maps_are_followed() {
    let api = FakeApi::start().await;
    api.account("demo", "app", &json!({}));
    let config = |text: &str| json!({ "config": text });
    api.config_map("eks", "other", &config("{\"app\": null}"));
    let server = Started::new(&api, &["--watch-config-map".into()], None).await;
    assert!(!is_patched(&server.review(&review("demo", "app")).await));
    api.account("demo", "app", &role(ROLE));
    until_patched(&server, "demo", "app", true).await;
    api.account("demo", "app", &json!({}));
    until_patched(&server, "demo", "app", false).await;
    api.config_map(
        "eks",
        "pod-identity-webhook",
        &config("{\"demo/app\": {\"RoleARN\": \"r\"}}"),
    );
    until_patched(&server, "demo", "app", true).await;
    // Deleting it clears nothing; a new one without the entry is not compared with the deleted one.
    api.delete("configmaps", "eks", "pod-identity-webhook");
    api.config_map(
        "eks",
        "pod-identity-webhook",
        &config("{\"*/any\": {\"RoleARN\": \"r\"}}"),
    );
    until_patched(&server, "anywhere", "any", true).await;
    assert!(is_patched(&server.review(&review("demo", "app")).await));
    api.config_map("eks", "pod-identity-webhook", &config("{}"));
    until_patched(&server, "anywhere", "any", false).await;
    api.account("demo", "late", &role(ROLE));
    until_patched(&server, "demo", "late", true).await;
    api.delete("serviceaccounts", "demo", "late");
    until_patched(&server, "demo", "late", false).await;
    // What crashes the original ends ours, with a panic's status.
    api.config_map("eks", "pod-identity-webhook", &config("{\"app\": {}}"));
    let ended = tokio::time::timeout(SOON, server.task)
        .await
        .unwrap()
        .unwrap();
    let error = ended.unwrap_err();
    assert!(matches!(error, ServeError::Crash(_)));
    assert_eq!(error.exit_code(), 2);
}

#[tokio::test]
async fn the_identities_file_is_followed() {
    let api = FakeApi::start().await;
    let listed = |names: &[&str]| {
        let identities: Vec<Value> = names
            .iter()
            .map(|name| json!({ "namespace": "demo", "serviceAccount": name }))
            .collect();
        json!({ "identities": identities }).to_string()
    };
    let server = Started::new(&api, &[], Some(&listed(&["app"]))).await;
    let path = server.file("identities.json");
    assert!(is_patched(&server.review(&review("demo", "app")).await));
    std::fs::write(&path, listed(&["app", "second"])).unwrap();
    until_patched(&server, "demo", "second", true).await;
    // What is not JSON leaves things as they are ...
    std::fs::write(server.file("new.json"), "{").unwrap();
    std::fs::rename(server.file("new.json"), &path).unwrap();
    assert!(is_patched(&server.review(&review("demo", "app")).await));
    // ... a file that replaces it by renaming is read, and a missing one clears all.
    std::fs::write(server.file("new.json"), listed(&["third"])).unwrap();
    std::fs::rename(server.file("new.json"), &path).unwrap();
    until_patched(&server, "demo", "third", true).await;
    assert!(!is_patched(&server.review(&review("demo", "app")).await));
    std::fs::remove_file(&path).unwrap();
    until_patched(&server, "demo", "third", false).await;
    std::fs::write(&path, listed(&["back"])).unwrap();
    until_patched(&server, "demo", "back", true).await;
    server.stop().await.unwrap();
}

#[tokio::test]
async fn unknown_accounts_are_fetched_once_within_the_grace_period() {
    let api = FakeApi::start().await;
    api.hidden_account("demo", "late", &role(ROLE));
    let server = Started::new(
        &api,
        &["--service-account-lookup-grace-period=5s".into()],
        None,
    )
    .await;
    let pod = review("demo", "late");
    let answers = futures::future::join_all((0..10).map(|_| server.review(&pod))).await;
    assert!(answers.iter().all(is_patched));
    assert_eq!(api.gets(), 1);
    server.stop().await.unwrap();
}

#[tokio::test]
async fn certificates_are_read_again() {
    let api = FakeApi::start().await;
    let server = Started::new(&api, &[], None).await;
    let health = || Request::get("/healthz").body(Full::default()).unwrap();
    assert_eq!(server.send(health()).await.body(), "ok");
    let (renewed, key) = certificate();
    // For a moment the files do not fit together: the old pair stays.
    std::fs::write(server.file("tls.crt"), &renewed).unwrap();
    std::fs::write(server.file("tls.key"), &key).unwrap();
    let port = server.ports.webhook.port();
    let trusted = async {
        loop {
            let renewed = renewed.clone();
            let asked = tokio::spawn(async move { send(port, &renewed, health()).await });
            // The client does not trust the old certificate and panics.
            if let Ok(answer) = asked.await {
                return answer;
            }
        }
    };
    let answer = tokio::time::timeout(SOON, trusted)
        .await
        .expect("the new certificate is served");
    assert_eq!(answer.body(), "ok");
    server.stop().await.unwrap();
}

#[tokio::test]
async fn metrics_and_debugging_handlers() {
    let api = FakeApi::start().await;
    api.account("demo", "irsa", &role(ROLE));
    let identities =
        json!({ "identities": [{ "namespace": "demo", "serviceAccount": "app" }] }).to_string();
    let more = ["--enable-debugging-handlers".to_owned()];
    let server = Started::new(&api, &more, Some(&identities)).await;
    for account in ["app", "irsa", "irsa", "ghost"] {
        server.review(&review("demo", account)).await;
    }
    let post = |path: &str| Request::post(path).body(Full::default()).unwrap();
    assert_eq!(server.send(post("/debug/alpha/500")).await.status(), 500);
    let denied: Value =
        serde_json::from_slice(server.send(post("/debug/alpha/deny")).await.body()).unwrap();
    assert_eq!(denied["response"]["status"]["message"], "Test deny message");
    let answer = server.fetch("/metrics").await;
    assert_eq!(
        answer.headers()["Content-Type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    let text = String::from_utf8(answer.body().to_vec()).unwrap();
    for line in [
        "http_request_count{code=\"200\",path=\"/mutate\",verb=\"POST\"} 4",
        "http_request_count{code=\"500\",path=\"/debug/alpha/500\",verb=\"POST\"} 1",
        "http_request_latencies_bucket{path=\"/mutate\",verb=\"POST\",le=\"+Inf\"} 4",
        "http_request_duration_microseconds_count{path=\"/mutate\",verb=\"POST\"} 4",
        "pod_identity_webhook_pod_count{method=\"container_credentials\"} 1",
        "pod_identity_webhook_pod_count{method=\"sts_web_identity\"} 2",
        "pod_identity_webhook_missing_sa_count 1",
        "pod_identity_webhook_used 1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    }
    let cache: Value =
        serde_json::from_slice(server.fetch("/debug/alpha/cache").await.body()).unwrap();
    assert_eq!(cache["demo/irsa"]["RoleARN"], ROLE);
    assert_eq!(server.fetch("/debug/alpha/cache/clear").await.status(), 200);
    assert_eq!(server.fetch("/debug/alpha/cache").await.body(), "{}");
    assert!(!is_patched(&server.review(&review("demo", "irsa")).await));
    assert_eq!(
        server.fetch("/nothing").await.body(),
        "404 page not found\n"
    );
    server.stop().await.unwrap();
}

#[tokio::test]
async fn what_is_fatal() {
    let (_stop, stopped) = watch::channel(false);
    let fatal = |line: &[&str]| serve_until(flags(line.iter().copied()), stopped.clone(), |_| {});
    let error = fatal(&["--kubeconfig", "/nonexistent"]).await.unwrap_err();
    assert!(matches!(error, ServeError::Config(_)));
    assert_eq!(error.exit_code(), 255);
    let api = "--kube-api=http://127.0.0.1:1";
    let error = fatal(&[api, "--tls-cipher-suites=X"]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "invalid tls-cipher-suites: unsupported cipher suite: X"
    );
    let error = fatal(&[api, "--tls-min-version=1.4"]).await.unwrap_err();
    assert!(matches!(error, ServeError::TlsFlag(_)));
    let error = fatal(&[api, "--in-cluster=false", "--tls-cert=/nonexistent"])
        .await
        .unwrap_err();
    assert!(matches!(error, ServeError::Certificate(_)));
    let error = fatal(&[api, "--watch-container-credentials-config=/nonexistent/f"])
        .await
        .unwrap_err();
    assert!(matches!(error, ServeError::Identities { .. }));
}

/// Associations by service account.
struct Feed(BTreeMap<ServiceAccountRef, AssociationState>);

impl AssociationFeed for Feed {
    fn visible(&self, _: &str) -> Vec<ServiceAccountRef> {
        let visible = self
            .0
            .iter()
            .filter(|(_, state)| **state == AssociationState::Visible);
        visible
            .map(|(service_account, _)| service_account.clone())
            .collect()
    }

    fn state(&self, cluster: &str, service_account: &ServiceAccountRef) -> AssociationState {
        assert_eq!(cluster, "test");
        self.0
            .get(service_account)
            .copied()
            .unwrap_or(AssociationState::Absent)
    }
}

#[tokio::test]
async fn decisions_reach_the_journal() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = certificate();
    let file = |name: &str, content: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    };
    let files = CertificateFiles::open(&file("crt", &certificate), &file("key", &key)).unwrap();
    let tls = tls_config(TlsFlags::parse("", "").unwrap(), files).unwrap();
    let feed = Feed(BTreeMap::from([
        (
            ServiceAccountRef::new("demo", "app"),
            AssociationState::Visible,
        ),
        (
            ServiceAccountRef::new("demo", "new"),
            AssociationState::NotPropagated,
        ),
    ]));
    let mutator = Mutator::new(
        MutationSettings::default(),
        Arc::new(FeedIdentities::new(Arc::new(feed), "test")),
        Arc::new(ServiceAccounts::new(AccountDefaults::default())),
        Ids::seeded(1),
    );
    let journal = Journal::new(Clock::new(), 100);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = Server::start(listener, Arc::new(tls), mutator, journal.clone(), "test").unwrap();
    let ask = async |review: &Value| {
        let request = Request::post("/mutate")
            .header("Content-Type", "application/json")
            .body(Full::from(review.to_string()))
            .unwrap();
        send(server.local_addr().port(), &certificate, request).await;
    };
    for (namespace, account) in [("demo", "app"), ("demo", "new"), ("prod", "app")] {
        ask(&review(namespace, account)).await;
    }
    let mut dry = review("demo", "app");
    dry["request"]["dryRun"] = true.into();
    ask(&dry).await;
    let told: Vec<_> = journal
        .since(0)
        .iter()
        .map(|entry| match &entry.event {
            Event::PodAdmitted {
                pod,
                mutated,
                reason,
                detail,
                ..
            } => {
                assert_eq!((pod.cluster.as_str(), pod.name.as_str()), ("test", "pod"));
                (*mutated, *reason, detail.clone())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told.len(), 3, "a dry run is not told");
    assert_eq!((told[0].0, told[0].1), (true, MutationReason::Association));
    assert_eq!(
        (told[1].0, told[1].1),
        (false, MutationReason::AssociationNotPropagated)
    );
    assert_eq!(
        (told[2].0, told[2].1),
        (false, MutationReason::NoAssociation)
    );
    assert!(
        told[2]
            .2
            .as_ref()
            .unwrap()
            .contains("in another namespace: demo/app")
    );
    assert!(server.shutdown().await);
}
