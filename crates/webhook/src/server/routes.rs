//! Which path answers what.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;

use super::{
    Metrics,
    form::{FormType, MAX_FORM, form_type, is_escaped, is_query},
};
use crate::{Decided, ENDPOINT_PATH, Mutator, endpoint};

/// The largest body read. The original has no limit; what is larger counts as a body that could not be read.
const MAX_BODY: usize = 256 << 20;

/// An answer.
pub(super) type Answer = Response<Full<Bytes>>;

/// What is told of every decision.
pub(crate) type Observer = Arc<dyn Fn(&Decided) + Send + Sync>;

/// The routes of a port.
pub(crate) trait Routes: Send + Sync + 'static {
    /// Answers a request.
    fn answer(self: Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Answer> + Send;
}

/// The main port: `/mutate`, `/healthz` and the debugging handlers.
pub(crate) struct WebhookRoutes {
    pub(crate) mutator: Mutator,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) observer: Option<Observer>,
    pub(crate) debug: bool,
    /// What every container learns on a path of ours; without it there is no such path.
    pub(crate) endpoint: Option<String>,
}

/// The metrics port: `/metrics` and the debugging handlers.
pub(crate) struct MetricsRoutes {
    pub(crate) mutator: Mutator,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) debug: bool,
}

impl Routes for WebhookRoutes {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        match route(&request) {
            Err(answer) => *answer,
            Ok(path) => match path.as_str() {
                "/healthz" => text(StatusCode::OK, "ok"),
                "/mutate" => self.instrumented(request, &path).await,
                "/debug/alpha/deny" | "/debug/alpha/500" if self.debug => {
                    self.instrumented(request, &path).await
                }
                ENDPOINT_PATH if self.endpoint.is_some() => self.add_endpoint(request).await,
                _ => not_found(),
            },
        }
    }
}

impl WebhookRoutes {
    async fn add_endpoint(&self, request: Request<Incoming>) -> Answer {
        let body = read(request.into_body(), MAX_BODY)
            .await
            .unwrap_or_default();
        let url = self.endpoint.as_deref().unwrap_or_default();
        let mut answer = text(StatusCode::OK, endpoint::review(&body, url).to_string());
        answer.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/json"),
        );
        answer
    }

    /// Reads the form, as the original's logging does before anything else, then answers and counts.
    async fn instrumented(&self, request: Request<Incoming>, path: &str) -> Answer {
        let method = request.method().clone();
        let content_type = content_type(&request);
        let Some(body) = parse_form(request, &content_type).await else {
            return error(
                StatusCode::BAD_REQUEST,
                "{\"error\": \"error parsing form\"}",
            );
        };
        // How long answering took is told in real time, as the original tells it.
        let start = Instant::now();
        let answer = match path {
            "/debug/alpha/deny" => text(
                StatusCode::OK,
                "{\"response\":{\"uid\":\"\",\"allowed\":false,\"status\":{\"metadata\":{},\"message\":\"Test deny message\"}}}",
            ),
            "/debug/alpha/500" => error(StatusCode::INTERNAL_SERVER_ERROR, "test error"),
            _ => self.mutate(body, &content_type).await,
        };
        self.metrics.request(
            method.as_str(),
            path,
            answer.status().as_u16(),
            start.elapsed(),
        );
        answer
    }

    async fn mutate(&self, body: FormBody, content_type: &str) -> Answer {
        let body = match body {
            FormBody::Unread(body) => read(body, MAX_BODY).await.unwrap_or_default(),
            FormBody::Consumed => Bytes::new(),
        };
        if content_type != "application/json" {
            tracing::error!("Content-Type={content_type}, expected application/json");
            return error(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "Invalid Content-Type, expected `application/json`",
            );
        }
        let reviewed = self.mutator.review(&body).await;
        if let Some(decided) = &reviewed.decided {
            self.metrics.decided(decided);
            if let Some(observer) = &self.observer {
                observer(decided);
            }
        }
        text(StatusCode::OK, reviewed.body)
    }
}

impl Routes for MetricsRoutes {
    async fn answer(self: Arc<Self>, request: Request<Incoming>) -> Answer {
        let path = match route(&request) {
            Err(answer) => return *answer,
            Ok(path) => path,
        };
        match path.as_str() {
            "/metrics" => {
                let mut answer = text(
                    StatusCode::OK,
                    self.metrics.text(self.mutator.accounts().seen_any()),
                );
                answer.headers_mut().insert(
                    header::CONTENT_TYPE,
                    HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8"),
                );
                answer
            }
            "/debug/alpha/cache" if self.debug => {
                text(StatusCode::OK, self.mutator.accounts().dump())
            }
            "/debug/alpha/cache/clear" if self.debug => {
                self.mutator.accounts().clear();
                Response::new(Full::default())
            }
            _ => not_found(),
        }
    }
}

/// The path a request is for, or what Go's `ServeMux` answers before it looks: a path that is not clean is redirected.
fn route(request: &Request<Incoming>) -> Result<String, Box<Answer>> {
    let path = request.uri().path();
    if !is_escaped(path) {
        return Err(error(StatusCode::BAD_REQUEST, "400 Bad Request").into());
    }
    let clean = clean(path);
    if clean != path && request.method() != Method::CONNECT {
        return Err(redirect(request, &clean).into());
    }
    Ok(unescaped(&clean))
}

/// Go's `cleanPath`: a rooted path without dots and doubled slashes, its last slash kept.
fn clean(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    let slash = if path.ends_with('/') && !parts.is_empty() {
        "/"
    } else {
        ""
    };
    format!("/{}{slash}", parts.join("/"))
}

fn unescaped(path: &str) -> String {
    percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned()
}

fn redirect(request: &Request<Incoming>, path: &str) -> Answer {
    // The path is taken for unescaped here, as in the original: its percent signs are escaped once more.
    let mut target = path.replace('%', "%25");
    if let Some(query) = request.uri().query() {
        target = format!("{target}?{query}");
    }
    let with_body = request.method() == Method::GET;
    let body = if with_body {
        let shown = target
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&#34;")
            .replace('\'', "&#39;");
        format!("<a href=\"{shown}\">Temporary Redirect</a>.\n\n")
    } else {
        String::new()
    };
    let mut answer = Response::new(Full::from(body));
    *answer.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    if let Ok(location) = HeaderValue::try_from(target) {
        answer.headers_mut().insert(header::LOCATION, location);
    }
    if with_body || request.method() == Method::HEAD {
        answer.headers_mut().insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        );
    }
    answer
}

/// The first content type of a request, empty if it has none.
fn content_type(request: &Request<Incoming>) -> String {
    request
        .headers()
        .get(header::CONTENT_TYPE)
        .map(|value| String::from_utf8_lossy(value.as_bytes()).trim().to_owned())
        .unwrap_or_default()
}

/// A body after the form was looked for.
enum FormBody {
    Unread(Incoming),
    /// It was a form.
    Consumed,
}

/// Reads the form; `None` if there is one that is none.
async fn parse_form(request: Request<Incoming>, content_type: &str) -> Option<FormBody> {
    let carries = [Method::POST, Method::PUT, Method::PATCH].contains(request.method());
    let query_is_good = is_query(request.uri().query().unwrap_or(""));
    let kind = if carries && !content_type.is_empty() {
        form_type(content_type)
    } else {
        FormType::Other
    };
    if !query_is_good || kind == FormType::Malformed {
        return None;
    }
    let body = request.into_body();
    if kind == FormType::Other {
        return Some(FormBody::Unread(body));
    }
    let form = read(body, MAX_FORM).await?;
    is_query(&String::from_utf8_lossy(&form)).then_some(FormBody::Consumed)
}

async fn read(body: Incoming, limit: usize) -> Option<Bytes> {
    Limited::new(body, limit)
        .collect()
        .await
        .ok()
        .map(|body| body.to_bytes())
}

fn text(status: StatusCode, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    *answer.status_mut() = status;
    answer.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    answer
}

/// Go's `http.Error`.
fn error(status: StatusCode, message: &str) -> Answer {
    let mut answer = text(status, format!("{message}\n"));
    answer.headers_mut().insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    answer
}

fn not_found() -> Answer {
    error(StatusCode::NOT_FOUND, "404 page not found")
}

#[cfg(test)]
mod tests {
    use super::clean;

    #[test]
    fn paths_are_cleaned() {
        for (path, cleaned) in [
            ("/mutate", "/mutate"),
            ("/mutate/", "/mutate/"),
            ("//mutate", "/mutate"),
            ("/a/../mutate", "/mutate"),
            ("/./", "/"),
            ("", "/"),
            ("/..", "/"),
        ] {
            assert_eq!(clean(path), cleaned, "{path}");
        }
    }
}
