//! The control API below `/_emu/`: the emulator's own, in JSON, unsigned, and only on listeners that allow it.

mod clock;
mod faults;
mod journal;
mod reset;
mod settings;
mod state;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{HeaderValue, Method, Request, Response, StatusCode, header, request::Parts};
use serde_json::{Value, json};

use crate::front::{Body, Front, Source, bytes};

/// What is done by a reset beyond the cloud itself.
pub type Reset = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// Answers requests of the control API that are not known here; `None` leaves them unknown.
pub type Extension =
    Arc<dyn Fn(Request<Bytes>) -> BoxFuture<'static, Option<Response<Bytes>>> + Send + Sync>;

/// The state of the control API.
#[derive(Default)]
pub(crate) struct Control {
    ready: AtomicBool,
    reset: OnceLock<Reset>,
    extension: OnceLock<Extension>,
}

impl std::fmt::Debug for Control {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Control")
            .field("ready", &self.ready)
            .finish_non_exhaustive()
    }
}

/// Whether a path belongs to the control API.
pub(crate) fn owns(path: &str) -> bool {
    path.starts_with("/_emu/") || path.starts_with("/_localstack/")
}

impl Control {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Relaxed);
    }

    pub(crate) fn on_reset(&self, reset: Reset) {
        // The first one stays: there is one owner of a gateway.
        let _ = self.reset.set(reset);
    }

    pub(crate) fn extend(&self, extension: Extension) {
        let _ = self.extension.set(extension);
    }

    /// Answers a request.
    pub(crate) async fn answer(
        &self,
        front: &Front,
        source: &Source,
        parts: Parts,
        body: Bytes,
    ) -> Response<Body> {
        if !source.control {
            return bytes(problem(
                StatusCode::FORBIDDEN,
                "the control API cannot be reached from here, only on the emulator's own address",
            ));
        }
        // A page in somebody's browser must not turn our knobs.
        if parts.headers.contains_key(header::ORIGIN) && parts.method != Method::GET {
            return bytes(problem(
                StatusCode::FORBIDDEN,
                "requests from web pages are not taken",
            ));
        }
        let path = parts.uri.path().trim_end_matches('/').to_owned();
        let words: Vec<&str> = path.split('/').skip(1).collect();
        let method = parts.method.as_str();
        let answer = match (method, words.as_slice()) {
            ("GET" | "HEAD", ["_emu" | "_localstack", "health"]) => Ok(state::health(front)),
            ("GET" | "HEAD", ["_emu", "ready"]) => Ok(state::ready(self.ready.load(Relaxed))),
            ("GET" | "HEAD", ["_emu", "version"] | ["_localstack", "info"]) => {
                Ok(state::version(front))
            }
            ("POST", ["_emu", "reset"] | ["_localstack", "state", "reset"]) => {
                reset::reset(front, self.reset.get()).await
            }
            ("GET", ["_emu", "journal"]) => return journal::answer(front, &parts).await,
            ("GET", ["_emu", "clock"]) => Ok(clock::show(front)),
            ("POST", ["_emu", "clock", "advance"]) => clock::advance(front, &body).await,
            ("POST", ["_emu", "clock", "step"]) => clock::step(front, &body).await,
            ("GET", ["_emu", "settings"]) => Ok(settings::show(front)),
            ("PATCH" | "POST", ["_emu", "settings"]) => settings::change(front, &body),
            ("GET", ["_emu", "faults"]) => Ok(faults::list(front)),
            ("POST", ["_emu", "faults"]) => faults::add(front, &body),
            ("DELETE", ["_emu", "faults"]) => Ok(faults::clear(front)),
            ("DELETE", ["_emu", "faults", id]) => faults::remove(front, id),
            _ => {
                let unknown = Err(Problem::new(
                    StatusCode::NOT_FOUND,
                    format!("the control API has no {method} {path}"),
                ));
                match self.extension.get() {
                    Some(extension) => match extension(Request::from_parts(parts, body)).await {
                        Some(response) => return bytes(response),
                        None => unknown,
                    },
                    None => unknown,
                }
            }
        };
        bytes(answer.unwrap_or_else(|Problem { status, message }| problem(status, &message)))
    }
}

/// Something is wrong with a request.
pub(crate) struct Problem {
    status: StatusCode,
    message: String,
}

impl Problem {
    fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            message: message.into(),
        }
    }

    fn bad(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, message)
    }
}

type Answer = Result<Response<Bytes>, Problem>;

fn answer(status: StatusCode, value: &Value) -> Response<Bytes> {
    let mut text = value.to_string();
    text.push('\n');
    let mut response = Response::new(Bytes::from(text));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}

fn ok(value: &Value) -> Response<Bytes> {
    answer(StatusCode::OK, value)
}

fn problem(status: StatusCode, message: &str) -> Response<Bytes> {
    answer(status, &json!({ "message": message }))
}

/// Reads a JSON body; an empty one counts as `{}`.
fn body<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|e| Problem::bad(format!("the body: {e}")))
}
