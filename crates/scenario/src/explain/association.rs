//! Group A: associations.

use emu_core::Event;

use super::Explanation;
use crate::run::Observation;

/// A3, A7: EKS Auth knows no association.
pub(super) fn absent(seen: &Observation) -> Option<Explanation> {
    let detail = seen
        .entries
        .iter()
        .rev()
        .find_map(|entry| match &entry.event {
            Event::AuthCall {
                association_id: None,
                error: Some(_),
                detail: Some(detail),
                ..
            } if detail.contains("association") => Some(detail.clone()),
            _ => None,
        })?;
    let propagating = detail.contains("not reached");
    Some(if propagating {
        Explanation::new(
            "A2",
            "association-propagation-race",
            detail,
            "wait some seconds after creating the association; poll with a canary pod",
        )
    } else if detail.contains("nearest") {
        Explanation::new(
            "A3",
            "association-key-mismatch",
            detail,
            "name the pod's namespace and service account in the association, exactly",
        )
    } else {
        Explanation::new(
            "A7",
            "association-deleted-under-running-pod",
            detail,
            "restore the association, or move the pods to a service account that has one",
        )
    })
}

/// A4, A5.
pub(super) fn exists(seen: &Observation) -> Option<Explanation> {
    let error = seen.error.as_ref()?;
    error.message.starts_with("Association already exists").then(|| {
        Explanation::new(
            "A4",
            "association-already-exists",
            "a service account of a cluster has one association at most, and it has one",
            "look it up with list-pod-identity-associations and update it; after a delete, wait until describe answers 404",
        )
    })
}

/// B1: the role was refused when the association was created.
pub(super) fn role_refused(seen: &Observation) -> Option<Explanation> {
    let error = seen.error.as_ref()?;
    let message = error.message.as_str();
    let why = || {
        seen.details
            .first()
            .cloned()
            .unwrap_or_else(|| message.to_owned())
    };
    if message.contains("Trust policy of the role provided is invalid") {
        Some(Explanation::new(
            "B1",
            "trust-policy-rejected-at-create",
            why(),
            "trust the service pods.eks.amazonaws.com with sts:AssumeRole and sts:TagSession",
        ))
    } else if message.contains("Role provided in the request does not exist") {
        Some(Explanation::new(
            "B4",
            "role-not-visible-yet",
            why(),
            "create the role first; some seconds later EKS sees it",
        ))
    } else if message.contains("Cross-account pass role") {
        Some(Explanation::new(
            "I3",
            "cross-account-role",
            why(),
            "name a role of the cluster's account, and the other account's role as target role",
        ))
    } else {
        None
    }
}
