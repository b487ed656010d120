//! Back to the beginning.

use super::{Answer, Problem, Reset, ok};
use crate::front::Front;

/// Empties the cloud and takes away faults; the journal goes on, so that what happened before can still be read.
pub(super) async fn reset(front: &Front, more: Option<&Reset>) -> Answer {
    front.faults.clear();
    front.throttles.clear();
    front.cloud.reset();
    if let Some(more) = more {
        more()
            .await
            .map_err(|e| Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, e))?;
    }
    Ok(ok(
        &serde_json::json!({ "reset": true, "journal": front.cloud.journal().last() }),
    ))
}
