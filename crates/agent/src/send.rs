//! Sending a request the way Go's HTTP client does: HTTP/1.1, connections kept, proxies from the environment, roots
//! from `SSL_CERT_FILE`.

use std::{
    io::Read as _,
    sync::{Arc, Mutex, OnceLock, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};
use tokio_rustls::TlsConnector;
use url::Url;

mod proxy;

use proxy::Proxies;

/// A connection must be there within this much real time.
const DIAL: Duration = Duration::from_millis(500);
/// Connections kept for each host.
const IDLE: usize = 2;

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// Why nothing came back.
#[derive(Clone, Debug)]
pub(crate) struct SendError {
    pub(crate) text: String,
    pub(crate) timeout: bool,
    /// Whether the SDK would try again.
    pub(crate) retry: bool,
}

impl SendError {
    fn new(text: impl std::fmt::Display) -> Self {
        Self {
            text: text.to_string(),
            timeout: false,
            retry: true,
        }
    }

    fn timeout() -> Self {
        Self {
            text: crate::texts::TIMEOUT.into(),
            timeout: true,
            retry: true,
        }
    }
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    /// The body ended early.
    pub(crate) cut_off: Option<SendError>,
}

/// A client with its idle connections.
pub(crate) struct Sender {
    proxies: Proxies,
    /// The roots to trust instead of the machine's.
    roots: Option<Arc<rustls::ClientConfig>>,
    idle: Mutex<Vec<(String, SendRequest<Full<Bytes>>)>>,
}

impl Sender {
    /// With the proxies the environment names.
    pub(crate) fn from_environment() -> Self {
        Self {
            proxies: Proxies::from_environment(|name| std::env::var(name).ok()),
            roots: None,
            idle: Mutex::default(),
        }
    }

    /// The same, with other roots.
    pub(crate) fn trusting(roots: Arc<rustls::ClientConfig>) -> Self {
        Self {
            roots: Some(roots),
            ..Self::from_environment()
        }
    }

    /// Posts; follows redirects as Go does.
    pub(crate) async fn post(
        &self,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        limit: Duration,
    ) -> Result<Reply, SendError> {
        let deadline = Instant::now() + limit;
        let mut reply = self
            .exchange(Method::POST, url, headers, body, deadline)
            .await?;
        let mut here = url.clone();
        let mut hops = 0;
        // 307 and 308 are not followed: the SDK's body cannot be sent a second time.
        while matches!(reply.status, 301..=303) {
            let location = reply
                .headers
                .get(header::LOCATION)
                .and_then(|l| l.to_str().ok())
                .filter(|l| !l.is_empty());
            let Some(next) = location.map(|location| here.join(location)) else {
                break;
            };
            let next = next.map_err(|e| SendError {
                retry: false,
                ..SendError::new(e)
            })?;
            hops += 1;
            if hops == 10 {
                return Err(SendError::new("stopped after 10 redirects"));
            }
            let same_host = next.host_str() == here.host_str();
            let kept: Vec<_> = headers
                .iter()
                .filter(|(name, _)| !matches!(*name, header::CONTENT_LENGTH | header::CONTENT_TYPE))
                .filter(|(name, _)| same_host || *name != header::AUTHORIZATION)
                .cloned()
                .collect();
            here = next;
            reply = self
                .exchange(Method::GET, &here, &kept, Bytes::new(), deadline)
                .await?;
        }
        Ok(reply)
    }

    /// Gets, without a body.
    pub(crate) async fn get(
        &self,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        limit: Duration,
    ) -> Result<Reply, SendError> {
        self.exchange(
            Method::GET,
            url,
            headers,
            Bytes::new(),
            Instant::now() + limit,
        )
        .await
    }

    async fn exchange(
        &self,
        method: Method,
        url: &Url,
        headers: &[(HeaderName, HeaderValue)],
        body: Bytes,
        deadline: Instant,
    ) -> Result<Reply, SendError> {
        let host = url.host_str().unwrap_or_default();
        let authority = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_string(),
        };
        let proxy = self.proxies.for_url(url);
        let key = format!(
            "{}|{authority}|{}",
            url.scheme(),
            proxy.map_or("", Url::as_str)
        );
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let target = if proxy.is_some() && url.scheme() == "http" {
            &url[..url::Position::AfterQuery]
        } else {
            target
        };
        let mut request = Request::builder()
            .method(method)
            .uri(target)
            .header(header::HOST, &authority);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let request = request.body(Full::new(body)).map_err(SendError::new)?;

        let work = async {
            let reused = self.take_idle(&key);
            let mut connection = match reused {
                Some(connection) => connection,
                None => self.connect(url, &authority, proxy).await?,
            };
            let response = match connection.try_send_request(request).await {
                Ok(response) => response,
                Err(mut refused) => match refused.take_message() {
                    // The idle connection had been closed: the request never left.
                    Some(request) => {
                        connection = self.connect(url, &authority, proxy).await?;
                        connection
                            .send_request(request)
                            .await
                            .map_err(SendError::new)?
                    }
                    None => return Err(SendError::new(refused.into_error())),
                },
            };
            Ok((connection, response))
        };
        let (connection, response) = match timeout_at(deadline, work).await {
            Ok(outcome) => outcome?,
            Err(_) => return Err(SendError::timeout()),
        };
        let (head, mut incoming) = response.into_parts();
        let mut received = BytesMut::new();
        let mut cut_off = None;
        loop {
            match timeout_at(deadline, incoming.frame()).await {
                Ok(None) => break,
                Ok(Some(Ok(frame))) => {
                    if let Some(data) = frame.data_ref() {
                        received.extend_from_slice(data);
                    }
                }
                Ok(Some(Err(e))) => {
                    let reset = std::error::Error::source(&e)
                        .is_some_and(|s| s.to_string().contains("reset"));
                    cut_off = Some(SendError {
                        retry: reset,
                        ..SendError::new("unexpected EOF")
                    });
                    break;
                }
                Err(_) => {
                    cut_off = Some(SendError::timeout());
                    break;
                }
            }
        }
        if cut_off.is_none() {
            self.put_idle(key, connection);
        }
        let mut headers = head.headers;
        let mut body = received.freeze();
        if headers
            .get(header::CONTENT_ENCODING)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"gzip"))
        {
            let mut plain = Vec::new();
            let read = flate2::read::MultiGzDecoder::new(&*body)
                .take(10 << 20)
                .read_to_end(&mut plain);
            if let Err(e) = read {
                cut_off.get_or_insert(SendError {
                    retry: false,
                    ..SendError::new(e)
                });
            }
            headers.remove(header::CONTENT_ENCODING);
            body = plain.into();
        }
        Ok(Reply {
            status: head.status.as_u16(),
            headers,
            body,
            cut_off,
        })
    }

    fn take_idle(&self, key: &str) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|(_, connection)| !connection.is_closed());
        let at = idle
            .iter()
            .rposition(|(kept, connection)| kept == key && connection.is_ready())?;
        Some(idle.swap_remove(at).1)
    }

    fn put_idle(&self, key: String, connection: SendRequest<Full<Bytes>>) {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if !connection.is_closed() && idle.iter().filter(|(kept, _)| *kept == key).count() < IDLE {
            idle.push((key, connection));
        }
    }

    async fn connect(
        &self,
        url: &Url,
        authority: &str,
        proxy: Option<&Url>,
    ) -> Result<SendRequest<Full<Bytes>>, SendError> {
        let https = url.scheme() == "https";
        let mut wire: Box<dyn Wire> = match proxy {
            None => Box::new(dial(url).await?),
            Some(proxy) => {
                let stream = dial(proxy).await?;
                let mut wire: Box<dyn Wire> = if proxy.scheme() == "https" {
                    Box::new(self.tls(stream, proxy).await?)
                } else {
                    Box::new(stream)
                };
                if https {
                    let port = url.port_or_known_default().unwrap_or(443);
                    tunnel(
                        &mut wire,
                        &format!("{}:{port}", url.host_str().unwrap_or(authority)),
                        proxy,
                    )
                    .await?;
                }
                wire
            }
        };
        if https {
            wire = Box::new(self.tls(wire, url).await?);
        }
        let (sender, connection) = Builder::new()
            .title_case_headers(true)
            .handshake(TokioIo::new(wire))
            .await
            .map_err(SendError::new)?;
        tokio::spawn(connection);
        Ok(sender)
    }

    async fn tls<W: AsyncRead + AsyncWrite + Unpin>(
        &self,
        wire: W,
        url: &Url,
    ) -> Result<tokio_rustls::client::TlsStream<W>, SendError> {
        let host = url
            .host_str()
            .unwrap_or_default()
            .trim_matches(['[', ']'])
            .to_string();
        let name = rustls::pki_types::ServerName::try_from(host).map_err(SendError::new)?;
        let config = self
            .roots
            .clone()
            .map_or_else(client_config, Ok)
            .map_err(SendError::new)?;
        TlsConnector::from(config)
            .connect(name, wire)
            .await
            .map_err(SendError::new)
    }
}

async fn dial(url: &Url) -> Result<TcpStream, SendError> {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let port = url.port_or_known_default().unwrap_or(80);
    match timeout(DIAL, TcpStream::connect((host, port))).await {
        Ok(Ok(stream)) => {
            let _ = stream.set_nodelay(true);
            Ok(stream)
        }
        Ok(Err(e)) => {
            let text = format!("dial tcp {host}:{port}: {e}");
            // A name that does not exist is not asked for again.
            let retry = !text.contains("Name or service not known");
            Err(SendError {
                retry,
                ..SendError::new(text)
            })
        }
        Err(_) => Err(SendError {
            text: format!("dial tcp {host}:{port}: i/o timeout"),
            timeout: true,
            retry: true,
        }),
    }
}

/// The roots of `SSL_CERT_FILE` and `SSL_CERT_DIR`, else the machine's. Read once: Go does the same.
fn client_config() -> Result<Arc<rustls::ClientConfig>, String> {
    static CONFIG: OnceLock<Result<Arc<rustls::ClientConfig>, String>> = OnceLock::new();
    CONFIG
        .get_or_init(|| {
            let mut roots = rustls::RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            tls_config(roots)
        })
        .clone()
}

/// A TLS configuration that trusts these roots.
pub(crate) fn tls_config(
    roots: rustls::RootCertStore,
) -> Result<Arc<rustls::ClientConfig>, String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

async fn tunnel(wire: &mut Box<dyn Wire>, target: &str, proxy: &Url) -> Result<(), SendError> {
    let authorization = proxy::authorization(proxy)
        .map(|value| format!("Proxy-Authorization: {value}\r\n"))
        .unwrap_or_default();
    let request = format!(
        "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nUser-Agent: Go-http-client/1.1\r\n{authorization}\r\n"
    );
    wire.write_all(request.as_bytes())
        .await
        .map_err(SendError::new)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if head.len() > 16_384 {
            return Err(SendError::new("proxy: malformed HTTP response"));
        }
        head.push(wire.read_u8().await.map_err(SendError::new)?);
    }
    let status = std::str::from_utf8(&head)
        .ok()
        .and_then(|head| head.split(' ').nth(1))
        .unwrap_or_default();
    if status == "200" {
        Ok(())
    } else {
        Err(SendError::new(format!("proxy refused: {status}")))
    }
}
