//! The knobs, seen and turned.

use bytes::Bytes;
use emu_core::Settings;
use http::Response;
use serde_json::{Value, json};

use super::{Answer, Problem, body, ok};
use crate::front::Front;

pub(super) fn show(front: &Front) -> Response<Bytes> {
    ok(&serde_json::to_value(&*front.cloud.settings())
        .unwrap_or_else(|e| json!({ "message": e.to_string() })))
}

/// A JSON merge patch (RFC 7396): what is named changes, `null` brings back the default.
pub(super) fn change(front: &Front, bytes: &[u8]) -> Answer {
    let patch: Value = body(bytes)?;
    let mut value =
        serde_json::to_value(&*front.cloud.settings()).map_err(|e| Problem::bad(e.to_string()))?;
    merge(&mut value, patch);
    let settings: Settings =
        serde_json::from_value(value).map_err(|e| Problem::bad(format!("settings: {e}")))?;
    front.cloud.set_settings(settings);
    Ok(show(front))
}

fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Some(target) = target.as_object_mut() else {
        return;
    };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}
