//! What a client sees of the gateway before any service is asked: signatures, routing, limits, faults, the control API.

mod client;

use std::{net::TcpListener, time::Duration};

use client::{Ask, World};
use emu_core::{Event, journal::PodRef};
use emu_gateway::{Effect, Fault, Listener};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

#[tokio::test]
async fn a_signed_request_is_answered_and_written_down() {
    let world = World::new();
    let answer = world.ask(Ask::query(WHO)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(
        answer.element("Arn").unwrap(),
        "arn:aws:iam::000000000000:root"
    );
    assert_eq!(
        answer.headers["x-amzn-requestid"].to_str().unwrap(),
        answer.element("RequestId").unwrap()
    );
    assert!(answer.headers.contains_key("x-amz-sts-extended-request-id"));
    assert_eq!(world.calls(), [("sts:GetCallerIdentity".to_owned(), 200)]);
}

#[tokio::test]
async fn a_presigned_get_is_answered_as_kubernetes_tokens_are() {
    let world = World::new();
    let mut ask = Ask::new(
        "GET",
        "sts",
        "/?Action=GetCallerIdentity&Version=2011-06-15",
    )
    .header("x-k8s-aws-id", "shop");
    ask.presigned = true;
    // Its 60 seconds are over, the 15 minutes are not.
    ask.late = 600;
    assert_eq!(world.ask(ask).await.status, 200);
}

#[tokio::test]
async fn refusals_of_sts_in_its_words() {
    let world = World::new();
    let cases: [(&str, Ask<'_>, u16, &str, &str); 6] = [
        (
            "wrong secret",
            Ask::query(WHO).key("test", "wrong"),
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated",
        ),
        (
            "unknown key",
            Ask::query(WHO).key("AKIAIOSFODNN7EXAMPLE", "x"),
            403,
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        ),
        (
            "late",
            Ask {
                late: 1_000,
                ..Ask::query(WHO)
            },
            403,
            "SignatureDoesNotMatch",
            "Signature expired: ",
        ),
        (
            "early",
            Ask {
                late: -1_000,
                ..Ask::query(WHO)
            },
            403,
            "SignatureDoesNotMatch",
            "Signature not yet current: ",
        ),
        (
            "region",
            Ask {
                region: "nowhere",
                ..Ask::query(WHO)
            },
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to a valid region. ",
        ),
        (
            "service",
            Ask {
                service: "ec2",
                ..Ask::query(WHO)
            },
            403,
            "SignatureDoesNotMatch",
            "Credential should be scoped to correct service: &apos;sts&apos;. ",
        ),
    ];
    for (name, ask, status, code, message) in cases {
        let answer = world.ask(ask).await;
        assert_eq!(answer.status, status, "{name}: {}", answer.text());
        assert_eq!(answer.element("Code").as_deref(), Some(code), "{name}");
        let text = answer.element("Message").unwrap();
        assert!(
            text.starts_with(&message.replace("&apos;", "'")),
            "{name}: {text}"
        );
    }
    let unsigned = world.plain("GET", &format!("/?{WHO}"), "").await;
    assert_eq!(
        unsigned.element("Code").as_deref(),
        Some("MissingAuthenticationToken")
    );
    assert_eq!(world.calls().len(), 7);
}

#[tokio::test]
async fn refusals_of_eks_and_s3_in_theirs() {
    let world = World::new();
    let eks = world
        .ask(Ask::new("GET", "eks", "/clusters").key("test", "wrong"))
        .await;
    assert_eq!(eks.status, 403);
    assert_eq!(eks.headers["x-amzn-errortype"], "InvalidSignatureException");
    assert!(
        eks.json()["message"]
            .as_str()
            .unwrap()
            .contains("The Canonical String for this request should have been\n'GET\n/clusters\n")
    );
    let eks = world.plain("GET", "/clusters", "").await;
    assert_eq!(
        eks.headers["x-amzn-errortype"],
        "MissingAuthenticationTokenException"
    );
    let s3 = world
        .ask(Ask::s3("GET", "/bucket/key").key("test", "wrong"))
        .await;
    assert_eq!(s3.status, 403);
    assert_eq!(s3.element("Code").as_deref(), Some("SignatureDoesNotMatch"));
    assert!(
        s3.element("StringToSign")
            .unwrap()
            .starts_with("AWS4-HMAC-SHA256\n")
    );
    assert_eq!(s3.headers["x-amz-request-id"].len(), 16);
    let s3 = world
        .ask(Ask {
            late: 1_000,
            ..Ask::s3("GET", "/bucket/key")
        })
        .await;
    assert_eq!(s3.element("Code").as_deref(), Some("RequestTimeTooSkewed"));
    let mut unsigned_header = Ask::s3("GET", "/bucket/key").sign(&world.cloud, world.addr);
    unsigned_header
        .headers_mut()
        .insert("x-amz-acl", "private".parse().unwrap());
    let s3 = world.send(unsigned_header).await.unwrap();
    assert_eq!(s3.element("HeadersNotSigned").as_deref(), Some("x-amz-acl"));
    let other = world.ask(Ask::new("POST", "dynamodb", "/")).await;
    assert_eq!(other.status, 400);
    assert!(
        other.json()["message"]
            .as_str()
            .unwrap()
            .ends_with("Emulated services: sts, iam, eks, eks-auth, s3.")
    );
}

#[tokio::test]
async fn a_scope_for_another_service_than_the_path_is_refused() {
    let world = World::new();
    let answer = world
        .ask(Ask::new(
            "POST",
            "eks",
            "/clusters/c/assume-role-for-pod-identity",
        ))
        .await;
    assert_eq!(answer.status, 403);
    assert!(
        answer.json()["message"]
            .as_str()
            .unwrap()
            .contains("correct service: 'eks-auth'")
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_gets_413_and_the_server_lives() {
    let world = World::new();
    let body = vec![b'a'; 10_000_001];
    let mut ask = Ask::query(WHO);
    ask.body = &body;
    let answer = world.ask(ask).await;
    assert_eq!(answer.status, 413);
    assert!(answer.body.is_empty() && !answer.headers.contains_key("x-amzn-requestid"));
    assert_eq!(world.ask(Ask::query(WHO)).await.status, 200);
}

#[tokio::test]
async fn garbage_harms_nobody() {
    let world = World::new();
    for garbage in [
        &b"\x00\x01\x02\x03\xff\xff\r\n\r\n"[..],
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        b"GET /\xff HTTP/1.1\r\nHost: \xfe\r\nAuthorization: AWS4-HMAC-SHA256 \xff\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n",
        b"GET /?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=%ff%fe&X-Amz-Signature=%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET",
    ] {
        let mut stream = TcpStream::connect(world.addr).await.unwrap();
        stream.write_all(garbage).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whatever comes, it ends.
        let _ = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut answer))
            .await
            .expect("the connection ends");
    }
    assert_eq!(world.ask(Ask::query(WHO)).await.status, 200);
}

#[tokio::test]
async fn faults_strike_and_are_over() {
    let world = World::new();
    let error = Effect::Error {
        code: "ServiceUnavailable".into(),
        status: 503,
        message: "later".into(),
    };
    world
        .gateway
        .faults()
        .add(Fault::new("sts", error).on("GetCaller*").times(1));
    let answer = world.ask(Ask::query(WHO)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.element("Message").unwrap()),
        (503, "later".into())
    );
    assert_eq!(world.ask(Ask::query(WHO)).await.status, 200);

    world
        .gateway
        .faults()
        .add(Fault::new("sts", Effect::ResponseLost).times(1));
    let lost = world
        .send(Ask::query(WHO).sign(&world.cloud, world.addr))
        .await;
    assert!(lost.is_err(), "{lost:?}");
    let statuses: Vec<u16> = world
        .calls()
        .into_iter()
        .map(|(_, status)| status)
        .collect();
    assert_eq!(statuses, [503, 200, 200]);
    let struck = world.cloud.journal().since(0);
    let struck: Vec<&str> = struck
        .iter()
        .filter_map(|e| match &e.event {
            Event::FaultInjected { fault, .. } => Some(fault.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(struck, ["error", "response-lost"]);
}

#[tokio::test]
async fn a_throttled_service_says_so_until_the_clock_has_moved() {
    let world = World::new();
    let patch = r#"{"throttles":{"sts":{"rate":1.0,"burst":2}}}"#;
    assert_eq!(
        world.plain("PATCH", "/_emu/settings", patch).await.status,
        200
    );
    let mut codes = Vec::new();
    for _ in 0..3 {
        codes.push(world.ask(Ask::query(WHO)).await.element("Code"));
    }
    assert_eq!(codes, [None, None, Some("Throttling".into())]);
    let moved = world
        .plain("POST", "/_emu/clock/advance", r#"{"by":"5s"}"#)
        .await;
    assert_eq!(moved.status, 200, "{}", moved.text());
    assert_eq!(world.ask(Ask::query(WHO)).await.status, 200);
}

#[tokio::test]
async fn a_clock_that_somebody_cannot_follow_is_not_moved() {
    let world = World::new();
    world.cloud.clock().pin("cluster demo has its own");
    for (target, by) in [
        ("/_emu/clock/advance", r#"{"by":"5s"}"#),
        ("/_emu/clock/step", r#"{"by":"-2h"}"#),
    ] {
        let refused = world.plain("POST", target, by).await;
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(refused.text().contains("cluster demo has its own"));
    }
    let clock = world.plain("GET", "/_emu/clock", "").await.json();
    assert_eq!(clock["offsetSeconds"], 0.0);
}

#[tokio::test]
async fn the_control_api() {
    let world = World::new();
    assert_eq!(
        world.plain("GET", "/_emu/health", "").await.json()["services"]["eks-auth"],
        "running"
    );
    assert_eq!(
        world.plain("GET", "/_localstack/health", "").await.json()["services"]["s3"],
        "running"
    );
    assert_eq!(world.plain("GET", "/_emu/ready", "").await.status, 503);
    world.gateway.set_ready(true);
    assert_eq!(world.plain("GET", "/_emu/ready", "").await.status, 200);
    assert_eq!(world.plain("GET", "/_emu/nonsense", "").await.status, 404);
    assert_eq!(
        world
            .plain("PATCH", "/_emu/settings", r#"{"regoin":"x"}"#)
            .await
            .status,
        400
    );

    let added = world
        .plain(
            "POST",
            "/_emu/faults",
            r#"{"where":"sts","what":"close","times":1}"#,
        )
        .await;
    assert_eq!(
        (added.status.as_u16(), added.json()["id"].as_u64()),
        (201, Some(1))
    );
    assert_eq!(
        world
            .plain("POST", "/_emu/faults", r#"{"where":"stss","what":"close"}"#)
            .await
            .status,
        400
    );
    assert_eq!(
        world.plain("DELETE", "/_emu/faults/1", "").await.json()["faults"],
        serde_json::json!([])
    );

    let before = world.cloud.now();
    world
        .plain("POST", "/_emu/clock/step", r#"{"by":"-2h"}"#)
        .await;
    assert!(world.cloud.now() < before);
    world.ask(Ask::query(WHO)).await;
    let journal = world
        .plain(
            "GET",
            "/_emu/journal?type=apiCall&caller.kind=root&wait=5s",
            "",
        )
        .await
        .json();
    assert_eq!(journal["entries"][0]["action"], "sts:GetCallerIdentity");
    assert_eq!(
        world.plain("POST", "/_emu/reset", "").await.json()["reset"],
        true
    );
}

#[tokio::test]
async fn the_journal_can_be_followed() {
    let world = World::new();
    let mut stream = TcpStream::connect(world.addr).await.unwrap();
    stream
        .write_all(b"GET /_emu/journal?follow&type=apiCall HTTP/1.1\r\nHost: x\r\n\r\n")
        .await
        .unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 4096];
    for _ in 0..2 {
        world.ask(Ask::query(WHO)).await;
        let wanted = seen.matches("sts:GetCallerIdentity").count() + 1;
        while seen.matches("sts:GetCallerIdentity").count() < wanted {
            let n = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer))
                .await
                .unwrap()
                .unwrap();
            assert!(n > 0, "the stream ended: {seen}");
            seen.push_str(&String::from_utf8_lossy(&buffer[..n]));
        }
    }
}

#[tokio::test]
async fn a_pods_listener_names_the_pod_and_has_no_control_api() {
    let world = World::new();
    let pod = PodRef {
        cluster: "c".into(),
        namespace: "shop".into(),
        name: "api".into(),
        uid: "u".into(),
    };
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = socket.local_addr().unwrap();
    let id = world
        .gateway
        .add(Listener::pod(socket, pod.clone()))
        .unwrap();
    let request = Ask::query(WHO).sign(&world.cloud, addr);
    assert_eq!(world.send(request).await.unwrap().status, 200);
    let recorded = world.cloud.journal().since(0);
    assert!(
        recorded
            .iter()
            .any(|e| matches!(&e.event, Event::ApiCall { pod: Some(p), .. } if *p == pod))
    );
    let control = http::Request::get(format!("http://{addr}/_emu/health"))
        .body(Default::default())
        .unwrap();
    assert_eq!(world.send(control).await.unwrap().status, 403);
    assert!(world.gateway.remove(id));
    // The listener lets go of its address.
    let mut free = false;
    for _ in 0..1_000 {
        if TcpListener::bind(addr).is_ok() {
            free = true;
            break;
        }
        tokio::task::yield_now().await;
        std::thread::yield_now();
    }
    assert!(free);
}

#[tokio::test]
async fn stopping_finishes_the_answer_under_way() {
    let world = World::new();
    let slow = Effect::Latency {
        delay: emu_core::Span(Duration::from_millis(200)),
        jitter: emu_core::Span::ZERO,
    };
    world.gateway.faults().add(Fault::new("sts", slow));
    let request = world.send(Ask::query(WHO).sign(&world.cloud, world.addr));
    let stop = async {
        world
            .cloud
            .journal()
            .wait(0, Duration::from_secs(5), |e| {
                matches!(e.event, Event::FaultInjected { .. })
            })
            .await
            .unwrap();
        world.gateway.stop(Duration::from_secs(5)).await
    };
    let (answer, stopped) = tokio::join!(request, stop);
    assert_eq!(answer.unwrap().status, 200);
    assert!(stopped);
}

#[tokio::test]
async fn a_clusters_oidc_documents_are_at_its_issuers_path() {
    let world = World::new();
    let body = br#"{"name":"shop","roleArn":"arn:aws:iam::000000000000:role/eks","resourcesVpcConfig":{"subnetIds":["subnet-1","subnet-2"]}}"#;
    let made = world
        .ask(
            Ask::new("POST", "eks", "/clusters")
                .body(body)
                .header("content-type", "application/json"),
        )
        .await;
    assert_eq!(made.status, 200, "{}", made.text());
    let issuer = made.json()["cluster"]["identity"]["oidc"]["issuer"]
        .as_str()
        .unwrap()
        .to_owned();
    let path = &issuer[issuer.find("/id/").unwrap()..];
    let discovery = world
        .plain(
            "GET",
            &format!("{path}/.well-known/openid-configuration"),
            "",
        )
        .await;
    assert_eq!(discovery.json()["issuer"], issuer);
    assert_eq!(discovery.json()["jwks_uri"], format!("{issuer}/keys"));
    let keys = world.plain("GET", &format!("{path}/keys"), "").await;
    assert!(keys.json()["keys"].is_array());
    assert_eq!(world.plain("GET", "/id/0/keys", "").await.status, 404);
}
