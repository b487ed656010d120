//! Every recorded case of Amazon's agent, against the twin in both profiles.

mod support;

use std::{collections::HashMap, io::Write, net::TcpListener, sync::Arc, time::Duration};

use emu_agent::{Endpoint, NodeKeys, Twin, TwinConfig, TwinListener};
use emu_core::{Clock, Span, settings::AgentSettings};
use serde_json::{Value, json};
use support::{Upstream, exchange, token};
use tokio::{net::TcpSocket, sync::Semaphore, task::JoinSet};

const RECORDINGS: &str = include_str!("../../../fixtures/agent-transcripts.json");

fn settings(profile: &str, flags: &[Value]) -> AgentSettings {
    let mut settings = AgentSettings {
        profile: profile.into(),
        ..AgentSettings::default()
    };
    for pair in flags.chunks(2) {
        let (name, value) = (pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        match name {
            "--max-cache-size" => settings.max_cache_size = value.parse().unwrap(),
            "--max-service-qps" => settings.max_service_qps = value.parse().unwrap(),
            "--max-credential-retention-before-renewal" => {
                settings.max_credential_retention_before_renewal = value.parse::<Span>().unwrap();
            }
            other => panic!("the recording uses {other}"),
        }
    }
    settings
}

struct Stand {
    clock: Clock,
    upstream: Upstream,
    twin: Twin,
    _closed: TcpSocket,
}

impl Stand {
    async fn new(profile: &str, case: &Value) -> Self {
        let clock = Clock::new();
        let upstream = Upstream::start(clock.clone()).await;
        let down = case["steps"]
            .as_array()
            .unwrap()
            .iter()
            .any(|step| step["upstream_down"] == true);
        // Bound but not listening: it refuses, and nobody else gets it.
        let closed = TcpSocket::new_v4().unwrap();
        closed.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = if down {
            closed.local_addr().unwrap()
        } else {
            upstream.address
        };
        let keys = NodeKeys {
            access_key_id: "AKIDEXAMPLE".into(),
            secret_access_key: "secret".into(),
            session_token: None,
        };
        let endpoint = Endpoint::Flag(format!("http://{address}"));
        let mut config = TwinConfig::new("demo", endpoint, Arc::new(keys));
        config.settings = settings(profile, case["flags"].as_array().unwrap());
        config.clock = clock.clone();
        // A busy machine must not make an attempt time out, unless the case is about that.
        if !case.to_string().contains("\"delay\":2") {
            config.sdk.attempt_limit = Duration::from_secs(20);
        }
        let socket = TcpListener::bind("127.0.0.1:0").unwrap();
        config.listeners.push(TwinListener::new(socket));
        Self {
            twin: Twin::start(config).unwrap(),
            clock,
            upstream,
            _closed: closed,
        }
    }

    /// Plays one step and gives what was observed, in the recording's form.
    async fn step(
        &self,
        step: &Value,
        tokens: &mut HashMap<String, String>,
        retries: bool,
    ) -> Value {
        if let Some(wait) = step["wait"].as_f64() {
            self.clock
                .advance(Duration::from_secs_f64(wait))
                .await
                .unwrap();
        }
        self.upstream
            .play(step["upstream"].as_array().cloned().unwrap_or_default());
        let described = &step["token"];
        let authorization = match described {
            Value::Null => None,
            Value::String(raw) => Some(raw.clone()),
            _ => Some(match described["ref"].as_str() {
                Some(name) => tokens[name].clone(),
                None => token(described, &self.clock),
            }),
        };
        if let (Some(name), Some(token)) = (described["name"].as_str(), &authorization) {
            tokens.insert(name.into(), token.clone());
        }
        let asked = |name: &str, default: &str| {
            step["request"][name]
                .as_str()
                .unwrap_or(default)
                .to_string()
        };
        let (method, body) = (asked("method", "GET"), asked("body", ""));
        let mut request = format!(
            "{method} {} HTTP/1.1\r\nHost: {}\r\n",
            asked("path", "/v1/credentials"),
            asked("host", "169.254.170.23")
        );
        if let Some(authorization) = authorization {
            request += &format!("Authorization: {authorization}\r\n");
        }
        if !body.is_empty() {
            request += &format!("Content-Length: {}\r\n", body.len());
        }
        request += &format!("\r\n{body}");
        let address = self.twin.local_addrs()[0];
        let parallel = step["parallel"].as_u64();
        let mut clients = JoinSet::new();
        for _ in 0..parallel.unwrap_or(1) {
            let (request, head) = (request.clone(), method == "HEAD");
            clients.spawn(async move { exchange(address, request.as_bytes(), head).await });
        }
        // Pauses between attempts pass quickly; waiting for one another is part of the case.
        let hurry = async {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                if parallel.is_none() && retries {
                    self.clock
                        .advance(Duration::from_millis(500))
                        .await
                        .unwrap();
                }
            }
        };
        let answers = tokio::select! {
            answers = clients.join_all() => answers,
            () = hurry => unreachable!(),
        };
        let response = match parallel {
            None => answers[0].clone(),
            Some(_) => {
                let mut distinct: Vec<Value> = Vec::new();
                for answer in answers {
                    if !distinct.contains(&answer) {
                        distinct.push(answer);
                    }
                }
                json!({ "distinct": distinct })
            }
        };
        let received = self.upstream.received();
        let requests: Vec<Value> = received
            .iter()
            .map(|request| {
                let body: serde_json::Map<String, Value> =
                    serde_json::from_slice(&request.body).unwrap();
                json!({
                    "line": request.line,
                    "attempt": request.header("Amz-Sdk-Request"),
                    "body_keys": body.keys().collect::<Vec<_>>(),
                    "content_type": request.header("Content-Type"),
                })
            })
            .collect();
        json!({ "response": response, "upstream_calls": received.len(), "upstream_requests": requests })
    }
}

/// What differs between a recorded and an observed step.
fn difference(recorded: &Value, observed: &Value) -> Option<String> {
    let mut expected = recorded.clone();
    let mut seen = observed.clone();
    if expected.get("upstream_requests").is_none() {
        seen.as_object_mut().unwrap().remove("upstream_requests");
    }
    if let Some(prefix) = expected["response"]
        .as_object_mut()
        .and_then(|r| r.remove("body_prefix"))
    {
        let body = seen["response"]
            .as_object_mut()
            .and_then(|r| r.remove("body"))
            .unwrap_or_default();
        if !body
            .as_str()
            .unwrap_or_default()
            .starts_with(prefix.as_str().unwrap())
        {
            return Some(format!("body {body} does not begin with {prefix}"));
        }
    }
    (expected != seen).then(|| format!("recorded {expected}\nobserved {seen}"))
}

async fn play(profile: &'static str, case: Value) -> Result<(), String> {
    let id = case["id"].as_str().unwrap().to_string();
    let stand = Stand::new(profile, &case).await;
    let recorded = case
        .get("observed_next")
        .filter(|_| profile == "0.2")
        .unwrap_or(&case["observed"]);
    let mut tokens = HashMap::new();
    for (at, step) in case["steps"].as_array().unwrap().iter().enumerate() {
        let retries =
            step["upstream_down"] == true || recorded[at]["upstream_calls"].as_u64() > Some(1);
        let observed = stand.step(step, &mut tokens, retries).await;
        if let Some(difference) = difference(&recorded[at], &observed) {
            return Err(format!("{profile} {id}, step {at}: {difference}"));
        }
    }
    Ok(())
}

async fn all(profile: &'static str) {
    let recordings: Value = serde_json::from_str(RECORDINGS).unwrap();
    let cases = recordings["cases"].as_array().unwrap();
    let mut running = JoinSet::new();
    let places = Arc::new(Semaphore::new(8));
    for case in cases {
        let (places, case) = (Arc::clone(&places), case.clone());
        running.spawn(async move {
            let _place = places.acquire().await.unwrap();
            play(profile, case).await
        });
    }
    let failed: Vec<String> = running
        .join_all()
        .await
        .into_iter()
        .filter_map(Result::err)
        .collect();
    // Not through the macro: the test harness would keep it to itself.
    let _ = writeln!(
        std::io::stderr(),
        "agent {profile}: {} of {} recorded cases hold",
        cases.len() - failed.len(),
        cases.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn profile_0_1_37() {
    all("0.1.37").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn profile_0_2() {
    all("0.2").await;
}
