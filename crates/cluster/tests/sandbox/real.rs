//! An agent that is a program of its own, in its node's namespaces: a stand-in, since Amazon's need not be here.

use std::{io, path::PathBuf, time::Duration};

use emu_cluster::{
    AgentState, Cluster, ClusterError, FaultPlace, FetchRequest, NetworkFault, NetworkFaultKind,
    sandbox::{AgentSpec, Isolation, NodeSpec},
};
use emu_core::Event;

use crate::world::{config, has, name, pod, start};

fn stand_in() -> AgentSpec {
    AgentSpec::real(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/sandbox/agent.py"))
}

fn path(path: &str) -> FetchRequest {
    FetchRequest {
        path: path.into(),
        timeout: Duration::from_secs(10),
        ..FetchRequest::default()
    }
}

async fn plays(isolation: Option<Isolation>, virtual_time: bool) {
    if !has("python3") {
        return;
    }
    let mut config = config().await;
    config.isolation = isolation;
    config.virtual_time = virtual_time;
    config.nodes[0].agent = stand_in();
    let journal = config.journal.clone();
    let sandbox = start(config).await;
    sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
    let api = name("api-0");
    let got = sandbox.fetch(&api, path("/v1/credentials")).await.unwrap();
    assert_eq!(
        (got.status, got.text().contains("ASIAPOD")),
        (200, true),
        "{}",
        got.text()
    );
    assert_eq!(
        sandbox.fetch(&api, path("/nowhere")).await.unwrap().status,
        404
    );
    let events = journal.since(0);
    assert!(events.iter().any(|e| matches!(&e.event,
        Event::AgentStarted { kind, version, .. } if kind == "real" && version == "0.0.0")));
    assert!(events.iter().any(|e| matches!(&e.event,
        Event::Log { component, line, .. } if component == "agent" && line.contains("keys of ASIANODE"))), "{events:#?}");
    assert!(events.iter().any(|e| matches!(&e.event,
        Event::AgentRequest { pod: Some(pod), access_key_id: Some(key), status: 200, .. }
            if pod.name == "api-0" && key == "ASIAPOD")));
    // No way to EKS Auth: catalogue E7.
    let place = FaultPlace::AgentToEksAuth("node-1".into());
    let fault = NetworkFault::always(NetworkFaultKind::Refuse);
    sandbox.set_fault(place.clone(), Some(fault)).await.unwrap();
    let got = sandbox.fetch(&api, path("/v1/credentials")).await.unwrap();
    assert_eq!(
        (got.status, got.text().contains("refused")),
        (500, true),
        "{}",
        got.text()
    );
    sandbox.set_fault(place, None).await.unwrap();
    let got = sandbox.fetch(&api, path("/v1/credentials")).await.unwrap();
    assert_eq!(got.status, 200, "{}", got.text());
    // It dies, and says why.
    let last = journal.last();
    assert!(sandbox.fetch(&api, path("/die")).await.is_err());
    let stopped = journal.wait(
        last,
        Duration::from_secs(10),
        |e| matches!(&e.event, Event::AgentStopped { reason, .. } if reason == "last words"),
    );
    assert!(stopped.await.is_some());
    assert_eq!(
        sandbox.agent_state("node-1").await.unwrap(),
        AgentState::Crashed("last words".into())
    );
    match sandbox.fetch(&api, path("/nowhere")).await {
        Err(ClusterError::Fetch { source, .. }) => {
            assert_eq!(source.kind(), io::ErrorKind::ConnectionRefused);
        }
        other => panic!("{other:?}"),
    }
    sandbox
        .agent("node-1", emu_cluster::AgentAction::Start)
        .await
        .unwrap();
    assert_eq!(
        sandbox.fetch(&api, path("/nowhere")).await.unwrap().status,
        404
    );
    sandbox.teardown().await.unwrap();
}

#[tokio::test]
async fn it_binds_the_true_address_in_its_node() {
    plays(None, false).await;
}

#[tokio::test]
async fn it_runs_on_the_clock() {
    plays(None, true).await;
}

#[tokio::test]
async fn without_namespaces_it_runs_on_loopback() {
    plays(
        Some(Isolation::Loopback {
            reason: "this test wants it so".into(),
        }),
        false,
    )
    .await;
}

#[tokio::test]
async fn it_dies_where_it_cannot_bind() {
    if !has("python3") || !Isolation::detect().is_true() {
        return;
    }
    let mut config = config().await;
    let mut node = NodeSpec::new("v4-only");
    node.ipv6 = false;
    node.agent = stand_in();
    config.nodes = vec![node];
    let sandbox = start(config).await;
    let state = sandbox.agent_state("v4-only").await.unwrap();
    let words = "Unable to start server: listen tcp [fd00:ec2::23]:80: bind: cannot assign requested address";
    assert_eq!(state, AgentState::Crashed(words.into()));
}
