//! The OIDC documents of clusters, served unsigned at the path of each issuer.

use std::sync::Arc;

use bytes::Bytes;
use emu_cloud::Cloud;
use http::{HeaderValue, Response, StatusCode, header};

/// Which of the two documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Document {
    /// `/.well-known/openid-configuration`
    Discovery,
    /// `/keys`
    Keys,
}

/// Splits a path into the issuer's path and the document.
pub(crate) fn split(path: &str) -> Option<(&str, Document)> {
    path.strip_suffix("/.well-known/openid-configuration")
        .map(|issuer| (issuer, Document::Discovery))
        .or_else(|| {
            path.strip_suffix("/keys")
                .map(|issuer| (issuer, Document::Keys))
        })
        .filter(|(issuer, _)| !issuer.is_empty())
}

/// The answer at a path.
pub(crate) fn answer(cloud: &Arc<Cloud>, path: &str) -> Response<Bytes> {
    let document = split(path).and_then(|(issuer_path, document)| {
        let (key, _) = cloud.eks.clusters(cloud).into_iter().find(|(_, cluster)| {
            cluster
                .issuer()
                .split_once("://")
                .and_then(|(_, rest)| rest.find('/').map(|at| &rest[at..]))
                .is_some_and(|path| path.trim_end_matches('/') == issuer_path)
        })?;
        let oidc = cloud.eks.oidc(cloud, &key).ok()?;
        Some(match document {
            Document::Discovery => oidc.discovery(),
            Document::Keys => oidc.jwks(),
        })
    });
    let (status, body) = match document {
        Some(value) => (StatusCode::OK, value),
        None => (
            StatusCode::NOT_FOUND,
            serde_json::json!({ "message": "Not Found" }),
        ),
    };
    let mut response = Response::new(Bytes::from(body.to_string()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("application/json"),
    );
    response
}
