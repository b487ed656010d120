//! Watching what a real agent is asked and what it answers, as it passes by.

use std::{collections::VecDeque, io, net::SocketAddr, sync::Arc, time::Instant};

use async_trait::async_trait;
use emu_core::{Event, Journal, journal::PodRef};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::{
    dial::Dialer,
    http1::{self, Kind, Message},
    relay::{Target, Wire},
};

/// An agent in a space, whose answers are written into the journal.
pub(super) struct Watched {
    pub(super) dialer: Arc<Dialer>,
    pub(super) address: SocketAddr,
    pub(super) node: String,
    pub(super) pod: PodRef,
    pub(super) journal: Journal,
}

struct Exchange {
    request: Message,
    since: Instant,
}

#[async_trait]
impl Target for Watched {
    async fn serve(&self, wire: Box<dyn Wire>) -> io::Result<()> {
        let agent = self.dialer.connect(self.address).await?;
        let _ = agent.set_nodelay(true);
        let (mut from_pod, mut to_pod) = tokio::io::split(wire);
        let (mut from_agent, mut to_agent) = agent.into_split();
        let (mut asked, mut answered) = (Vec::new(), Vec::new());
        let mut waiting = VecDeque::new();
        let (mut up, mut down) = ([0; 4096], [0; 4096]);
        let mut pod_is_done = false;
        loop {
            tokio::select! {
                read = from_pod.read(&mut up), if !pod_is_done => match read? {
                    0 => {
                        pod_is_done = true;
                        to_agent.shutdown().await?;
                    }
                    n => {
                        // Looked at before it is passed on: the answer cannot come first.
                        asked.extend_from_slice(&up[..n]);
                        while let Ok(Some(request)) = http1::take(&mut asked, Kind::Request, false) {
                            waiting.push_back(Exchange { request, since: Instant::now() });
                        }
                        to_agent.write_all(&up[..n]).await?;
                    }
                },
                read = from_agent.read(&mut down) => {
                    let n = read?;
                    answered.extend_from_slice(&down[..n]);
                    self.record(&mut answered, &mut waiting, n == 0);
                    if n == 0 {
                        return to_pod.shutdown().await;
                    }
                    to_pod.write_all(&down[..n]).await?;
                }
            }
        }
    }
}

impl Watched {
    fn record(&self, answered: &mut Vec<u8>, waiting: &mut VecDeque<Exchange>, ended: bool) {
        while let Some(next) = waiting.front() {
            let kind = Kind::Response {
                to_head: next.request.request().0 == "HEAD",
            };
            let Ok(Some(response)) = http1::take(answered, kind, ended) else {
                return;
            };
            if let Some(exchange) = waiting.pop_front() {
                self.journal.record(self.event(&exchange, &response));
            }
        }
    }

    fn event(&self, exchange: &Exchange, response: &Message) -> Event {
        let request = &exchange.request;
        let (method, path) = request.request();
        let status = response.status().unwrap_or_default();
        let is_json = response
            .header("content-type")
            .is_some_and(|t| t.starts_with("application/json"));
        let keys: Option<serde_json::Value> = match status {
            200 if is_json => serde_json::from_slice(&response.body).ok(),
            _ => None,
        };
        Event::AgentRequest {
            node: self.node.clone(),
            pod: Some(self.pod.clone()),
            request: format!("{method} {path}"),
            host: request.header("host").unwrap_or_default().to_owned(),
            authorization: request.header("authorization").is_some(),
            user_agent: request.header("user-agent").map(str::to_owned),
            status,
            error: (!is_json).then(|| {
                String::from_utf8_lossy(&response.body)
                    .trim_end()
                    .to_owned()
            }),
            // The real agent does not say.
            cached: false,
            access_key_id: keys.and_then(|k| k.get("AccessKeyId")?.as_str().map(str::to_owned)),
            upstream_request_id: None,
            millis: exchange.since.elapsed().as_millis() as u64,
        }
    }
}
