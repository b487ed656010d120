//! One request from its first byte to the journal: route → authenticate → throttle → service → record, with faults
//! before and after.

use std::{net::IpAddr, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use emu_cloud::{Call, Cloud, Identity, ServiceError};
use emu_core::{Event, journal::PodRef};
use futures::FutureExt as _;
use http::{HeaderValue, Request, Response, StatusCode, header, request::Parts};
use http_body_util::{BodyExt as _, Either, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;

use crate::{
    authenticate::{Authenticated, authenticate},
    body::{self, TooLarge},
    control::Control,
    dispatch,
    fault::{self, Effect, Faults, Subject},
    host::{self, Host},
    oidc, operation,
    payload::{self, Payload},
    refusal::Refusal,
    routing::{Route, is_form, route},
    services::{ApiRecord, Service, s3},
    sigv4::Claim,
    texts,
    throttle::Throttles,
};

/// What goes out: nearly always bytes, for a followed journal a stream.
pub(crate) type Body = Either<Full<Bytes>, UnsyncBoxBody<Bytes, std::convert::Infallible>>;

/// The connection is to be closed without an answer.
#[derive(Debug, thiserror::Error)]
#[error("closed without an answer, as a fault demands")]
pub(crate) struct Abandoned;

/// Where a request came in.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    /// The pod on whose side the listener is.
    pub(crate) pod: Option<PodRef>,
    /// Whether the control API may be reached this way.
    pub(crate) control: bool,
    /// The peer.
    pub(crate) peer: Option<IpAddr>,
}

/// Everything behind the sockets.
#[derive(Debug)]
pub(crate) struct Front {
    pub(crate) cloud: Arc<Cloud>,
    pub(crate) faults: Faults,
    pub(crate) throttles: Throttles,
    pub(crate) control: Control,
}

/// The largest S3 object taken in one request. AWS takes 5 GiB; this much fits in a test machine's memory.
const LARGEST_OBJECT: usize = 1 << 30;

impl Front {
    /// Answers a request.
    pub(crate) async fn answer(
        &self,
        source: &Source,
        request: Request<Incoming>,
    ) -> Result<Response<Body>, Abandoned> {
        let (parts, incoming) = request.into_parts();
        let is_control = crate::control::owns(parts.uri.path());
        let limit = if !is_control && may_be_object(&parts) {
            LARGEST_OBJECT
        } else {
            self.cloud.settings().max_body_bytes
        };
        let body = match body::read(&parts, incoming, limit).await {
            Ok(body) => body,
            Err(TooLarge::Answer) => {
                // snapshot: empty, without a request id
                let mut response = Response::new(Either::Left(Full::default()));
                *response.status_mut() = StatusCode::PAYLOAD_TOO_LARGE;
                response
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
                return Ok(response);
            }
            Err(TooLarge::Gone) => return Err(Abandoned),
        };
        if is_control {
            return Ok(self.control.answer(self, source, parts, body).await);
        }
        let response = self.serve(source, parts, body).await?;
        Ok(response.map(|bytes| Either::Left(Full::new(bytes))))
    }

    async fn serve(
        &self,
        source: &Source,
        parts: Parts,
        body: Bytes,
    ) -> Result<Response<Bytes>, Abandoned> {
        let authority = host::of(&parts).to_owned();
        let host = Host::read(&authority);
        let claim = Claim::of(&parts);
        let service = match route(&parts, &claim, host, &body) {
            Route::Service(service) => service,
            Route::Oidc => return Ok(oidc::answer(&self.cloud, parts.uri.path())),
            Route::Unsupported(name) => return Ok(self.unsupported(&parts, &name)),
        };
        let request_id = service.request_id(self.cloud.ids());
        let user_agent = parts
            .headers
            .get(header::USER_AGENT)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);

        let mut after = Vec::new();
        if self.faults.any() {
            let path = s3::path_style(&parts, host.bucket);
            let action = operation::of(service, &parts, &body, &path);
            let subject = Subject {
                service,
                action: &action,
                pod: source.pod.as_ref(),
                user_agent: user_agent.as_deref(),
            };
            let effects = self.faults.strike(&self.cloud, &subject);
            if let Some(response) = self
                .before(service, effects, &mut after, &request_id)
                .await?
            {
                let call = self.call(
                    source,
                    &request_id,
                    Identity::anonymous(),
                    String::new(),
                    user_agent,
                );
                let named = format!("{service}:{action}");
                self.record(service, &call, &response, || named);
                return Ok(response);
            }
        }

        let name = {
            let parts = &parts;
            let body = body.clone();
            let path = parts.uri.clone();
            let method = parts.method.clone();
            move || {
                let mut bare = Request::new(()).into_parts().0;
                (bare.uri, bare.method) = (path, method);
                format!(
                    "{service}:{}",
                    operation::of(service, &bare, &body, bare.uri.path())
                )
            }
        };
        let outcome = self.admit(service, &parts, claim, host, &body, &request_id);
        let (call, response) = match outcome {
            Ok((identity, region, payload)) => {
                let call = self.call(source, &request_id, identity, region, user_agent);
                let request = if service == Service::S3 {
                    s3::prepare(parts, host.bucket, payload)
                } else {
                    Request::from_parts(parts, body)
                };
                let response = self.handle(service, call.clone(), request).await;
                (call, response)
            }
            Err(response) => {
                let call = self.call(
                    source,
                    &request_id,
                    Identity::anonymous(),
                    String::new(),
                    user_agent,
                );
                (call, *response)
            }
        };
        self.record(service, &call, &response, name);
        struck_after(after, response)
    }

    /// Everything before the service itself: who, and are there not too many.
    fn admit(
        &self,
        service: Service,
        parts: &Parts,
        claim: Result<Option<Claim<'_>>, crate::sigv4::Malformed>,
        host: Host<'_>,
        body: &Bytes,
        request_id: &str,
    ) -> Result<(Identity, String, Payload), Box<Response<Bytes>>> {
        let home = || self.cloud.settings().region.clone();
        let refused = |refusal: Refusal| {
            Box::new(service.error(&texts::refusal(service, &refusal), request_id))
        };
        if matches!(service, Service::Sts | Service::Iam)
            && let Some(response) = dispatch::refuse(service, parts, body, request_id)
        {
            return Err(Box::new(response));
        }
        if matches!(claim, Ok(None)) {
            if service == Service::Sts && is_unsigned_call(parts, body) {
                return Ok((Identity::anonymous(), home(), Payload::default()));
            }
            if service == Service::S3 {
                let payload = payload::anonymous(body, parts).map_err(refused)?;
                return Ok((Identity::anonymous(), home(), payload));
            }
        }
        let Authenticated {
            identity,
            region,
            payload,
        } = authenticate(&self.cloud, service, parts, claim, host, body).map_err(refused)?;
        let settings = self.cloud.settings();
        let now = self.cloud.clock().monotonic();
        if !self
            .throttles
            .admit(&settings, service, &identity.caller.account, now)
        {
            return Err(Box::new(
                service.error(&texts::throttled(service), request_id),
            ));
        }
        Ok((identity, region, payload))
    }

    fn call(
        &self,
        source: &Source,
        request_id: &str,
        identity: Identity,
        region: String,
        user_agent: Option<String>,
    ) -> Call {
        Call {
            request_id: request_id.to_owned(),
            account: identity.caller.account.clone(),
            identity,
            region,
            source_ip: source.peer,
            user_agent,
            pod: source.pod.clone(),
        }
    }

    /// The service's answer; a panic in it is an internal failure of that one request.
    async fn handle(
        &self,
        service: Service,
        call: Call,
        request: Request<Bytes>,
    ) -> Response<Bytes> {
        let request_id = call.request_id.clone();
        let region = call.region.clone();
        let mut response = AssertUnwindSafe(service.handle(&self.cloud, call, request))
            .catch_unwind()
            .await
            .unwrap_or_else(|_| {
                tracing::error!(%service, request_id, "the service's handler panicked");
                service.error(&texts::internal(service), &request_id)
            });
        if service == Service::Sts {
            let millis = self.cloud.now().as_millisecond();
            let extended = STANDARD.encode(format!(
                "1:{region}:S:{millis}:R:{}",
                &request_id[..8.min(request_id.len())]
            ));
            if let Ok(value) = HeaderValue::try_from(extended) {
                response
                    .headers_mut()
                    .insert("x-amz-sts-extended-request-id", value);
            }
        }
        response
    }

    fn record(
        &self,
        service: Service,
        call: &Call,
        response: &Response<Bytes>,
        name: impl FnOnce() -> String,
    ) {
        let record = response.extensions().get::<ApiRecord>();
        let (action, resource) = match record {
            Some(record) if !record.action.is_empty() => {
                (record.action.clone(), record.resource.clone())
            }
            _ => (name(), "*".into()),
        };
        self.cloud.journal().record(Event::ApiCall {
            request_id: call.request_id.clone(),
            service: service.signing_name().into(),
            action,
            resource,
            caller: call.identity.caller.clone(),
            pod: call.pod.clone(),
            user_agent: call.user_agent.clone(),
            status: response.status().as_u16(),
            error: record.and_then(|r| r.error.clone()),
            verdict: record.and_then(|r| r.verdict.clone()),
        });
    }

    /// Lets faults strike before the call; those that strike after it are put into `after`.
    async fn before(
        &self,
        service: Service,
        effects: Vec<Effect>,
        after: &mut Vec<Effect>,
        request_id: &str,
    ) -> Result<Option<Response<Bytes>>, Abandoned> {
        for effect in effects {
            match effect {
                Effect::Latency { delay, jitter } => {
                    let more = self.cloud.ids().below(jitter.get().as_micros() as u64 + 1);
                    let delay = delay.get() + Duration::from_micros(more);
                    self.cloud.clock().timer().sleep(delay).await;
                }
                Effect::Error {
                    code,
                    status,
                    message,
                } => {
                    let error = fault::error(&code, status, &message);
                    return Ok(Some(service.error(&error, request_id)));
                }
                Effect::Answer {
                    status,
                    content_type,
                    body,
                } => {
                    let mut response = Response::new(Bytes::from(body));
                    *response.status_mut() =
                        StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
                    if let Some(Ok(kind)) = content_type.map(HeaderValue::try_from) {
                        response.headers_mut().insert(header::CONTENT_TYPE, kind);
                    }
                    return Ok(Some(response));
                }
                Effect::Close => return Err(Abandoned),
                Effect::Blackhole => std::future::pending::<()>().await,
                Effect::ResponseLost | Effect::Truncate { .. } => after.push(effect),
            }
        }
        Ok(None)
    }

    /// A service we do not have: said in the protocol the request speaks.
    fn unsupported(&self, parts: &Parts, name: &str) -> Response<Bytes> {
        let error: ServiceError = texts::unsupported(name);
        let request_id = Service::Sts.request_id(self.cloud.ids());
        if is_form(parts) {
            return crate::services::query::fault(&error, &request_id);
        }
        let error = error.with("__type", "UnsupportedOperation");
        crate::services::rest_json::error(&error, &request_id)
    }
}

/// Lets faults strike that leave the call itself alone.
fn struck_after(
    effects: Vec<Effect>,
    mut response: Response<Bytes>,
) -> Result<Response<Bytes>, Abandoned> {
    for effect in effects {
        match effect {
            Effect::ResponseLost => return Err(Abandoned),
            Effect::Truncate { bytes } => {
                let body = response.body_mut();
                *body = body.slice(..bytes.min(body.len()));
            }
            _ => {}
        }
    }
    Ok(response)
}

/// Whether an S3 object may be in the body; everything else has small bodies.
fn may_be_object(parts: &Parts) -> bool {
    match Claim::of(parts) {
        Ok(Some(claim)) => claim.scope.service == "s3",
        _ => parts.method == http::Method::PUT,
    }
}

fn is_unsigned_call(parts: &Parts, body: &[u8]) -> bool {
    let form = if parts.method == http::Method::POST {
        body
    } else {
        parts.uri.query().unwrap_or_default().as_bytes()
    };
    crate::services::query::Params::parse(form)
        .get("Action")
        .is_some_and(dispatch::is_unsigned)
}

/// A body of bytes.
pub(crate) fn bytes(response: Response<Bytes>) -> Response<Body> {
    response.map(|bytes| Either::Left(Full::new(bytes)))
}

/// A body that comes piece by piece.
pub(crate) fn stream(pieces: impl futures::Stream<Item = Bytes> + Send + 'static) -> Body {
    use futures::StreamExt as _;
    let frames = pieces.map(|piece| Ok(hyper::body::Frame::data(piece)));
    Either::Right(http_body_util::StreamBody::new(frames).boxed_unsync())
}
