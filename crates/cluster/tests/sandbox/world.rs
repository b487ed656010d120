//! A sandbox with stand-ins for what the emulator gives it.

use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use emu_cluster::{
    Cluster, PodName, Program, ProgramOutput,
    sandbox::{Emulator, NodeCredentials, NodeKeys, Sandbox, SandboxConfig},
    token::TokenIssuer,
};
use emu_core::{AssociationFeed, AssociationState, Clock, Ids, Journal, ServiceAccountRef};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

pub(crate) const KEY: &str = include_str!("../data/service-account-key.pem");
pub(crate) const AUDIENCE: &str = "pods.eks.amazonaws.com";
pub(crate) const TOKEN_FILE: &str =
    "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token";

/// Associations by hand.
#[derive(Default)]
pub(crate) struct Feed(pub(crate) Mutex<BTreeSet<ServiceAccountRef>>);

impl AssociationFeed for Feed {
    fn visible(&self, _cluster: &str) -> Vec<ServiceAccountRef> {
        self.0.lock().unwrap().iter().cloned().collect()
    }

    fn state(&self, _cluster: &str, account: &ServiceAccountRef) -> AssociationState {
        match self.0.lock().unwrap().contains(account) {
            true => AssociationState::Visible,
            false => AssociationState::Absent,
        }
    }
}

struct Keys;

#[async_trait::async_trait]
impl NodeCredentials for Keys {
    async fn keys(&self, _node: &str) -> Option<NodeKeys> {
        Some(NodeKeys {
            role: "node-role".into(),
            access_key_id: "ASIANODE".into(),
            secret_access_key: "secret".into(),
            session_token: Some("session".into()),
            expires_at: None,
        })
    }
}

/// What EKS Auth answers.
fn credentials() -> String {
    let expiration = emu_core::Timestamp::now().as_second() + 365 * 86_400;
    serde_json::json!({
        "subject": { "namespace": "shop", "serviceAccount": "api" },
        "audience": AUDIENCE,
        "podIdentityAssociation": { "associationArn": "arn:aws:eks:::a/1", "associationId": "a-1" },
        "assumedRoleUser": { "arn": "arn:aws:sts::000000000000:assumed-role/app/s", "assumeRoleId": "AROA:s" },
        "credentials": {
            "sessionToken": "session", "secretAccessKey": "secret", "accessKeyId": "ASIAPOD",
            "expiration": expiration,
        },
    })
    .to_string()
}

/// Plays EKS Auth; answers every other request with 200 and its first line.
async fn stand_in() -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut buffer = vec![0; 65_536];
                let n = stream.read(&mut buffer).await.unwrap_or(0);
                let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
                let mut line = text.lines().next().unwrap_or_default().to_owned();
                if line.contains("/assume-role-for-pod-identity") {
                    line = credentials();
                }
                let answer = format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{line}",
                    line.len()
                );
                let _ = stream.write_all(answer.as_bytes()).await;
            });
        }
    });
    address
}

pub(crate) async fn config() -> SandboxConfig {
    let clock = Clock::new();
    let journal = Journal::new(clock.clone(), 10_000);
    let issuer = TokenIssuer::new("https://oidc.test/id/1", "kid", KEY, Ids::seeded(1)).unwrap();
    let feed = Feed::default();
    feed.0
        .lock()
        .unwrap()
        .insert(ServiceAccountRef::new("shop", "api"));
    SandboxConfig::new(
        "demo",
        clock,
        journal,
        Arc::new(issuer),
        Arc::new(feed),
        Emulator::at(stand_in().await),
        Arc::new(Keys),
    )
}

pub(crate) async fn start(config: SandboxConfig) -> Sandbox {
    let sandbox = Sandbox::start(config).await.unwrap();
    for name in ["api", "other"] {
        let account: ServiceAccount = serde_json::from_value(serde_json::json!({
            "metadata": { "namespace": "shop", "name": name }
        }))
        .unwrap();
        sandbox.apply_service_account(account).await.unwrap();
    }
    sandbox
}

pub(crate) fn pod(name: &str, account: &str) -> Pod {
    serde_json::from_value(serde_json::json!({
        "metadata": { "namespace": "shop", "name": name },
        "spec": { "serviceAccountName": account, "containers": [{ "name": "app", "image": "any" }] },
    }))
    .unwrap()
}

pub(crate) fn name(name: &str) -> PodName {
    PodName::new("shop", name)
}

/// Runs a shell script in a pod.
pub(crate) async fn sh(sandbox: &Sandbox, pod: &str, script: &str) -> ProgramOutput {
    sandbox
        .exec(&name(pod), Program::new(["sh", "-c", script]))
        .await
        .unwrap()
}

pub(crate) fn has(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).any(|d| d.join(program).is_file());
    if !found {
        eprintln!("skipped: there is no {program} here");
    }
    found
}
