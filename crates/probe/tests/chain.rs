//! The SDK's default chain, as a pod's variables steer it: each case in a process of its own, since variables are the
//! process's.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    process::Command,
    thread,
};

/// Plays the agent, STS and S3; gives the requests' first lines.
fn stand_in() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                let mut text = String::new();
                let mut buffer = [0; 8192];
                while !text.contains("\r\n\r\n") {
                    match stream.read(&mut buffer) {
                        Ok(n @ 1..) => text.push_str(&String::from_utf8_lossy(&buffer[..n])),
                        _ => return,
                    }
                }
                let (status, kind, body) = answer(&text);
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
            });
        }
    });
    address
}

fn answer(request: &str) -> (u16, &'static str, &'static str) {
    let lower = request.to_lowercase();
    if request.starts_with("GET /v1/credentials") {
        return match lower.contains("authorization: the-token\r\n") {
            true => (
                200,
                "application/json",
                r#"{"AccessKeyId":"ASIAPOD","SecretAccessKey":"s","Token":"t","Expiration":"2099-01-01T00:00:00Z"}"#,
            ),
            false => (400, "text/plain", "Service account token cannot be empty"),
        };
    }
    if request.starts_with("POST /") {
        return (
            200,
            "text/xml",
            "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
             <Arn>arn:aws:sts::1:assumed-role/app/s</Arn><UserId>u</UserId><Account>1</Account>\
             </GetCallerIdentityResult></GetCallerIdentityResponse>",
        );
    }
    (
        403,
        "application/xml",
        "<Error><Code>AccessDenied</Code><Message>not for you</Message></Error>",
    )
}

#[tokio::test]
#[ignore = "started by the tests below"]
async fn child() {
    let words = std::env::var("PROBE_CALL").unwrap();
    let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
    let report = emu_probe::Call::parse(&words).unwrap().make().await;
    println!("report: {}", serde_json::to_string(&report).unwrap());
}

fn probe(call: &str, token: &str) -> serde_json::Value {
    let address = stand_in();
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, token).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["child", "--exact", "--include-ignored", "--nocapture"])
        .env_clear()
        .env("PROBE_CALL", call)
        .env("AWS_REGION", "us-east-1")
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env(
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            format!("http://{address}/v1/credentials"),
        )
        .env("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", &file)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find_map(|l| l.split_once("report: "));
    let (_, json) =
        line.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)));
    serde_json::from_str(json).unwrap()
}

#[test]
fn credentials_come_from_the_agent() {
    let report = probe("identity", "the-token");
    assert_eq!(report["arn"], "arn:aws:sts::1:assumed-role/app/s");
    assert_eq!(report["accessKeyId"], "ASIAPOD");
    assert_eq!(report["source"], "EcsContainer");
    assert_eq!(report["expiresAt"], 4_070_908_800u64);
    assert!(report["millis"].is_u64());
}

#[test]
fn a_service_that_refuses_is_told_with_code_and_status() {
    let report = probe("list b", "the-token");
    assert_eq!(report["error"]["code"], "AccessDenied");
    assert_eq!(report["error"]["status"], 403);
}

#[test]
fn of_an_agent_that_refuses_the_sdk_tells_the_status_alone() {
    let report = probe("identity", "wrong");
    assert!(report.get("accessKeyId").is_none());
    let message = report["error"]["message"].as_str().unwrap();
    assert!(message.contains("StatusCode(400)"), "{message}");
    assert!(
        !message.contains("cannot be empty"),
        "the SDK has learnt to pass the agent's words on: {message}"
    );
}
