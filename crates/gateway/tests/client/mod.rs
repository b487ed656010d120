//! A gateway on loopback, and a client that signs with an implementation that is not ours.

#![allow(dead_code, unreachable_pub, missing_docs)]

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use aws_credential_types::Credentials;
use aws_sigv4::{
    http_request::{
        PayloadChecksumKind, PercentEncodingMode, SignableBody, SignableRequest, SignatureLocation,
        SigningSettings, UriPathNormalizationMode, sign,
    },
    sign::v4,
};
use bytes::Bytes;
use emu_cloud::Cloud;
use emu_core::{Clock, Event, Ids, Journal, Settings};
use emu_gateway::{Gateway, Listener};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};

pub struct World {
    pub gateway: Gateway,
    pub cloud: Arc<Cloud>,
    pub addr: SocketAddr,
    client: Client<hyper_util::client::legacy::connect::HttpConnector, Full<Bytes>>,
}

#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The text of the first element of that name.
    pub fn element(&self, name: &str) -> Option<String> {
        let text = self.text();
        let start = text.find(&format!("<{name}>"))? + name.len() + 2;
        let end = text[start..].find(&format!("</{name}>"))?;
        Some(text[start..start + end].to_owned())
    }
}

/// A request before it is signed.
pub struct Ask<'a> {
    pub method: &'a str,
    pub target: &'a str,
    pub service: &'a str,
    pub region: &'a str,
    pub headers: Vec<(&'a str, String)>,
    pub body: &'a [u8],
    pub key: (&'a str, &'a str, Option<&'a str>),
    pub presigned: bool,
    pub streaming: bool,
    pub late: i64,
}

impl<'a> Ask<'a> {
    pub fn new(method: &'a str, service: &'a str, target: &'a str) -> Self {
        Self {
            method,
            target,
            service,
            region: "us-east-1",
            headers: Vec::new(),
            body: b"",
            key: ("test", "test", None),
            presigned: false,
            streaming: false,
            late: 0,
        }
    }

    pub fn query(form: &'a str) -> Self {
        let mut ask = Self::new("POST", "sts", "/");
        ask.body = form.as_bytes();
        ask.header(
            "content-type",
            "application/x-www-form-urlencoded; charset=utf-8",
        )
    }

    pub fn s3(method: &'a str, target: &'a str) -> Self {
        Self::new(method, "s3", target)
    }

    pub fn header(mut self, name: &'a str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub fn body(mut self, body: &'a [u8]) -> Self {
        self.body = body;
        self
    }

    pub fn key(mut self, id: &'a str, secret: &'a str) -> Self {
        self.key = (id, secret, None);
        self
    }

    /// With the body's hash as the header says it, not as it is.
    pub fn streaming(mut self) -> Self {
        self.streaming = true;
        self
    }

    /// Signs for a host, by the clock of a cloud.
    pub fn sign(&self, cloud: &Cloud, addr: SocketAddr) -> Request<Full<Bytes>> {
        let host = self
            .headers
            .iter()
            .find(|(n, _)| *n == "host")
            .map_or_else(|| addr.to_string(), |(_, v)| v.clone());
        let mut headers: Vec<(&str, String)> = vec![("host", host.clone())];
        headers.extend(self.headers.iter().filter(|(n, _)| *n != "host").cloned());
        let mut settings = SigningSettings::default();
        if self.service == "s3" {
            settings.percent_encoding_mode = PercentEncodingMode::Single;
            settings.uri_path_normalization_mode = UriPathNormalizationMode::Disabled;
            settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
        }
        if self.presigned {
            settings.signature_location = SignatureLocation::QueryParams;
            settings.expires_in = Some(Duration::from_secs(60));
            settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
        }
        let body = if self.streaming {
            settings.payload_checksum_kind = PayloadChecksumKind::NoHeader;
            SignableBody::StreamingUnsignedPayloadTrailer
        } else if self.presigned && self.service == "s3" {
            SignableBody::UnsignedPayload
        } else {
            SignableBody::Bytes(self.body)
        };
        let (id, secret, token) = self.key;
        let identity = Credentials::new(id, secret, token.map(str::to_owned), None, "test").into();
        let seconds = cloud.now().as_second() - self.late;
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(self.region)
            .name(self.service)
            .time(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds as u64))
            .settings(settings)
            .build()
            .unwrap()
            .into();
        let url = format!("http://{host}{}", self.target);
        let signable = SignableRequest::new(
            self.method,
            url.clone(),
            headers.iter().map(|(n, v)| (*n, v.as_str())),
            body,
        )
        .unwrap();
        let instructions = sign(signable, &params).unwrap().into_parts().0;
        let mut request = Request::builder().method(self.method).uri(url);
        for (name, value) in &headers {
            request = request.header(*name, value);
        }
        let mut request = request.body(()).unwrap();
        instructions.apply_to_request_http1x(&mut request);
        let target = request.uri().path_and_query().unwrap().as_str().to_owned();
        *request.uri_mut() = format!("http://{addr}{target}").parse().unwrap();
        request.map(|()| Full::new(Bytes::copy_from_slice(self.body)))
    }
}

impl World {
    pub fn new() -> Self {
        let clock = Clock::new();
        let journal = Journal::new(clock.clone(), 10_000);
        let cloud = Cloud::new(clock, journal, Settings::default(), Ids::seeded(1));
        let listener = Listener::bind("127.0.0.1:0").unwrap();
        let gateway = Gateway::start(Arc::clone(&cloud), vec![listener]).unwrap();
        let addr = gateway.addr().unwrap();
        Self {
            gateway,
            cloud,
            addr,
            client: Client::builder(TokioExecutor::new()).build_http(),
        }
    }

    pub async fn ask(&self, ask: Ask<'_>) -> Answer {
        self.send(ask.sign(&self.cloud, self.addr)).await.unwrap()
    }

    pub async fn send(
        &self,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, hyper_util::client::legacy::Error> {
        let (parts, body) = self.client.request(request).await?.into_parts();
        Ok(Answer {
            status: parts.status,
            headers: parts.headers,
            body: body
                .collect()
                .await
                .map(|b| b.to_bytes())
                .unwrap_or_default(),
        })
    }

    /// Unsigned.
    pub async fn plain(&self, method: &str, target: &str, body: &str) -> Answer {
        let request = Request::builder()
            .method(method)
            .uri(format!("http://{}{target}", self.addr))
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .unwrap();
        self.send(request).await.unwrap()
    }

    pub fn calls(&self) -> Vec<(String, u16)> {
        self.cloud
            .journal()
            .since(0)
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::ApiCall { action, status, .. } => Some((action.clone(), *status)),
                _ => None,
            })
            .collect()
    }
}
