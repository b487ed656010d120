//! What a pod tells about Amazon's webhook: what it was given by it, or why it does not run itself.

use emu_core::journal::MutationReason;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};

use super::agent_set::HOPELESS;

/// What can be done without its image.
const INSTEAD: &str = "(--webhook emu does without Amazon's)";

/// What the webhook gave a pod, as it is stored: by the volume that it always adds.
pub(super) fn given(pod: &Pod) -> Option<MutationReason> {
    let volumes = pod.spec.as_ref()?.volumes.as_ref()?;
    let has = |name: &str| volumes.iter().any(|volume| volume.name == name);
    match (has("eks-pod-identity-token"), has("aws-iam-token")) {
        (true, _) => Some(MutationReason::Association),
        (false, true) => Some(MutationReason::RoleAnnotation),
        _ => None,
    }
}

/// Why a pod of it does not come up, when waiting does not help.
pub(super) fn hopeless(pod: &Pod) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let mut waits = statuses.iter().filter(|status| !status.ready);
    waits.find_map(why)
}

fn why(status: &ContainerStatus) -> Option<String> {
    let waiting = status.state.as_ref().and_then(|s| s.waiting.as_ref());
    if let Some(waiting) = waiting
        && let Some(reason) = waiting.reason.as_deref()
        && HOPELESS.contains(&reason)
    {
        let message = waiting.message.as_deref().unwrap_or_default();
        let lacking = match reason.contains("Image") {
            true => format!("its image {} is not to be had {INSTEAD}: ", status.image),
            false => String::new(),
        };
        return Some(format!("{lacking}{reason}: {message}"));
    }
    let states = [&status.state, &status.last_state];
    let mut ends = states.into_iter().flatten();
    let ended = ends
        .find_map(|state| state.terminated.as_ref())
        .filter(|ended| ended.exit_code != 0)?;
    let words = ended.message.as_deref().unwrap_or_default().trim();
    Some(format!("it ended with status {} {words}", ended.exit_code))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_will_never_run_is_told() {
        let pod = |state: Value| -> Pod {
            serde_json::from_value(json!({"status": {"containerStatuses": [{
                "name": "pod-identity-webhook", "image": "registry/webhook:1", "imageID": "", "ready": false,
                "restartCount": 0, "state": state,
            }]}}))
            .unwrap()
        };
        let waiting =
            |reason: &str| json!({"waiting": {"reason": reason, "message": "no such host"}});
        let why = hopeless(&pod(waiting("ErrImagePull"))).unwrap();
        assert_eq!(
            why,
            "its image registry/webhook:1 is not to be had (--webhook emu does without Amazon's): ErrImagePull: no such host"
        );
        assert_eq!(hopeless(&pod(waiting("ContainerCreating"))), None);
        let ended = json!({"terminated": {"exitCode": 255, "message": "bad flag"}});
        let why = hopeless(&pod(ended)).unwrap();
        assert_eq!(why, "it ended with status 255 bad flag");
    }
}
