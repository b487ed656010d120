//! B6: the credentials are right, and the target says no.

use emu_policy::{Effect, Failure, Verdict};

use super::Explanation;
use crate::{file::CredentialSource, run::Observation};

/// B6, by the layer that decided.
pub(super) fn denied(seen: &Observation) -> Option<Explanation> {
    let caller = seen.caller.as_ref()?;
    if caller.source == CredentialSource::None {
        return None;
    }
    let (_, verdict) = seen
        .verdicts
        .iter()
        .rev()
        .find(|(hop, verdict)| *hop == 0 && !verdict.is_allowed())?;
    let value = serde_json::to_value(verdict).unwrap_or_default();
    let layer = value["decidedBy"]
        .as_str()
        .unwrap_or("permission")
        .to_owned();
    Some(
        Explanation::new(
            "B6",
            "permission-policy-missing-action",
            why(verdict),
            match layer.as_str() {
                "resource-policy" => {
                    "let the resource's policy allow the role, or the session's tags"
                }
                "session-policy" => "widen the session policy of the association",
                "boundary" => "widen the role's permissions boundary",
                _ => "allow the action on the resource in a policy of the role",
            },
        )
        .variant(layer),
    )
}

/// What decided, and what would have allowed it elsewhere: AWS names one layer only.
fn why(verdict: &Verdict) -> String {
    let mut why = verdict.explain().join("; ");
    for layer in verdict
        .layers
        .iter()
        .filter(|layer| layer.layer != verdict.decided_by)
    {
        for miss in layer
            .near_misses
            .iter()
            .filter(|miss| miss.effect == Effect::Allow)
        {
            for failure in &miss.failures {
                if let Failure::Condition(condition) = failure {
                    let carried = condition
                        .request
                        .as_ref()
                        .map_or_else(|| "nothing".into(), |value| format!("{value:?}"));
                    why.push_str(&format!(
                        "; {} would allow it, but {} {} wants {:?} and the request carried {carried}",
                        miss.policy, condition.operator, condition.key, condition.wanted
                    ));
                }
            }
        }
    }
    why
}
