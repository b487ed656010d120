//! Every recorded answer of Amazon's webhook, got from ours over HTTPS.

mod fake;

use base64::Engine as _;
use bytes::Bytes;
use fake::{FakeApi, Started};
use http::{Request, Response};
use http_body_util::Full;
use serde_json::{Value, json};

static RECORDED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../fixtures/webhook-transcripts.json"
));

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_recorded_case_holds() {
    let recorded: Value = serde_json::from_str(RECORDED).unwrap();
    let cases = recorded["cases"].as_array().unwrap();
    let mut failed = Vec::new();
    for group in recorded["groups"].as_array().unwrap() {
        let server = start(group).await;
        for case in cases.iter().filter(|case| case["group"] == group["id"]) {
            if let Err(difference) = hold(&server, case).await {
                failed.push(format!("{}: {difference}", case["id"]));
            }
        }
        server.stop().await.unwrap();
    }
    println!(
        "webhook: {} of {} recorded cases hold",
        cases.len() - failed.len(),
        cases.len()
    );
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

async fn start(group: &Value) -> Started {
    let api = FakeApi::start().await;
    for namespace in group["namespaces"].as_array().unwrap() {
        api.account(namespace.as_str().unwrap(), "default", &json!({}));
    }
    let text = |value: &Value, key: &str| value[key].as_str().unwrap().to_owned();
    for account in group["service_accounts"].as_array().unwrap() {
        api.account(
            &text(account, "namespace"),
            &text(account, "name"),
            &account["annotations"],
        );
    }
    let map = &group["config_map"];
    if !map.is_null() {
        api.config_map(&text(map, "namespace"), &text(map, "name"), &map["data"]);
    }
    let flags: Vec<String> = group["flags"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flag| flag.as_str().unwrap().to_owned())
        .collect();
    let identities = match &group["identities"] {
        Value::Null => None,
        Value::String(raw) => Some(raw.clone()),
        object => Some(object.to_string()),
    };
    Started::new(&api, &flags, identities.as_deref()).await
}

async fn hold(server: &Started, case: &Value) -> Result<(), String> {
    let answer = server.send(request(&case["request"])).await;
    let expected = &case["response"];
    same(
        "status",
        &json!(answer.status().as_u16()),
        &expected["status"],
    )?;
    let content_type = answer
        .headers()
        .get("Content-Type")
        .map(|value| value.to_str().unwrap());
    same(
        "content type",
        &json!(content_type),
        &expected["content_type"],
    )?;
    if let Some(text) = expected.get("text") {
        return same("text", &json!(String::from_utf8_lossy(answer.body())), text);
    }
    let mut expected = expected["body"].clone();
    let mut body = decoded(&answer)?;
    // Messages after a decoding failure need the same meaning, not the same words.
    let message = "/response/status/message";
    if let (Some(theirs), Some(ours)) = (expected.pointer_mut(message), body.pointer_mut(message))
        && *theirs != "bad content"
        && *ours != "bad content"
        && ours.as_str().is_some_and(|text| !text.is_empty())
    {
        *ours = theirs.clone();
    }
    settle_ranges(&mut expected, &body);
    same("body", &body, &expected)
}

fn request(recorded: &Value) -> Request<Full<Bytes>> {
    let body = match (recorded.get("json"), recorded.get("text")) {
        (Some(json), _) => json.to_string(),
        (None, Some(text)) => text.as_str().unwrap().to_owned(),
        (None, None) => String::new(),
    };
    let default = json!({ "Content-Type": "application/json" });
    let mut request = Request::builder()
        .method(recorded["method"].as_str().unwrap_or("POST"))
        .uri(recorded["path"].as_str().unwrap_or("/mutate"));
    for (name, value) in recorded
        .get("headers")
        .unwrap_or(&default)
        .as_object()
        .unwrap()
    {
        request = request.header(name, value.as_str().unwrap());
    }
    request.body(Full::from(body)).unwrap()
}

/// The answer's body with its patch decoded.
fn decoded(answer: &Response<Bytes>) -> Result<Value, String> {
    let mut body: Value = serde_json::from_slice(answer.body()).map_err(|e| e.to_string())?;
    if let Some(patch) = body.pointer_mut("/response/patch") {
        let text = patch.as_str().unwrap_or_default();
        let raw = base64::engine::general_purpose::STANDARD
            .decode(text)
            .map_err(|e| e.to_string())?;
        *patch = serde_json::from_slice(&raw).map_err(|e| e.to_string())?;
    }
    Ok(body)
}

/// Puts our number in the place of a range that holds it.
fn settle_ranges(expected: &mut Value, ours: &Value) {
    if let (Some(range), Some(number)) = (expected.get("range"), ours.as_i64()) {
        let bound = |at: usize| range[at].as_i64().unwrap();
        if (bound(0)..=bound(1)).contains(&number) {
            *expected = ours.clone();
        }
        return;
    }
    match expected {
        Value::Object(members) => {
            for (key, value) in members {
                settle_ranges(value, &ours[key]);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter_mut().enumerate() {
                settle_ranges(value, &ours[at]);
            }
        }
        _ => {}
    }
}

fn same(what: &str, ours: &Value, expected: &Value) -> Result<(), String> {
    if ours == expected {
        Ok(())
    } else {
        Err(format!("{what}\n   ours {ours}\n theirs {expected}"))
    }
}
