//! Faults between a pod and its agent.

use std::{io, time::Duration};

use emu_cluster::{
    AgentAction, AgentState, Cluster, ClusterError, FaultPlace, FetchRequest, FetchResponse,
    NetworkFault, NetworkFaultKind,
    sandbox::{AgentSpec, NodeSpec, Sandbox},
};
use emu_core::{Event, Span};

use crate::world::{config, name, pod, start};

async fn get(sandbox: &Sandbox) -> Result<FetchResponse, io::Error> {
    let request = FetchRequest {
        path: "/nowhere".into(),
        timeout: Duration::from_millis(500),
        ..FetchRequest::default()
    };
    match sandbox.fetch(&name("api-0"), request).await {
        Ok(response) => Ok(response),
        Err(ClusterError::Fetch { source, .. }) => Err(source),
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn refused_swallowed_reset_answered_and_well_again() {
    let config = config().await;
    let (clock, journal) = (config.clock.clone(), config.journal.clone());
    let sandbox = start(config).await;
    sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
    let place = || FaultPlace::PodToAgent(name("api-0"));
    let put = async |what: Option<NetworkFaultKind>| {
        sandbox
            .set_fault(place(), what.map(NetworkFault::always))
            .await
            .unwrap();
    };
    assert_eq!(get(&sandbox).await.unwrap().status, 404);
    for round in 0..2 {
        put(Some(NetworkFaultKind::Refuse)).await;
        let error = get(&sandbox).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused, "{round}");
        put(Some(NetworkFaultKind::Blackhole)).await;
        let error = get(&sandbox).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{round}");
        put(None).await;
        assert_eq!(get(&sandbox).await.unwrap().status, 404, "{round}");
    }
    put(Some(NetworkFaultKind::Reset)).await;
    assert_eq!(
        get(&sandbox).await.unwrap_err().kind(),
        io::ErrorKind::ConnectionReset
    );
    put(Some(NetworkFaultKind::Answer {
        status: 503,
        body: "<html>proxy</html>".into(),
        content_type: "text/html".into(),
    }))
    .await;
    let answer = get(&sandbox).await.unwrap();
    assert_eq!(
        (answer.status, answer.text().as_str()),
        (503, "<html>proxy</html>")
    );
    put(Some(NetworkFaultKind::LoseAnswer)).await;
    assert!(get(&sandbox).await.is_err());
    put(Some(NetworkFaultKind::Truncate(20))).await;
    assert_eq!(
        get(&sandbox).await.unwrap_err().kind(),
        io::ErrorKind::UnexpectedEof
    );
    // An hour of latency passes when the clock is moved by an hour.
    put(Some(NetworkFaultKind::Latency(Span::seconds(3_600)))).await;
    let last = journal.last();
    let slow = get(&sandbox);
    let hour = async {
        let struck = journal.wait(last, Duration::from_secs(5), |e| {
            matches!(e.event, Event::FaultInjected { .. })
        });
        assert!(struck.await.is_some());
        clock.advance(Duration::from_secs(3_601)).await.unwrap();
    };
    let (slow, ()) = tokio::join!(slow, hour);
    assert_eq!(slow.unwrap().status, 404);
    // Once only.
    let once = NetworkFault {
        what: NetworkFaultKind::Reset,
        share: 1.0,
        times: Some(1),
    };
    sandbox.set_fault(place(), Some(once)).await.unwrap();
    assert!(get(&sandbox).await.is_err());
    assert_eq!(get(&sandbox).await.unwrap().status, 404);
}

#[tokio::test]
async fn an_agent_that_is_absent_stopped_or_dead_refuses() {
    let mut config = config().await;
    let mut dead = NodeSpec::new("no-ipv6");
    dead.ipv6 = false;
    let mut bare = NodeSpec::new("bare");
    bare.agent = AgentSpec::absent();
    config.nodes.extend([dead, bare]);
    let journal = config.journal.clone();
    let sandbox = start(config).await;
    let refused = async |node: &str, wanted: bool| {
        let _ = sandbox.delete_pod(&name("api-0")).await;
        sandbox
            .create_pod(pod("api-0", "api"), Some(node))
            .await
            .unwrap();
        let got = get(&sandbox).await;
        match got {
            Ok(response) => assert!(!wanted, "{node}: {}", response.status),
            Err(e) => assert!(
                wanted && e.kind() == io::ErrorKind::ConnectionRefused,
                "{node}: {e}"
            ),
        }
    };
    refused("node-1", false).await;
    refused("bare", true).await;
    refused("no-ipv6", true).await;
    // The real agent's last words: catalogue D3.
    let words = "listen tcp [fd00:ec2::23]:80: bind: cannot assign requested address";
    let state = sandbox.agent_state("no-ipv6").await.unwrap();
    assert!(
        matches!(&state, AgentState::Crashed(w) if w.contains(words)),
        "{state:?}"
    );
    assert!(
        journal.since(0).iter().any(
            |e| matches!(&e.event, Event::AgentStopped { reason, .. } if reason.contains(words))
        )
    );
    assert_eq!(
        sandbox.agent_state("bare").await.unwrap(),
        AgentState::Absent
    );
    // Stopped and started under a pod that stays.
    refused("node-1", false).await;
    sandbox.agent("node-1", AgentAction::Stop).await.unwrap();
    assert_eq!(
        get(&sandbox).await.unwrap_err().kind(),
        io::ErrorKind::ConnectionRefused
    );
    sandbox.agent("node-1", AgentAction::Start).await.unwrap();
    assert_eq!(get(&sandbox).await.unwrap().status, 404);
    sandbox.agent("node-1", AgentAction::Restart).await.unwrap();
    assert_eq!(get(&sandbox).await.unwrap().status, 404);
}

/// Catalogue E7: the agent has no way to EKS Auth.
#[tokio::test]
async fn an_agent_without_a_way_to_eks_auth_answers_500_until_it_has_one() {
    let config = config().await;
    let clock = config.clock.clone();
    let sandbox = start(config).await;
    sandbox.create_pod(pod("api-0", "api"), None).await.unwrap();
    let token = sandbox
        .read_token(&name("api-0"), crate::world::AUDIENCE)
        .await
        .unwrap();
    let ask = async || {
        let request = FetchRequest::credentials().header("Authorization", token.clone());
        let api = name("api-0");
        let answer = sandbox.fetch(&api, request);
        // The SDK's pauses between its attempts pass at once.
        let hurry = async {
            loop {
                tokio::task::yield_now().await;
                clock.advance(Duration::from_secs(1)).await.unwrap();
            }
        };
        tokio::select! {
            answer = answer => answer.unwrap(),
            () = hurry => unreachable!(),
        }
    };
    let place = FaultPlace::AgentToEksAuth("node-1".into());
    let refuse = NetworkFault::always(NetworkFaultKind::Refuse);
    sandbox
        .set_fault(place.clone(), Some(refuse))
        .await
        .unwrap();
    let answer = ask().await;
    assert_eq!(answer.status, 500, "{}", answer.text());
    sandbox.set_fault(place, None).await.unwrap();
    let answer = ask().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}
