//! The whole chain on a real node, as every kind of cluster is asked: with a stand-in for the emulator.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::{Duration, Instant},
};

use emu_cluster::{
    AgentAction, AgentState, Cluster, FaultPlace, FetchRequest, MintRequest, NetworkFault,
    NetworkFaultKind, PodName, Program, WebhookFault, WebhookFaultKind,
    node::{ClusterConfig, NodeCluster},
    sandbox::{AgentKind, Emulator, NodeCredentials, NodeKeys},
};
use emu_core::{
    AssociationFeed, AssociationState, Clock, Event, Journal, ServiceAccountRef, Timestamp,
};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};
use serde_json::json;

use crate::{Outcome, block_on, config, host};

const AUDIENCE: &str = "pods.eks.amazonaws.com";
const TOKEN_FILE: &str =
    "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/eks-pod-identity-token";

/// One association, of shop/api.
struct Feed;

impl AssociationFeed for Feed {
    fn visible(&self, _cluster: &str) -> Vec<ServiceAccountRef> {
        vec![ServiceAccountRef::new("shop", "api")]
    }

    fn state(&self, _cluster: &str, account: &ServiceAccountRef) -> AssociationState {
        match account.service_account.as_str() {
            "api" => AssociationState::Visible,
            _ => AssociationState::Absent,
        }
    }
}

pub(crate) struct Keys;

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

/// Plays EKS Auth; answers every other request with its first line.
pub(crate) fn stand_in() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut buffer = vec![0; 65_536];
            let length = stream.read(&mut buffer).unwrap_or(0);
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let mut body = text.lines().next().unwrap_or_default().to_owned();
            if body.contains("/assume-role-for-pod-identity") {
                body = json!({
                    "subject": {"namespace": "shop", "serviceAccount": "api"},
                    "audience": AUDIENCE,
                    "podIdentityAssociation": {"associationArn": "arn:aws:eks:::a/1", "associationId": "a-1"},
                    "assumedRoleUser": {"arn": "arn:aws:sts::000000000000:assumed-role/app/s", "assumeRoleId": "AROA:s"},
                    "credentials": {
                        "sessionToken": "session", "secretAccessKey": "secret", "accessKeyId": "ASIAPOD",
                        "expiration": Timestamp::now().as_second() + 365 * 86_400,
                    },
                })
                .to_string();
            }
            let _ = write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            );
        }
    });
    Ok(address)
}

pub(crate) fn check(holds: bool, what: impl std::fmt::Debug) -> Outcome {
    match holds {
        true => Ok(()),
        false => Err(format!("does not hold: {what:?}").into()),
    }
}

pub(crate) fn pod(name: &str, account: &str) -> Result<Pod, serde_json::Error> {
    serde_json::from_value(json!({
        "metadata": {"namespace": "shop", "name": name},
        "spec": {"serviceAccountName": account, "containers": [{"name": "app"}]},
    }))
}

async fn start(
    root: &std::path::Path,
    virtual_time: bool,
    agent: Option<PathBuf>,
) -> Result<(NodeCluster, Clock, Journal), Box<dyn std::error::Error>> {
    let mut node = config()?;
    node.run_root = root.to_owned();
    let clock = Clock::new();
    let journal = Journal::new(clock.clone(), 10_000);
    let mut config = ClusterConfig::new(
        node,
        "demo",
        clock.clone(),
        journal.clone(),
        Arc::new(Feed),
        Emulator::at(stand_in()?),
        Arc::new(Keys),
    );
    config.virtual_time = virtual_time;
    if let Some(agent) = agent {
        config.agent_kind = AgentKind::Real(agent);
    }
    let began = Instant::now();
    let cluster = NodeCluster::start(config).await?;
    println!("cluster      {:.2} s", began.elapsed().as_secs_f64());
    for name in ["api", "other"] {
        let account: ServiceAccount =
            serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": name}}))?;
        cluster.apply_service_account(account).await?;
    }
    Ok((cluster, clock, journal))
}

/// Asks the agent as an SDK does.
pub(crate) async fn credentials(
    cluster: &NodeCluster,
    pod: &PodName,
    seconds: u64,
) -> emu_cluster::cluster::Result<emu_cluster::FetchResponse> {
    let token = cluster.read_token(pod, AUDIENCE).await?;
    let mut request = FetchRequest::credentials().header("Authorization", token);
    request.timeout = Duration::from_secs(seconds);
    cluster.fetch(pod, request).await
}

/// A whole cluster with a pod that has credentials, until standard input ends: `cargo test --test node -- whole ROOT`.
pub(crate) fn up(root: &std::path::Path) -> Outcome {
    block_on(async {
        println!("starting");
        let (cluster, ..) = start(root, true, None).await?;
        let name = PodName::new("shop", "app");
        cluster.create_pod(pod("app", "api")?, None).await?;
        let answer = credentials(&cluster, &name, 10).await?;
        println!("credentials  {}", answer.status);
        tokio::io::copy(&mut tokio::io::stdin(), &mut tokio::io::sink()).await?;
        cluster.teardown().await?;
        Ok(())
    })?
}

pub(crate) fn the_chain_holds() -> Outcome {
    block_on(async {
        let root = tempfile::tempdir()?;
        let before = host::state(root.path());
        let (cluster, _, journal) = start(root.path(), false, None).await?;
        let name = PodName::new("shop", "app");
        let began = Instant::now();
        let stored = cluster.create_pod(pod("app", "api")?, None).await?;
        println!("pod          {:.2} s", began.elapsed().as_secs_f64());
        check(stored.metadata.uid.is_some(), "uid")?;
        let answer = credentials(&cluster, &name, 10).await?;
        println!("credentials  {:.2} s", began.elapsed().as_secs_f64());
        check(
            answer.status == 200 && answer.text().contains("ASIAPOD"),
            &answer,
        )?;
        programs(&cluster, &name).await?;
        tokens(&cluster, &name).await?;
        faults(&cluster, &name).await?;
        pods(&cluster, &name).await?;
        journal_tells(&journal)?;
        cluster.teardown().await?;
        let difference = host::difference(&before, &host::state(root.path()));
        check(difference.is_empty(), difference)
    })?
}

/// This machine's programs run in the pod, with its variables, its token and its network.
async fn programs(cluster: &NodeCluster, name: &PodName) -> Outcome {
    let script =
        format!("cat {TOKEN_FILE} | wc -c; echo $AWS_CONTAINER_CREDENTIALS_FULL_URI $MINE; exit 7");
    let program = Program::new(["sh", "-c", &script]).env("MINE", "mine");
    let output = cluster.exec(name, program).await?;
    let text = output.stdout_text();
    check(
        output.code == Some(7)
            && text.contains("http://169.254.170.23/v1/credentials mine")
            && !text.starts_with("0\n"),
        &output,
    )?;
    let output = cluster
        .exec(name, Program::new(["cat"]).stdin("fed"))
        .await?;
    check(output.stdout == b"fed", &output)?;
    let nothing = cluster.exec(name, Program::new(["no-such-program"])).await;
    let said = nothing.err().map(|e| e.to_string()).unwrap_or_default();
    check(said.contains("no-such-program"), said)?;
    let mut running = cluster
        .start(name, Program::new(["sh", "-c", "echo up; sleep 3600"]))
        .await?;
    while running.so_far().stdout.is_empty() {
        running.more().await;
    }
    running.kill().await?;
    let output = running.wait().await?;
    check(output.code == Some(137), &output)?;
    let emulator = cluster.emulator_in_pods().to_string();
    let mut request = FetchRequest {
        target: Some(emulator),
        path: "/_emu/ready".into(),
        ..FetchRequest::default()
    };
    request.timeout = Duration::from_secs(10);
    let answer = cluster.fetch(name, request).await?;
    check(answer.text() == "GET /_emu/ready HTTP/1.1", &answer)
}

async fn tokens(cluster: &NodeCluster, name: &PodName) -> Outcome {
    let old = cluster.read_token(name, AUDIENCE).await?;
    let began = Instant::now();
    cluster.rotate_tokens(name).await?;
    println!("rotation     {:.2} s", began.elapsed().as_secs_f64());
    check(
        cluster.read_token(name, AUDIENCE).await? != old,
        "a new token",
    )?;
    let request = MintRequest {
        service_account: ServiceAccountRef::new("shop", "api"),
        audiences: vec!["other".into()],
        seconds: 600,
        pod: Some(name.clone()),
    };
    let minted = cluster.mint_token(request).await?;
    let life = minted.expires_at.as_second() - minted.issued_at.as_second();
    check(life == 600 && !minted.jti.is_empty(), &minted)
}

async fn faults(cluster: &NodeCluster, name: &PodName) -> Outcome {
    let node = cluster.nodes().await?.remove(0);
    let to_agent = || FaultPlace::PodToAgent(name.clone());
    for (what, word) in [
        (NetworkFaultKind::Refuse, "refused"),
        (NetworkFaultKind::Blackhole, "timed out"),
    ] {
        cluster
            .set_fault(to_agent(), Some(NetworkFault::always(what)))
            .await?;
        let answer = credentials(cluster, name, 2).await;
        let text = answer
            .as_ref()
            .map_or_else(ToString::to_string, |a| format!("{a:?}"));
        check(text.contains(word), text)?;
    }
    let teapot = NetworkFaultKind::Answer {
        status: 418,
        body: "tea".into(),
        content_type: "text/plain".into(),
    };
    cluster
        .set_fault(
            FaultPlace::NodePodsToAgent(node.clone()),
            Some(NetworkFault::always(teapot)),
        )
        .await?;
    cluster.set_fault(to_agent(), None).await?;
    check(
        credentials(cluster, name, 10).await?.status == 418,
        "the node's fault",
    )?;
    cluster
        .set_fault(FaultPlace::NodePodsToAgent(node.clone()), None)
        .await?;
    check(
        credentials(cluster, name, 10).await?.status == 200,
        "no fault",
    )?;
    cluster.agent(&node, AgentAction::Stop).await?;
    let refused = credentials(cluster, name, 2).await;
    check(
        refused.is_err_and(|e| e.to_string().contains("refused")),
        "no agent",
    )?;
    check(
        cluster.agent_state(&node).await? == AgentState::Stopped,
        "stopped",
    )?;
    cluster.agent(&node, AgentAction::Start).await?;
    check(
        credentials(cluster, name, 10).await?.status == 200,
        "the agent again",
    )
}

async fn pods(cluster: &NodeCluster, name: &PodName) -> Outcome {
    let absent = WebhookFault {
        what: WebhookFaultKind::Error,
        share: 1.0,
        times: None,
        owner: None,
    };
    cluster.set_webhook_fault(Some(absent)).await?;
    cluster.create_pod(pod("plain", "api")?, None).await?;
    let plain = PodName::new("shop", "plain");
    check(
        cluster.read_token(&plain, AUDIENCE).await.is_err(),
        "not mutated",
    )?;
    cluster.set_webhook_fault(None).await?;
    cluster.recreate_pod(&plain).await?;
    check(
        cluster.read_token(&plain, AUDIENCE).await.is_ok(),
        "mutated",
    )?;
    cluster.delete_pod(&plain).await?;
    check(cluster.pod(&plain).await.is_err(), "deleted")?;
    let refused = cluster.create_pod(pod("app", "none")?, None).await;
    let text = refused.err().map(|e| e.to_string()).unwrap_or_default();
    check(text.contains("serviceaccount \"none\" not found"), text)?;
    let uid = cluster.pod(name).await?.metadata.uid;
    cluster.restart_pod(name).await?;
    check(cluster.pod(name).await?.metadata.uid == uid, "the same pod")?;
    check(
        credentials(cluster, name, 10).await?.status == 200,
        "after a restart",
    )
}

fn journal_tells(journal: &Journal) -> Outcome {
    let events: Vec<Event> = journal
        .since(0)
        .into_iter()
        .map(|entry| entry.event.clone())
        .collect();
    let admitted =
        |e: &Event| matches!(e, Event::PodAdmitted { pod, mutated: true, .. } if pod.name == "app");
    check(events.iter().any(admitted), "admitted")?;
    let issued = |e: &Event| matches!(e, Event::TokenIssued { rotation: true, .. });
    check(events.iter().any(issued), "rotated")?;
    let asked = |e: &Event| matches!(e, Event::AgentRequest { pod: Some(pod), .. } if pod.name == "app" && !pod.uid.is_empty());
    check(events.iter().any(asked), "the agent knew the pod")
}

pub(crate) fn the_clock_moves_it() -> Outcome {
    if let Err(why) = emu_vtime::supported() {
        eprintln!("skipped: {why}");
        return Ok(());
    }
    block_on(async {
        let root = tempfile::tempdir()?;
        let (cluster, clock, _) = start(root.path(), true, None).await?;
        let name = PodName::new("shop", "app");
        cluster.create_pod(pod("app", "api")?, None).await?;
        // It says nothing for longer than the API server keeps a silent connection of `exec`: four hours.
        let words = "echo before; sleep 12h; echo after; sleep 6h; echo end; exit 4";
        let mut program = cluster
            .start(&name, Program::new(["sh", "-c", words]))
            .await?;
        while program.so_far().stdout.is_empty() {
            program.more().await;
        }
        let old = cluster.read_token(&name, AUDIENCE).await?;
        let began = Instant::now();
        clock.advance(Duration::from_secs(20 * 3600)).await?;
        println!("advance      {:.2} s", began.elapsed().as_secs_f64());
        while cluster.read_token(&name, AUDIENCE).await? == old {
            check(
                began.elapsed() < Duration::from_secs(90),
                "the token is renewed",
            )?;
            tokio::task::yield_now().await;
        }
        println!("new token    {:.2} s", began.elapsed().as_secs_f64());
        let output = cluster.exec(&name, Program::new(["date", "+%s"])).await?;
        let inside: i64 = output.stdout_text().trim().parse()?;
        check(inside.abs_diff(clock.now().as_second()) < 60, inside)?;
        let output = tokio::time::timeout(Duration::from_secs(60), program.wait()).await??;
        check(
            output.code == Some(4) && output.stdout == b"before\nafter\nend\n",
            &output,
        )?;
        cluster.teardown().await?;
        Ok(())
    })?
}

/// Amazon's own agent, where `EMU_REAL_AGENT` names its binary, as a DaemonSet.
pub(crate) fn the_real_agent_answers() -> Outcome {
    let Some(binary) = std::env::var_os("EMU_REAL_AGENT") else {
        eprintln!("skipped: EMU_REAL_AGENT names no agent");
        return Ok(());
    };
    block_on(async {
        let root = tempfile::tempdir()?;
        let (cluster, _, journal) = start(root.path(), false, Some(binary.into())).await?;
        let name = PodName::new("shop", "app");
        cluster.create_pod(pod("app", "api")?, None).await?;
        let answer = credentials(&cluster, &name, 10).await?;
        check(
            answer.status == 200 && answer.text().contains("ASIAPOD"),
            &answer,
        )?;
        let node = cluster.nodes().await?.remove(0);
        let eks_auth = FaultPlace::AgentToEksAuth(node.clone());
        let lost = NetworkFault::always(NetworkFaultKind::Refuse);
        cluster.set_fault(eks_auth.clone(), Some(lost)).await?;
        cluster.agent(&node, AgentAction::Restart).await?;
        let answer = credentials(&cluster, &name, 30).await?;
        check(answer.status == 500, &answer)?;
        cluster.set_fault(eks_auth, None).await?;
        cluster.agent(&node, AgentAction::Stop).await?;
        let refused = credentials(&cluster, &name, 2).await;
        check(refused.is_err(), "no agent")?;
        let started = |e: &Event| matches!(e, Event::AgentStarted { kind, .. } if kind == "real");
        check(
            journal.since(0).iter().any(|e| started(&e.event)),
            "started",
        )?;
        cluster.teardown().await?;
        Ok(())
    })?
}
