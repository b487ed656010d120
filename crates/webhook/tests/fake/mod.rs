//! What the tests put around the server: an API server of two resources, a certificate, a client.
#![allow(dead_code, unreachable_pub, reason = "each suite uses its own part")]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use clap::Parser as _;
use emu_webhook::{Ports, ServeArgs, ServeError, serve_until};
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, StreamBody, combinators::BoxBody};
use hyper::{
    body::{Frame, Incoming},
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{broadcast, oneshot, watch},
    task::JoinHandle,
};

/// Long enough for anything that should happen.
pub const SOON: Duration = Duration::from_secs(20);

/// An API server that knows service accounts and ConfigMaps.
#[derive(Clone)]
pub struct FakeApi(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    state: Mutex<State>,
    events: broadcast::Sender<(&'static str, Value)>,
    gets: watch::Sender<usize>,
}

#[derive(Default)]
struct State {
    version: u64,
    objects: BTreeMap<(&'static str, String, String), Value>,
    /// Accounts that only a request for them finds.
    hidden: BTreeMap<(String, String), Value>,
}

impl FakeApi {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api = Self(Arc::new(Inner {
            address: listener.local_addr().unwrap(),
            state: Mutex::default(),
            events: broadcast::channel(1000).0,
            gets: watch::Sender::new(0),
        }));
        let serving = api.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let api = serving.clone();
                tokio::spawn(async move {
                    let service = service_fn(move |request| {
                        let api = api.clone();
                        async move { Ok::<_, Infallible>(api.answer(&request)) }
                    });
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection
                        .serve_connection(TokioIo::new(stream), service)
                        .await;
                });
            }
        });
        api
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
             clusters: [{{name: c, cluster: {{server: \"{}\"}}}}]\n\
             contexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             users: [{{name: u, user: {{token: t}}}}]\n",
            self.url()
        )
    }

    /// Creates or changes an account.
    pub fn account(&self, namespace: &str, name: &str, annotations: &Value) {
        let body = json!({ "metadata": { "annotations": annotations } });
        self.put("serviceaccounts", namespace, name, body);
    }

    /// An account that no list and no watch shows yet.
    pub fn hidden_account(&self, namespace: &str, name: &str, annotations: &Value) {
        let object = json!({
            "apiVersion": "v1", "kind": "ServiceAccount",
            "metadata": { "namespace": namespace, "name": name, "resourceVersion": "1", "annotations": annotations },
        });
        let key = (namespace.to_owned(), name.to_owned());
        self.0.state.lock().unwrap().hidden.insert(key, object);
    }

    /// Creates or changes a ConfigMap.
    pub fn config_map(&self, namespace: &str, name: &str, data: &Value) {
        self.put(
            "configmaps",
            namespace,
            name,
            json!({ "metadata": {}, "data": data }),
        );
    }

    fn put(&self, resource: &'static str, namespace: &str, name: &str, mut object: Value) {
        let mut state = self.0.state.lock().unwrap();
        state.version += 1;
        object["apiVersion"] = "v1".into();
        object["kind"] = kind(resource).into();
        object["metadata"]["namespace"] = namespace.into();
        object["metadata"]["name"] = name.into();
        object["metadata"]["resourceVersion"] = state.version.to_string().into();
        let key = (resource, namespace.to_owned(), name.to_owned());
        let known = state.objects.insert(key, object.clone()).is_some();
        let kind = if known { "MODIFIED" } else { "ADDED" };
        let _ = self
            .0
            .events
            .send((resource, json!({ "type": kind, "object": object })));
    }

    pub fn delete(&self, resource: &'static str, namespace: &str, name: &str) {
        let mut state = self.0.state.lock().unwrap();
        let key = (resource, namespace.to_owned(), name.to_owned());
        let object = state.objects.remove(&key).unwrap();
        let _ = self
            .0
            .events
            .send((resource, json!({ "type": "DELETED", "object": object })));
    }

    /// How many single accounts were asked for.
    pub fn gets(&self) -> usize {
        *self.0.gets.borrow()
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<BoxBody<Bytes, Infallible>> {
        let parts: Vec<&str> = request.uri().path().trim_matches('/').split('/').collect();
        let state = self.0.state.lock().unwrap();
        if let [
            "api",
            "v1",
            "namespaces",
            namespace,
            "serviceaccounts",
            name,
        ] = parts[..]
        {
            self.0.gets.send_modify(|gets| *gets += 1);
            let key = ("serviceaccounts", namespace.to_owned(), name.to_owned());
            let hidden = state.hidden.get(&(key.1.clone(), key.2.clone()));
            return match state.objects.get(&key).or(hidden) {
                Some(object) => whole(200, object),
                None => whole(
                    404,
                    &json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                        "message": "not found", "reason": "NotFound", "code": 404 }),
                ),
            };
        }
        let (resource, namespace) = match parts[..] {
            ["api", "v1", "serviceaccounts"] => ("serviceaccounts", None),
            ["api", "v1", "namespaces", namespace, "configmaps"] => ("configmaps", Some(namespace)),
            _ => {
                return whole(
                    404,
                    &json!({ "kind": "Status", "status": "Failure", "code": 404 }),
                );
            }
        };
        let within =
            move |object: &Value| namespace.is_none_or(|n| object["metadata"]["namespace"] == n);
        if request.uri().query().unwrap_or("").contains("watch=true") {
            let namespace = namespace.map(str::to_owned);
            // Subscribed under the lock: what comes after the list is not missed.
            let events = self.0.events.subscribe();
            let query = request.uri().query().unwrap_or("");
            let since: u64 = query
                .split('&')
                .find_map(|pair| pair.strip_prefix("resourceVersion="))
                .and_then(|version| version.parse().ok())
                .unwrap_or(0);
            let missed: Vec<Value> = state
                .objects
                .iter()
                .filter(|((r, ..), object)| {
                    *r == resource && within(object) && version(object) > since
                })
                .map(|(_, object)| json!({ "type": "MODIFIED", "object": object }))
                .collect();
            let stream =
                futures::stream::unfold((events, missed), move |(mut events, mut missed)| {
                    let namespace = namespace.clone();
                    async move {
                        if let Some(event) = missed.pop() {
                            return Some((line(&event), (events, missed)));
                        }
                        loop {
                            let (of, event) = events.recv().await.ok()?;
                            let there = &event["object"]["metadata"]["namespace"];
                            if of == resource && namespace.as_deref().is_none_or(|n| there == n) {
                                return Some((line(&event), (events, missed)));
                            }
                        }
                    }
                });
            return Response::new(BoxBody::new(StreamBody::new(Box::pin(stream).into_sync())));
        }
        let items: Vec<&Value> = state
            .objects
            .iter()
            .filter(|((r, ..), object)| *r == resource && within(object))
            .map(|(_, object)| object)
            .collect();
        whole(
            200,
            &json!({ "kind": format!("{}List", kind(resource)), "apiVersion": "v1",
                "metadata": { "resourceVersion": state.version.to_string() }, "items": items }),
        )
    }
}

trait IntoSync: Sized {
    fn into_sync(self) -> SyncStream<Self>;
}

impl<S> IntoSync for S {
    fn into_sync(self) -> SyncStream<S> {
        SyncStream(Mutex::new(self))
    }
}

/// A stream that is `Sync` because only its owner gets at it.
struct SyncStream<S>(Mutex<S>);

impl<S: futures::Stream + Unpin> futures::Stream for SyncStream<S> {
    type Item = S::Item;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<S::Item>> {
        std::pin::Pin::new(self.0.get_mut().unwrap()).poll_next(context)
    }
}

fn version(object: &Value) -> u64 {
    let version = object["metadata"]["resourceVersion"].as_str();
    version
        .and_then(|version| version.parse().ok())
        .unwrap_or(0)
}

fn kind(resource: &str) -> &'static str {
    match resource {
        "serviceaccounts" => "ServiceAccount",
        _ => "ConfigMap",
    }
}

fn line(event: &Value) -> Result<Frame<Bytes>, Infallible> {
    Ok(Frame::data(Bytes::from(format!("{event}\n"))))
}

fn whole(status: u16, body: &Value) -> Response<BoxBody<Bytes, Infallible>> {
    Response::builder()
        .status(status)
        .header("Content-Type", "application/json")
        .body(BoxBody::new(Full::from(body.to_string())))
        .unwrap()
}

#[derive(clap::Parser)]
#[command(disable_version_flag = true)]
struct Program {
    #[command(flatten)]
    args: ServeArgs,
}

/// Flags as they stand on a command line.
pub fn flags<S: AsRef<str>>(flags: impl IntoIterator<Item = S>) -> ServeArgs {
    let words: Vec<String> = flags
        .into_iter()
        .map(|flag| flag.as_ref().to_owned())
        .collect();
    let words = std::iter::once("serve".to_owned()).chain(words);
    Program::try_parse_from(words).unwrap().args
}

/// A certificate for localhost, as PEM: certificate, key.
pub fn certificate() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (made.cert.pem(), made.signing_key.serialize_pem())
}

/// A server as started from the command line, in a folder of its own.
pub struct Started {
    pub ports: Ports,
    pub folder: tempfile::TempDir,
    pub certificate: String,
    stop: watch::Sender<bool>,
    pub task: JoinHandle<Result<(), ServeError>>,
}

impl Started {
    /// Starts the server with an API server and more flags. `identities` is the content of its file.
    pub async fn new(api: &FakeApi, more: &[String], identities: Option<&str>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = certificate();
        let file = |name: &str, content: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, content).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let mut line = vec![
            "--in-cluster=false".to_owned(),
            "--tls-cert".to_owned(),
            file("tls.crt", &certificate),
            "--tls-key".to_owned(),
            file("tls.key", &key),
            "--kubeconfig".to_owned(),
            file("kubeconfig", &api.kubeconfig()),
            "--port=0".to_owned(),
            "--metrics-port=0".to_owned(),
        ];
        if let Some(identities) = identities {
            line.push("--watch-container-credentials-config".to_owned());
            line.push(file("identities.json", identities));
        }
        line.extend_from_slice(more);
        let (stop, stopped) = watch::channel(false);
        let (ready, told) = oneshot::channel();
        let task = tokio::spawn(serve_until(flags(line), stopped, move |ports| {
            let _ = ready.send(ports);
        }));
        let ports = tokio::time::timeout(SOON, told)
            .await
            .unwrap()
            .expect("the server ends at once");
        Self {
            ports,
            folder,
            certificate,
            stop,
            task,
        }
    }

    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Sends a request over HTTPS on a connection of its own.
    pub async fn send(&self, request: Request<Full<Bytes>>) -> Response<Bytes> {
        send(self.ports.webhook.port(), &self.certificate, request).await
    }

    /// Sends a review and gives the answer's body.
    pub async fn review(&self, review: &Value) -> Value {
        let request = Request::post("/mutate")
            .header("Content-Type", "application/json")
            .body(Full::from(review.to_string()))
            .unwrap();
        serde_json::from_slice(self.send(request).await.body()).unwrap()
    }

    /// Fetches from the metrics port.
    pub async fn fetch(&self, path: &str) -> Response<Bytes> {
        let stream = TcpStream::connect(("127.0.0.1", self.ports.metrics.port()))
            .await
            .unwrap();
        exchange(stream, Request::get(path).body(Full::default()).unwrap()).await
    }

    pub async fn stop(self) -> Result<(), ServeError> {
        self.stop.send_replace(true);
        tokio::time::timeout(SOON, self.task)
            .await
            .unwrap()
            .unwrap()
    }
}

/// A review of a pod with one container.
pub fn review(namespace: &str, account: &str) -> Value {
    json!({
        "apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview",
        "request": { "uid": "1", "namespace": namespace, "object": {
            "metadata": { "name": "pod" },
            "spec": { "serviceAccountName": account, "containers": [{ "name": "main" }] },
        } },
    })
}

/// Sends a request over TLS, trusting one certificate.
pub async fn send(port: u16, trusted: &str, request: Request<Full<Bytes>>) -> Response<Bytes> {
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap())
        .unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    let stream = connector
        .connect(ServerName::try_from("localhost").unwrap(), stream)
        .await
        .unwrap();
    exchange(stream, request).await
}

async fn exchange(
    stream: impl tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    mut request: Request<Full<Bytes>>,
) -> Response<Bytes> {
    request
        .headers_mut()
        .insert("Host", "localhost".parse().unwrap());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    let answer = tokio::time::timeout(SOON, sender.send_request(request))
        .await
        .unwrap()
        .unwrap();
    let (parts, body) = answer.into_parts();
    Response::from_parts(parts, body.collect().await.unwrap().to_bytes())
}
