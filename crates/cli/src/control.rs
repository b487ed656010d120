//! Asking a running emulator.

use std::{net::SocketAddr, time::Duration};

use miette::{IntoDiagnostic as _, WrapErr as _, miette};
use serde_json::Value;

/// A GET of the control API.
pub(crate) fn get(at: SocketAddr, path: &str) -> miette::Result<String> {
    let mut answer = agent()
        .get(format!("http://{at}{path}"))
        .call()
        .map_err(|e| gone(at, &e))?;
    let status = answer.status();
    let text = answer
        .body_mut()
        .with_config()
        .limit(1 << 30)
        .read_to_string()
        .into_diagnostic()
        .wrap_err("the emulator's answer broke off")?;
    if status.is_success() {
        Ok(text)
    } else {
        Err(refused(&text))
    }
}

/// A POST of the control API.
pub(crate) fn post(at: SocketAddr, path: &str, body: &Value) -> miette::Result<Value> {
    let mut answer = agent()
        .post(format!("http://{at}{path}"))
        .header("content-type", "application/json")
        .send(body.to_string())
        .map_err(|e| gone(at, &e))?;
    let status = answer.status();
    let text = answer
        .body_mut()
        .read_to_string()
        .into_diagnostic()
        .wrap_err("the emulator's answer broke off")?;
    if status.is_success() {
        serde_json::from_str(&text)
            .into_diagnostic()
            .wrap_err("the emulator's answer is not JSON")
    } else {
        Err(refused(&text))
    }
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .proxy(None)
        .timeout_connect(Some(Duration::from_secs(2)))
        .build()
        .into()
}

fn gone(at: SocketAddr, error: &ureq::Error) -> miette::Report {
    miette!(
        help = "start one with `emu up`, or name another with --addr",
        "no emulator answers at {at}: {error}"
    )
}

fn refused(text: &str) -> miette::Report {
    let message = serde_json::from_str::<Value>(text)
        .ok()
        .and_then(|v| {
            v["message"]
                .as_str()
                .or(v["error"].as_str())
                .map(str::to_owned)
        })
        .unwrap_or_else(|| text.to_owned());
    miette!("{message}")
}
