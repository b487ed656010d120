//! The operation `AssumeRoleForPodIdentity`, with its attempts.

use std::time::Duration;

use emu_core::{Clock, Timer};
use http::{HeaderName, HeaderValue, header};
use uuid::Uuid;

use super::{
    Endpoint, FetchError, Fetched, endpoint, reply,
    retry::{self, RetryTokens},
    sign,
};
use crate::{
    credentials::NodeCredentials,
    faults::{AgentFaults, UpstreamFault},
    http::Cancel,
    send::{Reply, SendError, Sender},
    texts,
};
use std::sync::Arc;

/// An attempt may take this much. Source: the agent.
const ATTEMPT: Duration = Duration::from_secs(1);

/// What the SDK reads from its environment beside the endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SdkSettings {
    /// The region, empty if none is set.
    pub region: String,
    /// `AWS_MAX_ATTEMPTS`; 0 means without end.
    pub max_attempts: u32,
    /// What an attempt may take, in real time, from the first byte of the connection to the last of the body. The
    /// agent's value is one second; a test on a busy machine may want more.
    pub attempt_limit: Duration,
}

impl SdkSettings {
    /// A region and three attempts.
    pub fn new(region: impl Into<String>) -> Self {
        Self {
            region: region.into(),
            max_attempts: 3,
            attempt_limit: ATTEMPT,
        }
    }
}

/// A client of EKS Auth; one for each address pods call.
pub(crate) struct EksAuth {
    pub(crate) sender: Sender,
    pub(crate) endpoint: Endpoint,
    pub(crate) sdk: SdkSettings,
    pub(crate) credentials: Arc<dyn NodeCredentials>,
    pub(crate) clock: Clock,
    pub(crate) cluster: String,
    pub(crate) faults: Option<Arc<dyn AgentFaults>>,
    pub(crate) node: String,
    tokens: RetryTokens,
}

/// What a call left behind, whatever its outcome.
#[derive(Debug, Default)]
pub(crate) struct Call {
    /// The id of the last request that was answered.
    pub(crate) request_id: Option<String>,
}

/// How a token is exchanged.
pub(crate) struct Ask<'a> {
    /// Fires when whoever asked is gone.
    pub(crate) cancel: &'a Cancel,
    /// A renewal's own deadline, in virtual time.
    pub(crate) limit: Option<Duration>,
    /// Sleeps between attempts.
    pub(crate) timer: &'a mut Timer,
    /// What the call leaves behind.
    pub(crate) call: Call,
}

/// How an attempt failed.
struct Failure {
    error: FetchError,
    /// What a retry costs; nothing if there must be none.
    cost: Option<u32>,
}

impl EksAuth {
    pub(crate) fn new(
        endpoint: Endpoint,
        sdk: SdkSettings,
        credentials: Arc<dyn NodeCredentials>,
        clock: Clock,
        cluster: String,
        node: String,
        faults: Option<Arc<dyn AgentFaults>>,
    ) -> Self {
        Self {
            sender: Sender::from_environment(),
            endpoint,
            sdk,
            credentials,
            clock,
            cluster,
            faults,
            node,
            tokens: RetryTokens::default(),
        }
    }

    /// Exchanges a token.
    pub(crate) async fn assume(
        &self,
        token: &str,
        ask: &mut Ask<'_>,
    ) -> Result<Fetched, FetchError> {
        let (cancel, limit) = (ask.cancel, ask.limit);
        let operation = |error: FetchError| error.context(texts::OPERATION);
        if self.cluster.is_empty() {
            return Err(operation(FetchError::Plain(texts::NO_CLUSTER_NAME.into())));
        }
        let deadline = limit.map(|limit| self.clock.monotonic() + limit);
        // The SDK takes the keys once an operation.
        let keys = self
            .credentials
            .keys()
            .await
            .map_err(|e| operation(FetchError::Plain(texts::no_keys(&e))))?;
        let base = self
            .endpoint
            .resolve(&self.sdk.region)
            .map_err(|e| operation(FetchError::Plain(e)))?;
        let url = self
            .url(&base)
            .map_err(|e| operation(FetchError::Plain(e)))?;
        let invocation = Uuid::new_v4().to_string();
        let mut spent = None;
        let mut attempt = 1;
        loop {
            let result = {
                let _busy = self.clock.busy();
                self.attempt(
                    &url,
                    token,
                    &keys,
                    &invocation,
                    attempt,
                    cancel,
                    &mut ask.call,
                )
                .await
            };
            let failure = match result {
                Ok(fetched) => {
                    self.tokens.refund(spent.unwrap_or(0) + 1);
                    return Ok(fetched);
                }
                Err(failure) => failure,
            };
            let Some(cost) = failure.cost else {
                return Err(operation(failure.error));
            };
            if self.sdk.max_attempts > 0 && attempt >= self.sdk.max_attempts {
                return Err(operation(
                    failure.error.context(&texts::max_attempts(attempt)),
                ));
            }
            if self.tokens.take(cost).is_err() {
                return Err(operation(failure.error));
            }
            spent = Some(cost);
            let pause = retry::backoff(attempt);
            let canceled = tokio::select! {
                () = ask.timer.sleep(pause) => false,
                () = cancel.canceled() => true,
            };
            let late = deadline.is_some_and(|deadline| self.clock.monotonic() >= deadline);
            if canceled || late {
                let reason = if late {
                    "context deadline exceeded"
                } else {
                    "context canceled"
                };
                return Err(operation(FetchError::Plain(format!(
                    "request canceled, {reason}"
                ))));
            }
            attempt += 1;
        }
    }

    fn url(&self, base: &str) -> Result<endpoint::Target, String> {
        let target = endpoint::parse(base).map_err(|reason| match self.endpoint {
            Endpoint::Flag(_) => {
                format!("failed to parse endpoint URL: parse \"{base}\": {reason}")
            }
            _ => format!("failed to resolve service endpoint, Failed to parse uri: {base}"),
        })?;
        Ok(target.map(|mut url| {
            let path = format!(
                "/clusters/{}/assume-role-for-pod-identity",
                endpoint::escape_label(&self.cluster)
            );
            let joined = endpoint::join_path(url.path(), &path);
            url.set_path(&joined);
            url
        }))
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "an attempt is all of these, and nothing else calls it"
    )]
    async fn attempt(
        &self,
        target: &endpoint::Target,
        token: &str,
        keys: &crate::credentials::NodeKeys,
        invocation: &str,
        attempt: u32,
        cancel: &Cancel,
        call: &mut Call,
    ) -> Result<Fetched, Box<Failure>> {
        let url = target
            .as_ref()
            .map_err(|reason| unsent(reason, retry::COST))?;
        if let Some(fault) = self
            .faults
            .as_ref()
            .and_then(|faults| faults.upstream(&self.node))
        {
            match fault {
                UpstreamFault::Refuse => return Err(unsent("connection refused", retry::COST)),
                UpstreamFault::Delay(delay) if delay >= self.sdk.attempt_limit => {
                    tokio::time::sleep(self.sdk.attempt_limit).await;
                    return Err(unsent(texts::TIMEOUT, retry::TIMEOUT_COST));
                }
                UpstreamFault::Delay(delay) => tokio::time::sleep(delay).await,
            }
        }
        // The SDK writes what was no UTF-8 as an escape.
        let body = serde_json::json!({ "token": token })
            .to_string()
            .replace('\u{fffd}', "\\ufffd")
            .into_bytes();
        let max = match self.sdk.max_attempts {
            0 => String::new(),
            max => format!("; max={max}"),
        };
        let value =
            |text: &str| HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""));
        let mut headers = vec![
            (
                header::USER_AGENT,
                HeaderValue::from_static(texts::USER_AGENT),
            ),
            (header::CONTENT_LENGTH, HeaderValue::from(body.len())),
            (
                HeaderName::from_static("amz-sdk-invocation-id"),
                value(invocation),
            ),
            (
                HeaderName::from_static("amz-sdk-request"),
                value(&format!("attempt={attempt}{max}")),
            ),
            (
                header::CONTENT_TYPE,
                HeaderValue::from_static("application/json"),
            ),
        ];
        let signed = sign::headers(
            keys,
            &self.sdk.region,
            self.clock.now(),
            url.as_str(),
            &headers,
            &body,
        )
        .map_err(|e| Failure {
            error: FetchError::Plain(format!("failed to sign request: {e}")),
            cost: None,
        })
        .map_err(Box::new)?;
        headers.extend(signed);
        headers.push((header::ACCEPT_ENCODING, HeaderValue::from_static("gzip")));

        let sent = tokio::select! {
            sent = self.sender.post(url, &headers, body.into(), self.sdk.attempt_limit) => sent,
            () = cancel.canceled() => {
                let error = response_error(0, "", None, "canceled, context canceled");
                return Err(Box::new(Failure { error, cost: None }));
            }
        };
        match sent {
            Ok(reply) => read(&reply, call),
            Err(SendError {
                text, retry: false, ..
            }) => {
                let failure = unsent(&text, retry::COST);
                Err(Box::new(Failure {
                    cost: None,
                    ..*failure
                }))
            }
            Err(SendError { text, timeout, .. }) => Err(unsent(
                &text,
                if timeout {
                    retry::TIMEOUT_COST
                } else {
                    retry::COST
                },
            )),
        }
    }
}

fn unsent(text: &str, cost: u32) -> Box<Failure> {
    Box::new(Failure {
        error: response_error(0, "", None, &format!("request send failed, {text}")),
        cost: Some(cost),
    })
}

fn response_error(
    status: u16,
    request_id: &str,
    api: Option<reply::ApiError>,
    text: &str,
) -> FetchError {
    FetchError::Response {
        status,
        request_id: request_id.into(),
        api,
        text: format!("https response error StatusCode: {status}, RequestID: {request_id}, {text}"),
    }
}

/// What the SDK makes of a reply.
fn read(reply: &Reply, call: &mut Call) -> Result<Fetched, Box<Failure>> {
    let get = |name| {
        reply
            .headers
            .get(name)
            .and_then(|value: &HeaderValue| value.to_str().ok())
    };
    let request_id = ["x-amzn-requestid", "x-amz-requestid"]
        .into_iter()
        .filter_map(get)
        .find(|id| !id.is_empty());
    call.request_id = request_id.map(Into::into);
    let request_id = request_id.unwrap_or_default();
    let failed = |api: Option<reply::ApiError>, text: &str, cost| {
        let error = response_error(reply.status, request_id, api, text);
        Box::new(Failure { error, cost })
    };
    let by_status = retry::is_retryable_status(reply.status).then_some(retry::COST);
    if let Some(cut) = &reply.cut_off {
        // The body did not arrive: a timeout and a reset are worth another attempt, a mere end is not.
        let cost = match (cut.timeout, cut.retry) {
            (true, _) => Some(retry::TIMEOUT_COST),
            (_, true) => Some(retry::COST),
            _ => by_status,
        };
        let complete = (200..300).contains(&reply.status)
            && reply::success(&reply.body).is_ok()
            && !reply.body.is_empty();
        if !complete {
            return Err(failed(
                None,
                &format!(
                    "deserialization failed, failed to decode response body, {}",
                    cut.text
                ),
                cost,
            ));
        }
    }
    if (200..300).contains(&reply.status) {
        return reply::success(&reply.body).map_err(|text| failed(None, &text, None));
    }
    match reply::error(get("x-amzn-errortype"), &reply.body) {
        Ok(api) => {
            let cost =
                by_status.or_else(|| retry::is_retryable_code(&api.code).then_some(retry::COST));
            let text = api.text();
            Err(failed(Some(api), &text, cost))
        }
        Err(text) => Err(failed(None, &text, by_status)),
    }
}
