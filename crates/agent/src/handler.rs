//! `/v1/credentials`.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Instant,
};

use emu_core::{Event, Journal, journal::PodRef};

use crate::{
    cache::{Entry, Refused, Retriever},
    eks_auth::{Ask, FetchError},
    faults::PodFault,
    go::json::{self, Value},
    http::{Cancel, Handler, Payload, Request, Response, Routes},
    jwt::Parts,
    local_validation,
    log::{Fields, Level},
    metrics::Counter,
    profile::Profile,
    rate::Bucket,
    texts, validation,
};

const ROUTES: Routes = Routes(&["/v1/credentials"]);
const RATE: u64 = 1_000;
/// How the agent's own probe calls itself.
pub(crate) const PROBE_AGENT: &str = "emu-agent-probe";

/// Tells which pod calls from an address.
pub type PodOf = Arc<dyn Fn(SocketAddr) -> Option<PodRef> + Send + Sync>;

/// What all listeners of one address share.
pub(crate) struct Credentials {
    pub(crate) retriever: Arc<Retriever>,
    pub(crate) limiter: Bucket,
    pub(crate) journal: Option<Journal>,
    pub(crate) pod_of: Option<PodOf>,
    pub(crate) answered: Arc<AtomicU64>,
}

impl Credentials {
    pub(crate) fn limiter() -> Bucket {
        Bucket::new(RATE, RATE / 2)
    }
}

/// One listener of an address.
pub(crate) struct Face {
    pub(crate) shared: Arc<Credentials>,
    /// The pod, if the listener is in one.
    pub(crate) pod: Option<PodRef>,
}

/// What a request came to.
struct Answer {
    response: Response,
    cached: bool,
    access_key_id: Option<String>,
    upstream: Option<String>,
    pod: Option<PodRef>,
}

impl Answer {
    fn refused((status, text): (u16, String)) -> Self {
        Self {
            response: Response::error(status, &text),
            cached: false,
            access_key_id: None,
            upstream: None,
            pod: None,
        }
    }

    fn credentials(entry: &Entry, cached: bool) -> Self {
        Self {
            response: Response::of("application/json", Payload::Shared(Arc::clone(&entry.body))),
            cached,
            access_key_id: None,
            upstream: None,
            pod: None,
        }
    }
}

impl Handler for Face {
    fn routes(&self) -> &Routes {
        &ROUTES
    }

    fn now(&self) -> i64 {
        self.shared.retriever.auth.clock.now().as_second()
    }

    async fn handle(
        &self,
        _: usize,
        request: &Request<'_>,
        peer: SocketAddr,
        cancel: &Cancel,
    ) -> Response {
        let shared = &*self.shared;
        let clock = &shared.retriever.auth.clock;
        if !shared.limiter.allow(clock.monotonic()) {
            let answer = Answer {
                response: Response::error(429, texts::TOO_MANY),
                ..Answer::refused((429, String::new()))
            };
            self.record(request, peer, &answer, None);
            return answer.response;
        }
        let started = shared.journal.is_some().then(Instant::now);
        if let Some(faults) = &shared.retriever.auth.faults {
            match faults.pod(&shared.retriever.auth.node, self.pod.as_ref()) {
                None => {}
                Some(PodFault::Close) => return Response::aborted(),
                Some(PodFault::Delay(delay)) => tokio::time::sleep(delay).await,
                Some(PodFault::Answer { status, body }) => {
                    let answer = Answer::refused((status, body));
                    self.record(request, peer, &answer, started);
                    return answer.response;
                }
            }
        }
        let mut answer = self.answer(request, peer, cancel).await;
        if !answer.response.abort {
            match answer.response.status {
                200 if answer.response.content_type == Some("application/json") => {
                    shared.answered.fetch_add(1, Relaxed);
                }
                status => shared
                    .retriever
                    .metrics
                    .count(Counter::HttpResponse, format!("code=\"{status}\"")),
            }
        }
        if self.pod.is_some() {
            answer.pod = None;
        }
        self.record(request, peer, &answer, started);
        answer.response
    }

    fn unrouted(&self, request: &Request<'_>, response: &Response) {
        let answer = Answer {
            response: response.clone(),
            ..Answer::refused((response.status, String::new()))
        };
        self.record(request, SocketAddr::from(([0, 0, 0, 0], 0)), &answer, None);
    }
}

impl Face {
    async fn answer(&self, request: &Request<'_>, peer: SocketAddr, cancel: &Cancel) -> Answer {
        let shared = &*self.shared;
        let retriever = &shared.retriever;
        let log = &retriever.log;
        let mut fields = Fields::new();
        if log.enabled(Level::Error) {
            fields = vec![
                ("client-addr", peer.to_string()),
                ("cluster-name", retriever.auth.cluster.clone()),
            ];
        }
        if log.enabled(Level::Info) {
            log.write(
                Level::Info,
                &fields,
                format_args!("handling new request request from {peer}"),
            );
        }
        let refuse = |refusal: (u16, String)| {
            log.write(
                Level::Error,
                &fields,
                format_args!("Error fetching credentials: {}", refusal.1),
            );
            Answer::refused(refusal)
        };
        if let Err(refusal) = validation::host(&request.host) {
            return refuse(refusal);
        }
        let token = request.authorization.as_deref().unwrap_or_default();
        let now = retriever.auth.clock.now();
        if let Ok(text) = std::str::from_utf8(token)
            && let Some(entry) = retriever.cached(text, now)
        {
            return match entry.times.check(now) {
                Ok(()) => self.cached(&entry),
                Err(reason) => refuse((400, texts::failed_claims(reason))),
            };
        }
        let (parts, times) = match validation::token(token, now) {
            Ok(parsed) => parsed,
            Err(refusal) => return refuse(refusal),
        };
        let pod = if shared.journal.is_some() {
            self.pod_in(&parts)
        } else {
            None
        };
        // Go carries the bytes as they are; only a signature can be anything but ASCII by now.
        let lossy = String::from_utf8_lossy(token);
        let uid = (retriever.profile == Profile::V0_2).then(|| local_validation::pod_uid(token));
        let mut timer = retriever.auth.clock.timer();
        let mut ask = Ask {
            cancel,
            limit: None,
            timer: &mut timer,
            call: <_>::default(),
        };
        let outcome = retriever.get(&lossy, times, uid, &fields, &mut ask).await;
        let upstream = ask.call.request_id.take();
        drop(timer);
        let mut answer = match outcome {
            Ok(outcome) if outcome.cached => self.cached(&outcome.entry),
            Ok(outcome) => {
                self.with_key(Answer::credentials(&outcome.entry, false), &outcome.entry)
            }
            Err(Refused::Invalid(text)) => refuse((400, text)),
            Err(Refused::Fetch(error)) => self.failed(&error, &mut fields),
        };
        answer.upstream = upstream;
        answer.pod = pod;
        answer
    }

    fn cached(&self, entry: &Entry) -> Answer {
        self.with_key(Answer::credentials(entry, true), entry)
    }

    fn with_key(&self, mut answer: Answer, entry: &Entry) -> Answer {
        if self.shared.journal.is_some() {
            answer.access_key_id = Some(entry.access_key_id.clone());
        }
        answer
    }

    /// The status and the text of a failure, by what the SDK attached to it.
    fn failed(&self, error: &FetchError, fields: &mut Fields) -> Answer {
        let log = &self.shared.retriever.log;
        let (status, text) = match error {
            FetchError::Panic(reason) => {
                log.write(
                    Level::Panic,
                    fields,
                    format_args!("http: panic serving: {reason}"),
                );
                return Answer {
                    response: Response::aborted(),
                    ..Answer::refused((500, String::new()))
                };
            }
            FetchError::Plain(text) => (500, text.clone()),
            FetchError::Response {
                status,
                request_id,
                api,
                ..
            } => {
                fields.push(("operation", "AssumeRoleForPodIdentity".into()));
                fields.push(("request-id", request_id.clone()));
                fields.push(("service", "EKS Auth".into()));
                let mut text = format!("[{request_id}]");
                if let Some(api) = api {
                    text += &format!(": ({}): {}, fault: {}", api.code, api.message, api.fault);
                }
                (if *status == 0 { 500 } else { *status }, text)
            }
        };
        log.write(
            Level::Error,
            fields,
            format_args!("Error fetching credentials: {}", error.text()),
        );
        Answer::refused((status, text))
    }

    /// The pod a token was issued for.
    fn pod_in(&self, parts: &Parts) -> Option<PodRef> {
        let claims = json::parse(&parts.claims).ok()?;
        let kubernetes = claims.get("kubernetes.io")?;
        let text = |value: Option<&Value<'_>>| {
            value
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_string()
        };
        let pod = kubernetes.get("pod")?;
        Some(PodRef {
            cluster: self.shared.retriever.auth.cluster.clone(),
            namespace: text(kubernetes.get("namespace")),
            name: text(pod.get("name")),
            uid: text(pod.get("uid")),
        })
    }

    fn record(
        &self,
        request: &Request<'_>,
        peer: SocketAddr,
        answer: &Answer,
        started: Option<Instant>,
    ) {
        let Some(journal) = &self.shared.journal else {
            return;
        };
        // The agent's own probe asks every second; it is no pod's request.
        if request.uri == b"/" && request.user_agent.as_deref() == Some(PROBE_AGENT.as_bytes()) {
            return;
        }
        let by_network = || self.shared.pod_of.as_ref().and_then(|pod_of| pod_of(peer));
        let response = &answer.response;
        let is_error = response.abort || response.content_type != Some("application/json");
        journal.record(Event::AgentRequest {
            node: self.shared.retriever.auth.node.clone(),
            pod: self
                .pod
                .clone()
                .or_else(by_network)
                .or_else(|| answer.pod.clone()),
            request: format!(
                "{} {}",
                request.method,
                String::from_utf8_lossy(request.uri)
            ),
            host: request.host.to_string(),
            authorization: request.authorization.is_some(),
            user_agent: request
                .user_agent
                .as_deref()
                .map(|agent| String::from_utf8_lossy(agent).into_owned()),
            status: if response.abort { 0 } else { response.status },
            error: is_error.then(|| {
                String::from_utf8_lossy(response.body.bytes())
                    .trim_end()
                    .to_string()
            }),
            cached: answer.cached,
            access_key_id: answer.access_key_id.clone(),
            upstream_request_id: answer.upstream.clone(),
            millis: started.map_or(0, |started| started.elapsed().as_millis() as u64),
        });
    }
}
