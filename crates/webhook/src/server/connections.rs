//! Accepting connections, and letting them go.

use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};

use hyper::service::service_fn;
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::{conn::auto, graceful::GracefulShutdown},
};
use rustls::ServerConfig;
use tokio::{
    io::AsyncWriteExt as _,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
};
use tokio_rustls::TlsAcceptor;

use super::Routes;

/// What Go's HTTPS server answers to a request in the clear.
const CLEAR_TEXT: &[u8] =
    b"HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n";

/// How long to wait after a failed accept.
const ACCEPT_RETRY: Duration = Duration::from_millis(50);

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(30);

/// A server that runs.
#[derive(Debug)]
pub(crate) struct Running {
    address: SocketAddr,
    stop: watch::Sender<Option<Duration>>,
    task: JoinHandle<bool>,
}

impl Running {
    /// Serves `routes` on a listener; with TLS if there is a configuration.
    pub(crate) fn start(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        routes: Arc<impl Routes>,
    ) -> io::Result<Self> {
        let address = listener.local_addr()?;
        let (stop, stopped) = watch::channel(None);
        let task = tokio::spawn(accept(
            listener,
            tls.map(TlsAcceptor::from),
            routes,
            stopped,
        ));
        Ok(Self {
            address,
            stop,
            task,
        })
    }

    /// Where it listens.
    pub(crate) fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting and waits at most `limit` of real time for requests under way; whether all ended in time.
    pub(crate) async fn shutdown(self, limit: Duration) -> bool {
        self.stop.send_replace(Some(limit));
        self.task.await.unwrap_or(false)
    }
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    routes: Arc<impl Routes>,
    mut stopped: watch::Receiver<Option<Duration>>,
) -> bool {
    let graceful = GracefulShutdown::new();
    let mut connections = tokio::task::JoinSet::new();
    let limit = loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::error!("http: Accept error: {error}; retrying");
                    // Out of descriptors, most likely: wait in real time until others have ended.
                    tokio::time::sleep(ACCEPT_RETRY).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
            stop = async { stopped.wait_for(Option::is_some).await.map(|limit| *limit) } => match stop {
                Ok(limit) => break limit.unwrap_or_default(),
                // Nobody can stop it any more: whoever started it let it go, and it goes too.
                Err(_) => return false,
            },
        };
        // Answers are small; a delay to gather them would only cost.
        let _ = stream.set_nodelay(true);
        let watcher = graceful.watcher();
        let (tls, routes) = (tls.clone(), routes.clone());
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let routes = routes.clone();
                async move { Ok::<_, Infallible>(routes.answer(request).await) }
            });
            let mut builder = auto::Builder::new(TokioExecutor::new());
            builder.http1().title_case_headers(true);
            let ended = match tls {
                None => {
                    let connection = builder.serve_connection(TokioIo::new(stream), service);
                    watcher.watch(connection.into_owned()).await
                }
                Some(tls) => {
                    let Some(stream) = handshake(tls, stream).await else {
                        return;
                    };
                    let connection = builder.serve_connection(TokioIo::new(stream), service);
                    watcher.watch(connection.into_owned()).await
                }
            };
            if let Err(error) = ended {
                tracing::debug!("connection ended: {error}");
            }
        });
    };
    drop(listener);
    let ended = tokio::time::timeout(limit, graceful.shutdown())
        .await
        .is_ok();
    connections.shutdown().await;
    ended
}

async fn handshake(
    tls: TlsAcceptor,
    mut stream: TcpStream,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let accepted = tokio::time::timeout(HANDSHAKE, async {
        if looks_like_http(&stream).await {
            // Nobody may be left to read it.
            let _ = stream.write_all(CLEAR_TEXT).await;
            let _ = stream.shutdown().await;
            return None;
        }
        let peer = stream.peer_addr();
        match tls.accept(stream).await {
            Ok(stream) => Some(stream),
            Err(error) => {
                tracing::info!("http: TLS handshake error from {peer:?}: {error}");
                None
            }
        }
    });
    accepted.await.ok().flatten()
}

/// Go's `tlsRecordHeaderLooksLikeHTTP`, on as much as has come: a TLS record begins with none of these letters.
async fn looks_like_http(stream: &TcpStream) -> bool {
    let mut first = [0; 5];
    let n = stream.peek(&mut first).await.unwrap_or(0);
    let methods: [&[u8]; 5] = [b"GET /", b"HEAD ", b"POST ", b"PUT /", b"OPTIO"];
    n > 0 && methods.iter().any(|method| method.starts_with(&first[..n]))
}
