//! Groups F, K, M: the call ran as somebody else, or as nobody.

use emu_core::journal::MutationReason;

use super::{Explanation, agent, said};
use crate::{file::CredentialSource, run::Observation};

/// F1: the node's role instead of the pod's.
pub(super) fn node_role(seen: &Observation) -> Option<Explanation> {
    let caller = seen.caller.as_ref()?;
    if caller.source != CredentialSource::Imds {
        return None;
    }
    let role = caller.role.as_deref().unwrap_or("the node's role");
    let explanation = Explanation::new(
        "F1",
        "silent-node-role-fallback",
        format!(
            "the pod has no container credentials, so the SDK went on to instance metadata and runs as {role}{}",
            reason(seen)
                .map(|why| format!(": {why}"))
                .unwrap_or_default()
        ),
        "recreate the pod once the association is there; set the hop limit to 1 so that this fails loudly",
    );
    Some(match cause(seen) {
        Some(id) => explanation.because_of(id),
        None => explanation,
    })
}

/// A1 and its like: no credentials at all.
pub(super) fn no_credentials(seen: &Observation) -> Option<Explanation> {
    let unable = said(seen).contains("Unable to locate credentials");
    let nothing_found = agent::found_nothing(seen) && seen.agent.is_none();
    if !(unable || nothing_found) {
        return None;
    }
    let (id, name) = match cause(seen) {
        Some("A2") => ("A2", "association-propagation-race"),
        Some("A3") => ("A3", "association-key-mismatch"),
        Some("F5") => ("F5", "container-or-pod-opted-out"),
        Some("F2") => ("F2", "injection-flaps"),
        Some("F9") => ("F9", "webhook-missing-after-upgrade"),
        Some(_) => ("A1", "pod-predates-association"),
        None => return None,
    };
    Some(Explanation::new(
        id,
        name,
        reason(seen).unwrap_or_else(|| "the pod was not mutated".into()),
        match id {
            "A3" => "name the pod's namespace and service account in the association, exactly",
            "F5" => "remove the label or annotation that opts out",
            _ => "recreate the pod once the association is there: admission happens once",
        },
    ))
}

/// F8 and M: IRSA.
pub(super) fn web_identity(seen: &Observation) -> Option<Explanation> {
    let text = said(seen);
    if text.contains("No OpenIDConnect provider found") {
        return Some(Explanation::new(
            "F8",
            "irsa-env-because-association-was-late",
            "the pod has the variables of IRSA, and its account has no OIDC provider for the cluster",
            "wait for the association before creating the pod, or remove the annotation from the service account",
        ));
    }
    text.contains("Not authorized to perform sts:AssumeRoleWithWebIdentity").then(|| {
        Explanation::new(
            "M2",
            "irsa-trust-refused",
            "the pod uses IRSA, and the role does not trust this service account through the OIDC provider",
            "use Pod Identity: remove the annotation; or trust the provider for this subject",
        )
    })
}

/// What kept the pod from being mutated, as an id.
fn cause(seen: &Observation) -> Option<&'static str> {
    let (reason, detail) = seen.admitted.as_ref()?;
    Some(match reason {
        MutationReason::AssociationNotPropagated => "A2",
        MutationReason::NoAssociation
            if detail
                .as_deref()
                .is_some_and(|d| d.contains("there is one")) =>
        {
            "A3"
        }
        MutationReason::NoAssociation => "A1",
        MutationReason::SkipLabel => "F5",
        MutationReason::WebhookFault
        | MutationReason::WebhookTimeout
        | MutationReason::WebhookError => "F2",
        MutationReason::NoWebhook => "F9",
        MutationReason::Association | MutationReason::RoleAnnotation | MutationReason::Unknown => {
            return None;
        }
    })
}

fn reason(seen: &Observation) -> Option<String> {
    let (reason, detail) = seen.admitted.as_ref()?;
    let words = match reason {
        MutationReason::AssociationNotPropagated => {
            "when the pod was created, the association existed but the webhook had not been told of it"
        }
        MutationReason::NoAssociation => {
            "when the pod was created, there was no association for its service account"
        }
        MutationReason::SkipLabel => "the pod carries the label that makes the webhook skip it",
        MutationReason::NoWebhook => "the webhook is not registered",
        MutationReason::WebhookFault
        | MutationReason::WebhookTimeout
        | MutationReason::WebhookError => {
            "the webhook was skipped when the pod was created (failurePolicy Ignore)"
        }
        MutationReason::Association | MutationReason::RoleAnnotation | MutationReason::Unknown => {
            return None;
        }
    };
    Some(match detail {
        Some(detail) => format!("{words}; {detail}"),
        None => words.into(),
    })
}
