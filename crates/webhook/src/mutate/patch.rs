//! The patch of one pod.

use serde_json::{Map, Value as Json, json};

use super::{
    Operation, Plan,
    containers::{add_to, label},
};
use crate::go::{Value, encode};

/// The patch, and whether it changes anything: containers are written out in full even when nothing was added to them.
pub(crate) fn patch(pod: &Value, plan: &Plan) -> (Vec<Operation>, bool) {
    let token_file = plan.token_file(pod);
    let mut changed = false;
    let mut rewritten = |name: &str| -> Vec<Json> {
        let containers = pod
            .get("spec")
            .and_then(|spec| spec.list(name))
            .unwrap_or_default();
        let mut out = Vec::with_capacity(containers.len());
        for container in containers {
            let mut container = container.clone();
            if !plan.skipped.contains(container.text("name")) {
                changed |= add_to(&mut container, plan, &token_file);
            }
            out.push(encode(&container));
        }
        out
    };
    let init_containers = rewritten("initContainers");
    let containers = rewritten("containers");

    let mut operations = Vec::with_capacity(4);
    if let Some(key) = label(plan.mode) {
        // Only an absent map counts as none; an empty one takes the single key.
        operations.push(
            if pod
                .get("metadata")
                .is_some_and(|meta| meta.map("labels").is_some())
            {
                Operation::add(
                    &format!("/metadata/labels/{}", key.replace('/', "~1")),
                    json!("enabled"),
                )
            } else {
                Operation::add("/metadata/labels", json!({ key: "enabled" }))
            },
        );
        changed = true;
    }
    let volumes = pod.get("spec").and_then(|spec| spec.list("volumes"));
    let present =
        volumes.is_some_and(|volumes| volumes.iter().any(|v| v.text("name") == plan.volume_name));
    if !present {
        operations.push(if volumes.is_some() {
            Operation::add("/spec/volumes/0", volume(plan))
        } else {
            Operation::add("/spec/volumes", json!([volume(plan)]))
        });
        changed = true;
    }
    operations.push(Operation::add("/spec/containers", Json::Array(containers)));
    if !init_containers.is_empty() {
        operations.push(Operation::add(
            "/spec/initContainers",
            Json::Array(init_containers),
        ));
    }
    (operations, changed)
}

/// The projected volume of the token.
fn volume(plan: &Plan) -> Json {
    let mut token = Map::new();
    if !plan.audience.is_empty() {
        token.insert("audience".into(), plan.audience.as_str().into());
    }
    token.insert("expirationSeconds".into(), plan.token_expiration.into());
    token.insert("path".into(), plan.token_path.as_str().into());
    json!({
        "name": plan.volume_name,
        "projected": { "sources": [{ "serviceAccountToken": token }] },
    })
}
