//! Health, readiness and version.

use bytes::Bytes;
use http::{Response, StatusCode};
use serde_json::{Map, Value, json};

use super::{answer, ok};
use crate::{front::Front, services::Service};

/// In the form that tools made for LocalStack look for: each service with its state.
pub(super) fn health(front: &Front) -> Response<Bytes> {
    let services: Map<String, Value> = Service::ALL
        .iter()
        .map(|s| (s.signing_name().to_owned(), json!("running")))
        .collect();
    ok(&json!({
        "status": "ok",
        "services": services,
        "edition": "emu",
        "version": env!("CARGO_PKG_VERSION"),
        "time": front.cloud.now(),
    }))
}

pub(super) fn ready(ready: bool) -> Response<Bytes> {
    let status = if ready {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    answer(status, &json!({ "ready": ready }))
}

pub(super) fn version(front: &Front) -> Response<Bytes> {
    let settings = front.cloud.settings();
    ok(&json!({
        "name": "emu",
        "version": env!("CARGO_PKG_VERSION"),
        "account": settings.account,
        "region": settings.region,
    }))
}
