//! Files over HTTP and HTTPS, hashed as they come.

use std::{path::Path, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri, header::LOCATION};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use sha2::{Digest, Sha256};
use tokio::io::AsyncWriteExt;

use super::Error;

/// How many redirects are followed. The release sites use one or two.
const REDIRECTS: usize = 5;
/// How long nothing at all may arrive.
const SILENCE: Duration = Duration::from_secs(60);
/// The largest text that is taken into memory.
const TEXT: usize = 1 << 20;

/// A file that was fetched.
pub(super) struct Fetched {
    pub(super) url: String,
    pub(super) sha256: String,
}

pub(super) struct Downloader {
    client: Client<HttpsConnector<HttpConnector>, Empty<Bytes>>,
}

impl Downloader {
    pub(super) fn new() -> Result<Self, Error> {
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::ring::default_provider())
            .map_err(|e| Error::Download {
                url: "https:".into(),
                why: format!("this machine's certificates: {e}"),
            })?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
        })
    }

    /// A small text.
    pub(super) async fn text(&self, url: &str) -> Result<String, Error> {
        let failed = failed(url);
        let body = self.get(url).await?.into_body();
        let limited = http_body_util::Limited::new(body, TEXT);
        let bytes = tokio::time::timeout(SILENCE, limited.collect())
            .await
            .map_err(|e| failed(e.to_string()))?
            .map_err(|e| failed(e.to_string()))?
            .to_bytes();
        String::from_utf8(bytes.into()).map_err(|e| failed(e.to_string()))
    }

    /// A file, however large.
    pub(super) async fn file(&self, url: &str, to: &Path) -> Result<Fetched, Error> {
        let failed = failed(url);
        let mut body = self.get(url).await?.into_body();
        let mut file = tokio::fs::File::create(to).await.map_err(Error::file(to))?;
        let mut hash = Sha256::new();
        while let Some(frame) = tokio::time::timeout(SILENCE, body.frame())
            .await
            .map_err(|_| failed(format!("nothing came for {} s", SILENCE.as_secs())))?
        {
            let frame = frame.map_err(|e| failed(e.to_string()))?;
            if let Some(data) = frame.data_ref() {
                hash.update(data);
                file.write_all(data).await.map_err(Error::file(to))?;
            }
        }
        file.flush().await.map_err(Error::file(to))?;
        Ok(Fetched {
            url: url.to_owned(),
            sha256: hex::encode(hash.finalize()),
        })
    }

    async fn get(&self, url: &str) -> Result<Response<Incoming>, Error> {
        let failed = failed(url);
        let mut at = url::Url::parse(url).map_err(|e| failed(e.to_string()))?;
        for _ in 0..=REDIRECTS {
            let uri: Uri = at.as_str().parse().map_err(|e| failed(format!("{e}")))?;
            let request = Request::get(uri)
                .header("user-agent", "emu")
                .body(Empty::new())
                .map_err(|e| failed(e.to_string()))?;
            let response = tokio::time::timeout(SILENCE, self.client.request(request))
                .await
                .map_err(|e| failed(e.to_string()))?
                .map_err(|e| failed(causes(&e)))?;
            if response.status().is_success() {
                return Ok(response);
            }
            let location = response
                .headers()
                .get(LOCATION)
                .and_then(|value| value.to_str().ok())
                .filter(|_| response.status().is_redirection());
            let Some(location) = location else {
                return Err(failed(format!("the server answered {}", response.status())));
            };
            let next = at.join(location).map_err(|e| failed(e.to_string()))?;
            // What began encrypted stays encrypted.
            if at.scheme() == "https" && next.scheme() != "https" {
                return Err(failed(format!("it redirects to {next}, unencrypted")));
            }
            at = next;
        }
        Err(failed("too many redirects".into()))
    }
}

fn failed(url: &str) -> impl Fn(String) -> Error + use<> {
    let url = url.to_owned();
    move |why| Error::Download {
        url: url.clone(),
        why,
    }
}

/// An error with its causes: the outermost one alone says "client error".
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        text = format!("{text}: {cause}");
        next = cause.source();
    }
    text
}
