//! A scripted EKS Auth and a client that says exactly what it is told.
#![allow(dead_code, unreachable_pub)]

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use emu_core::Clock;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// A request that EKS Auth received.
#[derive(Clone, Debug)]
pub struct Received {
    pub line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Received {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, v)| v.as_str())
    }
}

/// The scripted EKS Auth.
#[derive(Clone)]
pub struct Upstream {
    pub address: SocketAddr,
    script: Arc<Mutex<(Vec<Value>, usize)>>,
    received: Arc<Mutex<Vec<Received>>>,
}

impl Upstream {
    pub async fn start(clock: Clock) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = Self {
            address: listener.local_addr().unwrap(),
            script: Arc::default(),
            received: Arc::default(),
        };
        let served = upstream.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (served, clock) = (served.clone(), clock.clone());
                tokio::spawn(async move { served.serve(stream, &clock).await });
            }
        });
        upstream
    }

    pub fn play(&self, script: Vec<Value>) {
        *self.script.lock().unwrap() = (script, 0);
        self.received.lock().unwrap().clear();
    }

    pub fn received(&self) -> Vec<Received> {
        self.received.lock().unwrap().clone()
    }

    async fn serve(&self, mut stream: TcpStream, clock: &Clock) -> Option<()> {
        let mut buffer = Vec::new();
        loop {
            let head = loop {
                if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
                    break at + 4;
                }
                if stream.read_buf(&mut buffer).await.ok()? == 0 {
                    return None;
                }
            };
            let text = String::from_utf8_lossy(&buffer[..head]).into_owned();
            let mut lines = text.lines();
            let line = lines.next()?.to_string();
            let headers: Vec<(String, String)> = lines
                .filter_map(|l| l.split_once(':'))
                .map(|(n, v)| (n.to_string(), v.trim().to_string()))
                .collect();
            let length: usize = headers
                .iter()
                .find(|(n, _)| n.eq_ignore_ascii_case("content-length"))
                .and_then(|(_, v)| v.parse().ok())
                .unwrap_or(0);
            while buffer.len() < head + length {
                if stream.read_buf(&mut buffer).await.ok()? == 0 {
                    return None;
                }
            }
            let body = buffer[head..head + length].to_vec();
            buffer.drain(..head + length);
            self.received.lock().unwrap().push(Received {
                line,
                headers,
                body,
            });
            let answer = {
                let mut script = self.script.lock().unwrap();
                let at = script.1.min(script.0.len().saturating_sub(1));
                script.1 += 1;
                script
                    .0
                    .get(at)
                    .cloned()
                    .unwrap_or(json!({ "action": "close" }))
            };
            if let Some(delay) = answer["delay"].as_f64() {
                tokio::time::sleep(Duration::from_secs_f64(delay)).await;
            }
            if answer["action"] == "close" {
                return None;
            }
            let body = match &answer["body"] {
                Value::String(text) => text.clone(),
                Value::Null => String::new(),
                other => substitute(other, clock).to_string(),
            };
            let default = json!({
                "Content-Type": "application/json",
                "x-amzn-RequestId": "11111111-2222-3333-4444-555555555555",
            });
            let headers = answer["headers"].as_object().or(default.as_object())?;
            let mut out = format!(
                "HTTP/1.1 {} X\r\nContent-Length: {}\r\n",
                answer["status"],
                body.len()
            );
            for (name, value) in headers {
                out += &format!("{name}: {}\r\n", value.as_str()?);
            }
            out += "\r\n";
            out += &body;
            stream.write_all(out.as_bytes()).await.ok()?;
        }
    }
}

/// `@+N` stands for N seconds from now.
fn substitute(value: &Value, clock: &Clock) -> Value {
    match value {
        Value::String(text) => match text.strip_prefix('@').and_then(|n| n.parse::<i64>().ok()) {
            Some(n) => json!(clock.now().as_second() + n),
            None => value.clone(),
        },
        Value::Object(members) => Value::Object(
            members
                .iter()
                .map(|(k, v)| (k.clone(), substitute(v, clock)))
                .collect(),
        ),
        _ => value.clone(),
    }
}

/// The token a recording describes.
pub fn token(described: &Value, clock: &Clock) -> String {
    let now = clock.now().as_second();
    let part = |raw: &str, value: Value| match described[raw].as_str() {
        Some(raw) => raw.to_string(),
        None => URL_SAFE_NO_PAD.encode(value.to_string()),
    };
    let mut claims = described["claims"].clone();
    if let Some(members) = claims.as_object_mut() {
        for name in ["iat", "nbf", "exp"] {
            let offset = members
                .get(name)
                .and_then(Value::as_str)
                .filter(|text| text.starts_with(['+', '-']));
            if let Some(offset) = offset.and_then(|text| text.parse::<i64>().ok()) {
                members.insert(name.into(), json!(now + offset));
            }
        }
    }
    let header = match &described["header"] {
        Value::Null => json!({ "alg": "HS256", "typ": "JWT" }),
        header => header.clone(),
    };
    let signed = format!(
        "{}.{}",
        part("raw_header", header),
        part("raw_claims", claims)
    );
    let signature = match described["raw_signature"].as_str() {
        Some(raw) => raw.to_string(),
        None => {
            let mut mac = Hmac::<Sha256>::new_from_slice(b"k").unwrap();
            mac.update(signed.as_bytes());
            URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes())
        }
    };
    let affix = |name: &str| described[name].as_str().unwrap_or_default().to_string();
    format!("{}{signed}.{signature}{}", affix("prefix"), affix("suffix"))
}

/// Sends bytes and gives the whole answer, in the form of the recordings.
pub async fn exchange(address: SocketAddr, request: &[u8], head: bool) -> Value {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    loop {
        if let Some(complete) = complete(&answer, head) {
            return complete;
        }
        match stream.read_buf(&mut answer).await {
            Ok(1..) => {}
            _ if answer.is_empty() => return json!({ "error": "closed without reply" }),
            _ => return parse(&answer, answer.len()),
        }
    }
}

fn complete(answer: &[u8], head: bool) -> Option<Value> {
    let end = answer.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    let length = text.lines().find_map(|l| {
        l.strip_prefix("content-length: ")?
            .trim()
            .parse::<usize>()
            .ok()
    });
    let length = if head { 0 } else { length? };
    (answer.len() >= end + length).then(|| parse(answer, end + length))
}

fn parse(answer: &[u8], end: usize) -> Value {
    let text = String::from_utf8_lossy(&answer[..end]).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    let status: u16 = lines
        .next()
        .unwrap()
        .split(' ')
        .nth(1)
        .unwrap()
        .parse()
        .unwrap();
    let mut headers = serde_json::Map::new();
    for (name, value) in lines.filter_map(|l| l.split_once(": ")) {
        if !["Date", "Content-Length", "Connection"].contains(&name) {
            headers.insert(name.into(), json!(value));
        }
    }
    json!({ "status": status, "headers": headers, "body": body })
}
