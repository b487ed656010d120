//! What recordings do not show: renewal, eviction, the journal, signatures, faults.

mod support;

use std::{net::TcpListener, sync::Arc, time::Duration};

use emu_agent::{
    Endpoint, NodeKeys, Twin, TwinConfig, TwinListener,
    faults::{AgentFaults, PodFault, UpstreamFault},
};
use emu_core::{Clock, Event, Journal, journal::PodRef};
use serde_json::{Value, json};
use support::{Upstream, exchange, token};

struct Stand {
    clock: Clock,
    journal: Journal,
    upstream: Upstream,
    twin: Twin,
}

impl Stand {
    async fn new(change: impl FnOnce(&mut TwinConfig)) -> Self {
        let clock = Clock::new();
        let journal = Journal::new(clock.clone(), 10_000);
        let upstream = Upstream::start(clock.clone()).await;
        let keys = NodeKeys {
            access_key_id: "ASIANODE".into(),
            secret_access_key: "secret".into(),
            session_token: Some("node-session".into()),
        };
        let endpoint = Endpoint::Environment(format!("http://{}/base", upstream.address));
        let mut config = TwinConfig::new("demo", endpoint, Arc::new(keys));
        config.clock = clock.clone();
        config.journal = Some(journal.clone());
        config.node = "n1".into();
        config.listeners.push(listener());
        change(&mut config);
        Self {
            twin: Twin::start(config).unwrap(),
            clock,
            journal,
            upstream,
        }
    }

    fn token(&self, uid: &str) -> String {
        let pod = json!({ "namespace": "shop", "pod": { "name": "api", "uid": uid }, "serviceaccount": { "name": "sa", "uid": "u" } });
        token(
            &json!({ "claims": { "exp": "+864000", "jti": uid, "kubernetes.io": pod } }),
            &self.clock,
        )
    }

    async fn ask(&self, token: &str) -> Value {
        let request = format!(
            "GET /v1/credentials HTTP/1.1\r\nHost: 169.254.170.23\r\nAuthorization: {token}\r\n\r\n"
        );
        exchange(self.twin.local_addrs()[0], request.as_bytes(), false).await
    }

    fn calls(&self) -> usize {
        self.upstream.received().len()
    }
}

fn listener() -> TwinListener {
    TwinListener::new(TcpListener::bind("127.0.0.1:0").unwrap())
}

fn good(key: &str, seconds: u32) -> Value {
    json!({ "status": 200, "body": {
        "subject": { "namespace": "shop", "serviceAccount": "sa" },
        "audience": "pods.eks.amazonaws.com",
        "podIdentityAssociation": { "associationArn": "arn:x", "associationId": "a-1" },
        "assumedRoleUser": { "arn": "arn:aws:sts::111122223333:assumed-role/r/s", "assumeRoleId": "A:s" },
        "credentials": { "sessionToken": "t", "secretAccessKey": "s", "accessKeyId": key, "expiration": format!("@+{seconds}") },
    } })
}

fn error(status: u16, code: &str) -> Value {
    json!({ "status": status, "headers": { "X-Amzn-ErrorType": code }, "body": { "message": "m" } })
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_are_renewed_before_they_expire() {
    let stand = Stand::new(|_| {}).await;
    let token = stand.token("u1");
    stand
        .upstream
        .play(vec![good("FIRST", 21_600), good("SECOND", 21_600)]);
    assert!(
        stand.ask(&token).await["body"]
            .as_str()
            .unwrap()
            .contains("FIRST")
    );
    stand
        .clock
        .advance(Duration::from_secs(3 * 3_600 - 5))
        .await
        .unwrap();
    assert_eq!(stand.calls(), 1);
    stand.clock.advance(Duration::from_secs(65)).await.unwrap();
    assert_eq!(stand.calls(), 2);
    assert!(
        stand.ask(&token).await["body"]
            .as_str()
            .unwrap()
            .contains("SECOND")
    );
    assert_eq!(stand.calls(), 2);
    assert!(
        stand
            .twin
            .metrics()
            .contains("pod_identity_cache_state{state=\"hit\"} 1")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn while_eks_auth_is_down_the_old_ones_are_kept() {
    let stand = Stand::new(|_| {}).await;
    let token = stand.token("u1");
    stand.upstream.play(vec![
        good("FIRST", 21_600),
        error(500, "InternalServerException"),
    ]);
    stand.ask(&token).await;
    stand
        .clock
        .advance(Duration::from_secs(21_600 - 30))
        .await
        .unwrap();
    assert!(
        stand.calls() > 10,
        "retried all the while: {}",
        stand.calls()
    );
    assert!(
        stand.ask(&token).await["body"]
            .as_str()
            .unwrap()
            .contains("FIRST")
    );
    stand.clock.advance(Duration::from_secs(20)).await.unwrap();
    stand
        .upstream
        .play(vec![error(400, "AccessDeniedException")]);
    assert_eq!(stand.ask(&token).await["status"], 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_denied_renewal_evicts_at_once() {
    let stand = Stand::new(|_| {}).await;
    let token = stand.token("u1");
    stand.upstream.play(vec![
        good("FIRST", 21_600),
        error(404, "ResourceNotFoundException"),
    ]);
    stand.ask(&token).await;
    stand
        .clock
        .advance(Duration::from_secs(3 * 3_600 + 70))
        .await
        .unwrap();
    assert_eq!((stand.calls(), stand.twin.cached()), (2, 0));
    assert!(stand.twin.metrics().contains(
        r#"pod_identity_cache_errors{code="ResourceNotFoundException",type="NonRecoverable"} 1"#
    ));
    assert_eq!(stand.ask(&token).await["status"], 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_panics_ends_the_agent() {
    let stand = Stand::new(|_| {}).await;
    let token = stand.token("u1");
    let mut broken = good("SECOND", 21_600);
    broken["body"]["podIdentityAssociation"] = json!(null);
    stand.upstream.play(vec![good("FIRST", 21_600), broken]);
    stand.ask(&token).await;
    stand
        .clock
        .advance(Duration::from_secs(3 * 3_600 + 70))
        .await
        .unwrap();
    let reason = tokio::time::timeout(Duration::from_secs(5), stand.twin.crashed())
        .await
        .unwrap();
    assert!(reason.contains("nil pointer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_refused_though_its_credentials_are_cached() {
    let stand = Stand::new(|_| {}).await;
    let token = token(&json!({ "claims": { "exp": "+600" } }), &stand.clock);
    stand.upstream.play(vec![good("FIRST", 21_600)]);
    assert_eq!(stand.ask(&token).await["status"], 200);
    stand.clock.advance(Duration::from_secs(601)).await.unwrap();
    assert_eq!(
        stand.ask(&token).await["body"],
        "Service account token failed basic claim validations: token is expired\n"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_signed_and_written_down() {
    let stand = Stand::new(|_| {}).await;
    stand.upstream.play(vec![good("FIRST", 21_600)]);
    let token = stand.token("u1");
    stand.ask(&token).await;
    stand.ask(&token).await;
    let received = &stand.upstream.received()[0];
    assert_eq!(
        received.line,
        "POST /base/clusters/demo/assume-role-for-pod-identity HTTP/1.1"
    );
    let authorization = received.header("Authorization").unwrap();
    assert!(
        authorization.starts_with("AWS4-HMAC-SHA256 Credential=ASIANODE/"),
        "{authorization}"
    );
    assert!(
        authorization.contains("/us-east-1/eks-auth/aws4_request"),
        "{authorization}"
    );
    assert_eq!(
        received.header("X-Amz-Security-Token"),
        Some("node-session")
    );
    assert!(received.header("Amz-Sdk-Invocation-Id").is_some());
    let requests: Vec<(bool, Option<PodRef>, Option<String>)> = stand
        .journal
        .since(0)
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::AgentRequest {
                cached,
                pod,
                access_key_id,
                ..
            } => Some((*cached, pod.clone(), access_key_id.clone())),
            _ => None,
        })
        .collect();
    assert_eq!(requests.len(), 2);
    assert_eq!((requests[0].0, requests[1].0), (false, true));
    assert_eq!(requests[0].1.as_ref().unwrap().name, "api");
    assert_eq!(requests[1].2.as_deref(), Some("FIRST"));
    let everything = serde_json::to_string(
        &stand
            .journal
            .since(0)
            .iter()
            .map(|e| (**e).clone())
            .collect::<Vec<_>>(),
    )
    .unwrap();
    assert!(!everything.contains(&token), "no token in the journal");
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_come_and_go_and_share_their_address_s_cache() {
    let stand = Stand::new(|_| {}).await;
    stand.upstream.play(vec![good("FIRST", 21_600)]);
    let token = stand.token("u1");
    let pod = PodRef {
        name: "api".into(),
        ..PodRef::default()
    };
    let id = stand.twin.add_listener(listener().in_pod(pod)).unwrap();
    let request = format!(
        "GET /v1/credentials HTTP/1.1\r\nHost: [fd00:ec2::23]\r\nAuthorization: {token}\r\n\r\n"
    );
    for address in stand.twin.local_addrs() {
        assert_eq!(
            exchange(address, request.as_bytes(), false).await["status"],
            200
        );
    }
    assert_eq!(stand.calls(), 1);
    let mut other = listener();
    other.address = "[fd00:ec2::23]".into();
    stand.twin.add_listener(other).unwrap();
    let addresses = stand.twin.local_addrs();
    assert_eq!(
        exchange(addresses[2], request.as_bytes(), false).await["status"],
        200
    );
    assert_eq!(stand.calls(), 2, "another address, another cache");
    stand.twin.remove_listener(id);
    let refused = async {
        while tokio::net::TcpStream::connect(addresses[1]).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(5), refused)
        .await
        .unwrap();
}

struct Faulty;

impl AgentFaults for Faulty {
    fn pod(&self, _: &str, _: Option<&PodRef>) -> Option<PodFault> {
        None
    }
    fn upstream(&self, node: &str) -> Option<UpstreamFault> {
        (node == "n1").then_some(UpstreamFault::Refuse)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_take_effect() {
    let stand = Stand::new(|config| {
        config.sdk.max_attempts = 1;
        config.faults = Some(Arc::new(Faulty));
    })
    .await;
    let answer = stand.ask(&stand.token("u1")).await;
    assert_eq!(
        (&answer["status"], &answer["body"]),
        (&json!(500), &json!("[]\n"))
    );
    assert_eq!(stand.calls(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_the_burst_is_too_many() {
    let stand = Stand::new(|_| {}).await;
    let mut stream = tokio::net::TcpStream::connect(stand.twin.local_addrs()[0])
        .await
        .unwrap();
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let request = "GET /v1/credentials HTTP/1.1\r\nHost: x\r\n\r\n".repeat(5_000);
    let (mut read, mut write) = stream.split();
    let mut seen = String::new();
    let send = async {
        let _ = write.write_all(request.as_bytes()).await;
    };
    let receive = async {
        let mut buffer = [0; 65_536];
        while !seen.contains("HTTP/1.1 429 Too Many Requests") {
            let n = read.read(&mut buffer).await.unwrap();
            assert!(n > 0);
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    };
    let outcome = tokio::time::timeout(Duration::from_secs(20), async {
        tokio::select! { () = receive => {}, () = async { send.await; std::future::pending::<()>().await } => {} }
    });
    outcome.await.unwrap();
    assert!(seen.matches("HTTP/1.1 403").count() >= 500);
}
