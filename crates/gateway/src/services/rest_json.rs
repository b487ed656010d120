//! The restJson1 protocol of EKS and EKS Auth: labels in the path, JSON in the body, the error's name in a header.

use std::borrow::Cow;

use bytes::Bytes;
use emu_cloud::ServiceError;
use http::{Request, Response, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::ApiRecord;

/// The segments of a path, percent-decoded: `/clusters/a%2Fb` gives `["clusters", "a/b"]`.
pub fn segments(path: &str) -> Vec<Cow<'_, str>> {
    path.trim_start_matches('/')
        .split('/')
        .map(decode)
        .collect()
}

/// The rest of a path after `prefix` as one decoded label; ARNs arrive encoded or with bare slashes.
pub fn rest_label<'p>(path: &'p str, prefix: &str) -> Option<Cow<'p, str>> {
    let rest = path.strip_prefix(prefix)?;
    (!rest.is_empty()).then(|| decode(rest))
}

fn decode(text: &str) -> Cow<'_, str> {
    percent_decode_str(text).decode_utf8_lossy()
}

/// The query of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Query<'r>(Vec<(Cow<'r, str>, Cow<'r, str>)>);

impl<'r> Query<'r> {
    /// Reads the query of a request.
    pub fn of(request: &'r Request<Bytes>) -> Self {
        Self(form_urlencoded::parse(request.uri().query().unwrap_or_default().as_bytes()).collect())
    }

    /// The first value of a name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_ref())
    }

    /// All values of a name, in wire order: how lists travel in a query.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(n, _)| n == name)
            .map(|(_, value)| value.as_ref())
    }

    /// A number, where one was sent.
    ///
    /// # Errors
    /// `SerializationException` when it is not a number (text: inferred).
    pub fn number(&self, name: &str) -> Result<Option<i64>, ServiceError> {
        self.get(name)
            .map(|text| {
                text.parse().map_err(|_| {
                    ServiceError::new(
                        "SerializationException",
                        400,
                        "STRING_VALUE can not be converted to an Integer",
                    )
                    .because(format!("query parameter {name} is `{text}`"))
                })
            })
            .transpose()
    }
}

/// Reads the body as JSON; an empty body counts as `{}`. Unknown members are the type's affair (AWS ignores them).
///
/// # Errors
/// `SerializationException` 400, as restJson1 services answer malformed bodies (inferred).
pub fn body<T: DeserializeOwned>(request: &Request<Bytes>) -> Result<T, ServiceError> {
    let bytes: &[u8] = if request.body().is_empty() {
        b"{}"
    } else {
        request.body()
    };
    serde_json::from_slice(bytes).map_err(|e| {
        ServiceError::new("SerializationException", 400, "").because(format!("the body: {e}"))
    })
}

/// An answer with a JSON body.
pub fn json(status: u16, body: &impl Serialize, request_id: &str) -> Response<Bytes> {
    match serde_json::to_vec(body) {
        Ok(bytes) => response(status, request_id, Bytes::from(bytes)),
        Err(e) => error(
            &ServiceError::new("ServerException", 500, "").because(e.to_string()),
            request_id,
        ),
    }
}

/// An error: name in `x-amzn-ErrorType`, `message` and the other members in the body.
pub fn error(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    let mut body = Map::with_capacity(error.members.len() + 1);
    for (name, value) in &error.members {
        body.insert(name.to_string(), value.clone());
    }
    body.insert("message".into(), Value::String(error.message.clone()));
    let bytes = serde_json::to_vec(&body).unwrap_or_default();
    let mut response = response(error.status, request_id, Bytes::from(bytes));
    if let Ok(name) = header::HeaderValue::from_str(&error.code) {
        response.headers_mut().insert("x-amzn-errortype", name);
    }
    response.extensions_mut().insert(ApiRecord::failed(error));
    response
}

fn response(status: u16, request_id: &str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() =
        StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("application/json"),
    );
    if let Ok(id) = header::HeaderValue::from_str(request_id) {
        headers.insert("x-amzn-requestid", id);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_decoded() {
        assert_eq!(segments("/clusters/a%2Fb/x"), ["clusters", "a/b", "x"]);
        for path in [
            "/tags/arn:aws:eks:r:1:cluster/c",
            "/tags/arn%3Aaws%3Aeks%3Ar%3A1%3Acluster%2Fc",
        ] {
            assert_eq!(
                rest_label(path, "/tags/").unwrap(),
                "arn:aws:eks:r:1:cluster/c"
            );
        }
        assert_eq!(rest_label("/tags/", "/tags/"), None);
    }

    #[test]
    fn an_error_is_named_in_the_header() {
        let error = ServiceError::new(
            "ResourceNotFoundException",
            404,
            "No cluster found for name: x.",
        )
        .with("clusterName", "x");
        let response = super::error(&error, "id");
        assert_eq!(
            response.headers()["x-amzn-errortype"],
            "ResourceNotFoundException"
        );
        let body: Value = serde_json::from_slice(response.body()).unwrap();
        assert_eq!(body["clusterName"], "x");
        assert_eq!(body["message"], "No cluster found for name: x.");
    }
}
