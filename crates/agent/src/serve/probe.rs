//! `/readyz`, `/healthz` and `/metrics`.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use http::{HeaderValue, header};
use tokio::time::{Instant, timeout_at};
use url::Url;

use crate::{
    Twin,
    handler::PROBE_AGENT,
    http::{Cancel, Handler, Payload, Request, Response, Routes},
    log::{Fields, Level, Log},
    rate::Bucket,
    send::Sender,
    texts,
};

/// What the probe listener serves.
pub(super) const PROBE: Routes = Routes(&["/readyz", "/healthz"]);
/// What the metrics listener serves.
pub(super) const METRICS: Routes = Routes(&["/readyz", "/healthz", "/metrics"]);
/// All probes of one request together may take this long. Source: the agent.
const PATIENCE: Duration = Duration::from_secs(10);
/// Prometheus's text format as its Go client announces it.
const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=values";

/// Answers probes by asking every credentials listener for a page that does not exist.
pub(super) struct Probe {
    routes: Routes,
    hosts: Vec<String>,
    twin: Arc<Twin>,
    log: Log,
    sender: Sender,
    limiters: [Bucket; 2],
}

impl Probe {
    pub(super) fn new(routes: Routes, hosts: Vec<String>, twin: Arc<Twin>, log: Log) -> Self {
        let limiter = crate::handler::Credentials::limiter;
        Self {
            routes,
            hosts,
            twin,
            log,
            sender: Sender::from_environment(),
            limiters: [limiter(), limiter()],
        }
    }

    /// Nothing if every listener answers 404; otherwise the status to give.
    async fn ask(&self, fields: &Fields) -> Result<(), u16> {
        let deadline = Instant::now() + PATIENCE;
        for host in &self.hosts {
            let failed = |reason: &dyn std::fmt::Display, status| {
                self.log.write(
                    Level::Warning,
                    fields,
                    format_args!("Failed probe: {reason}"),
                );
                if status == 500 {
                    self.log.write(
                        Level::Error,
                        fields,
                        format_args!("InternalServerError: {reason}"),
                    );
                }
                Err(status)
            };
            let agent = [(header::USER_AGENT, HeaderValue::from_static(PROBE_AGENT))];
            let url = match Url::parse(&format!("http://{host}")) {
                Ok(url) => url,
                Err(e) => return failed(&e, 500),
            };
            match timeout_at(deadline, self.sender.get(&url, &agent, PATIENCE)).await {
                Err(_) => return failed(&"context deadline exceeded", 408),
                Ok(Err(e)) if e.timeout && Instant::now() >= deadline => {
                    return failed(&e.text, 408);
                }
                Ok(Err(e)) => return failed(&e.text, 500),
                Ok(Ok(reply)) if reply.status != 404 => {
                    let status = reply.status;
                    return failed(
                        &format!("unexpected status code recieved, expected 404, got {status}"),
                        500,
                    );
                }
                Ok(Ok(_)) => {}
            }
        }
        Ok(())
    }
}

impl Handler for Probe {
    fn routes(&self) -> &Routes {
        &self.routes
    }

    fn now(&self) -> i64 {
        self.log.clock.now().as_second()
    }

    async fn handle(
        &self,
        route: usize,
        _: &Request<'_>,
        peer: SocketAddr,
        _: &Cancel,
    ) -> Response {
        let Some(limiter) = self.limiters.get(route) else {
            return Response::of(
                CONTENT_TYPE,
                Payload::Owned(self.twin.metrics().into_bytes()),
            );
        };
        if !limiter.allow(self.log.clock.monotonic()) {
            return Response::error(429, texts::TOO_MANY);
        }
        match self.ask(&vec![("client-addr", peer.to_string())]).await {
            Ok(()) => Response::empty(200),
            Err(500) => {
                let mut failed = Response::of(
                    "text/plain; charset=utf-8",
                    Payload::Owned(texts::PROBE_FAILED.into()),
                );
                failed.status = 500;
                failed
            }
            Err(status) => Response::empty(status),
        }
    }
}
