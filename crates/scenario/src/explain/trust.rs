//! Group B: the role could not be assumed. EKS says one sentence for all of it.

use emu_policy::{Cause, Verdict};

use super::{Explanation, said};
use crate::run::Observation;

/// B2 and its variants; B3 where a condition on a request tag failed.
pub(super) fn refused(seen: &Observation) -> Option<Explanation> {
    let sentence =
        said(seen).contains("EKS does not have permissions to assume the associated role");
    let (hop, verdict) = seen
        .verdicts
        .iter()
        .find(|(hop, verdict)| *hop > 0 && !verdict.is_allowed())
        .map(|(hop, verdict)| (*hop, Some(verdict)))
        .unwrap_or((1, None));
    if verdict.is_none() && !sentence {
        return None;
    }
    let why = match verdict {
        Some(verdict) => verdict.explain().join("; "),
        None => seen.details.last().cloned().unwrap_or_else(|| {
            "the role does not exist, or does not trust pods.eks.amazonaws.com".into()
        }),
    };
    let variant = verdict.map_or("role-missing", variant);
    if hop == 2 {
        return Some(
            Explanation::new(
                "I5",
                "target-role-denied",
                why,
                "let the target role trust the association role (sts:AssumeRole and sts:TagSession, with the association's external id), and let the association role call both on it",
            )
            .variant(variant),
        );
    }
    let (id, name) = if variant == "request-tag-mismatch" {
        ("B3", "trust-condition-mismatch")
    } else {
        ("B2", "role-does-not-trust-pods")
    };
    Some(Explanation::new(id, name, why, fix(variant)).variant(variant))
}

/// Which fault it is, by what the nearest statement failed on.
fn variant(verdict: &Verdict) -> &'static str {
    let key = verdict
        .failed_conditions()
        .next()
        .map(|condition| condition.key.to_ascii_lowercase());
    match (verdict.cause(), key.as_deref()) {
        (Some(Cause::ExplicitDeny), _) => "explicit-deny",
        (_, Some(key)) if key.starts_with("aws:requesttag/") => "request-tag-mismatch",
        (_, Some(key)) if key.starts_with("aws:source") => "source-mismatch",
        (_, Some("sts:externalid")) => "external-id-mismatch",
        (_, Some(_)) => "condition-mismatch",
        (Some(Cause::Action), None) if verdict.action.eq_ignore_ascii_case("sts:TagSession") => {
            "missing-tagsession"
        }
        _ => "principal-not-trusted",
    }
}

fn fix(variant: &str) -> &'static str {
    match variant {
        "missing-tagsession" => {
            "allow sts:TagSession beside sts:AssumeRole in the role's trust policy, or set disableSessionTags on the association"
        }
        "request-tag-mismatch" => {
            "make the aws:RequestTag condition fit the pod's cluster, namespace or service account"
        }
        "source-mismatch" => "make aws:SourceAccount or aws:SourceArn fit the cluster",
        "explicit-deny" => "remove the Deny from the trust policy, or narrow it",
        "role-missing" => "create the role, or point the association at one that exists",
        _ => "trust the service pods.eks.amazonaws.com with sts:AssumeRole and sts:TagSession",
    }
}
