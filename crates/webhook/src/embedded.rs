//! The webhook as a part of the emulator, for a cluster whose API server calls it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use emu_core::{Event, Journal, journal::PodRef};
use rustls::ServerConfig;
use tokio::net::TcpListener;

use crate::{
    Decided, Mutator,
    server::{Metrics, Running, WebhookRoutes},
};

/// How long requests under way may take when the server stops.
const SHUTDOWN: Duration = Duration::from_secs(10);

/// The webhook's HTTPS server with every decision written to the journal.
#[derive(Debug)]
pub struct Server(Running);

impl Server {
    /// Answers `POST /mutate` and `/healthz` on `listener`. Decides with `mutator` (build it with
    /// [`FeedIdentities`](crate::FeedIdentities)) and records each decision that is no dry run as
    /// [`Event::PodAdmitted`] of `cluster`. The caller's TLS configuration names the certificate the API server trusts.
    pub fn start(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        mutator: Mutator,
        journal: Journal,
        cluster: impl Into<String>,
    ) -> io::Result<Self> {
        Self::start_with_endpoint(listener, tls, mutator, journal, cluster, None)
    }

    /// The same; with a URL, `POST` [`ENDPOINT_PATH`](crate::ENDPOINT_PATH) also answers reviews of pods, giving each
    /// container `AWS_ENDPOINT_URL` unless it sets it itself. That is ours: Amazon's webhook has no such thing.
    pub fn start_with_endpoint(
        listener: TcpListener,
        tls: Arc<ServerConfig>,
        mutator: Mutator,
        journal: Journal,
        cluster: impl Into<String>,
        endpoint: Option<String>,
    ) -> io::Result<Self> {
        let cluster = cluster.into();
        let routes = WebhookRoutes {
            mutator,
            metrics: Arc::new(Metrics::default()),
            observer: Some(Arc::new(move |decided| {
                if !decided.dry_run {
                    journal.record(admitted(&cluster, decided));
                }
            })),
            debug: false,
            endpoint,
        };
        Running::start(listener, Some(tls), Arc::new(routes)).map(Self)
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.0.local_addr()
    }

    /// Stops it; whether all requests under way ended in time.
    pub async fn shutdown(self) -> bool {
        self.0.shutdown(SHUTDOWN).await
    }
}

/// The event of a decision. The pod has no uid yet, and seldom a node.
fn admitted(cluster: &str, decided: &Decided) -> Event {
    Event::PodAdmitted {
        pod: PodRef {
            cluster: cluster.to_owned(),
            namespace: decided.namespace.clone(),
            name: decided.pod.clone(),
            uid: String::new(),
        },
        service_account: decided.service_account.clone(),
        node: decided.node.clone(),
        mutated: decided.mutated,
        reason: decided.reason,
        detail: decided.detail.clone(),
    }
}
