//! The clock, seen and moved.

use std::time::Duration;

use bytes::Bytes;
use emu_core::{Event, Span, Timestamp};
use http::{Response, StatusCode};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Problem, body, ok};
use crate::front::Front;

pub(super) fn show(front: &Front) -> Response<Bytes> {
    let clock = front.cloud.clock();
    ok(&json!({
        "now": clock.now(),
        "offsetSeconds": clock.offset_nanos() as f64 / 1e9,
    }))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advance {
    by: Option<Span>,
    to: Option<Timestamp>,
}

/// `{"by": "6h"}` or `{"to": "2026-01-01T00:00:00Z"}`. Answers when everything due on the way has been done.
pub(super) async fn advance(front: &Front, bytes: &[u8]) -> Answer {
    let clock = front.cloud.clock();
    let by = match body(bytes)? {
        Advance {
            by: Some(by),
            to: None,
        } => by.get(),
        Advance {
            by: None,
            to: Some(to),
        } => {
            let ahead = to.duration_since(clock.now());
            Duration::try_from(ahead).map_err(|_| {
                Problem::bad("`to` is in the past; use step to turn the wall clock back")
            })?
        }
        _ => return Err(Problem::bad("give `by` (such as \"6h\") or `to` (a time)")),
    };
    clock.advance(by).await.map_err(failed)?;
    front.cloud.journal().record(Event::ClockMoved {
        by: by.into(),
        back: false,
        wall_only: false,
    });
    Ok(show(front))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    by: String,
}

/// `{"by": "-2h"}`: the wall clock alone.
pub(super) async fn step(front: &Front, bytes: &[u8]) -> Answer {
    let Step { by } = body(bytes)?;
    let (back, text) = match by.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, by.strip_prefix('+').unwrap_or(&by)),
    };
    let span: Span = text.parse().map_err(|e| Problem::bad(format!("by: {e}")))?;
    let nanos = i64::try_from(span.get().as_nanos())
        .map_err(|_| Problem::bad("by: more than 292 years"))?;
    front
        .cloud
        .clock()
        .step_wall(if back { -nanos } else { nanos })
        .await
        .map_err(failed)?;
    front.cloud.journal().record(Event::ClockMoved {
        by: span,
        back,
        wall_only: true,
    });
    Ok(show(front))
}

fn failed(error: std::io::Error) -> Problem {
    if error.kind() == std::io::ErrorKind::Unsupported {
        return Problem::new(
            StatusCode::CONFLICT,
            format!("the clock cannot be moved: {error}"),
        );
    }
    Problem::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        format!("a program did not follow the clock: {error}"),
    )
}
