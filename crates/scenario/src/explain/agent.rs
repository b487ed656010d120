//! Groups C, D, E, G, J: what happens at the agent and on the way to it.

use super::{Explanation, said};
use crate::{file::CredentialSource, run::Observation};

/// C1: the token had expired.
pub(super) fn token_expired(seen: &Observation) -> Option<Explanation> {
    said(seen).contains("token is expired").then(|| {
        Explanation::new(
            "C1",
            "client-caches-first-token",
            "the client sent a service account token that has expired: it read the token file once and never again, though the kubelet renews it at 80 % of its life",
            "read AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE anew at every refresh; current SDKs do",
        )
    })
}

/// C9: the token is not valid yet.
pub(super) fn token_from_the_future(seen: &Observation) -> Option<Explanation> {
    said(seen).contains("token is not valid yet").then(|| {
        Explanation::new(
            "C9",
            "token-from-the-future",
            "the token was issued by a clock that is ahead of the node's, or was before it was set back; there is no leeway, and the kubelet does not renew a token that is not old",
            "correct the clocks, and recreate the pods that still hold such a token",
        )
    })
}

/// C2: no token.
pub(super) fn token_missing(seen: &Observation) -> Option<Explanation> {
    said(seen).contains("Service account token cannot be empty").then(|| {
        Explanation::new(
            "C2",
            "token-not-sent",
            "the client asked the agent without an Authorization header: it does not know AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE, or the variable is missing",
            "upgrade the client; check that both AWS_CONTAINER_ variables reach the process",
        )
    })
}

/// C3, C7, C10, C11: the token was refused.
pub(super) fn token_refused(seen: &Observation) -> Option<Explanation> {
    let text = said(seen);
    if text.contains("Service account token cannot be parsed") {
        return Some(if text.contains("input byte 6") {
            Explanation::new(
                "C3",
                "bearer-prefix",
                "the client put `Bearer ` before the token; the agent wants it bare",
                "send the file's content as it is in the Authorization header",
            )
        } else {
            Explanation::new(
                "C10",
                "corrupt-token-file",
                "what the client sent as a token is none",
                "send the file's content as it is in the Authorization header",
            )
        });
    }
    text.contains("InvalidTokenException").then(|| {
        Explanation::new(
            "C7",
            "token-refused-by-eks-auth",
            seen.details
                .last()
                .cloned()
                .unwrap_or_else(|| "EKS Auth does not accept the token".into()),
            "use the token that the webhook projected into this pod: audience pods.eks.amazonaws.com, signed by this cluster, bound to the pod",
        )
    })
}

/// J1.
pub(super) fn throttled(seen: &Observation) -> Option<Explanation> {
    let text = said(seen);
    (text.contains("ThrottlingException") || text.contains("Too Many Requests")).then(|| {
        Explanation::new(
            "J1",
            "eks-auth-burst-throttle",
            "more requests than EKS Auth (or the agent) takes at once",
            "reuse sessions, spread starts, and let clients retry with back-off",
        )
    })
}

/// D9.
pub(super) fn wrong_host(seen: &Observation) -> Option<Explanation> {
    said(seen).contains("Called agent through invalid address").then(|| {
        Explanation::new(
            "D9",
            "called-through-wrong-host",
            "the request's Host header is none of the agent's two addresses: a port-forward, a proxy or a test tool stands between",
            "call the agent by 169.254.170.23, or keep that Host header",
        )
    })
}

/// G1.
pub(super) fn host_refused_by_client(seen: &Observation) -> Option<Explanation> {
    let text = said(seen);
    (text.contains("only loopback hosts are allowed") || text.contains("is not a valid container metadata service hostname"))
        .then(|| {
            Explanation::new(
                "G1",
                "sdk-go-loopback-only",
                "the SDK is older than Pod Identity and refuses the agent's address; the agent was never asked",
                "upgrade the SDK (aws-sdk-go 1.47.11, Go v2 release-2023-11-14, and their like)",
            )
        })
}

/// D1, E5: connection refused is not the same as no answer.
pub(super) fn nobody_listens(seen: &Observation) -> Option<Explanation> {
    let text = said(seen).to_ascii_lowercase();
    if seen.agent.is_some() || !(text.contains("no answer from") || text.contains("169.254.170.23"))
    {
        return None;
    }
    if text.contains("refused") {
        return Some(Explanation::new(
            "D1",
            "agent-absent-on-node",
            "nothing listens at the agent's address on the pod's node",
            "install the add-on eks-pod-identity-agent, and see that it runs on this node",
        ));
    }
    (text.contains("timed out") || text.contains("timeout")).then(|| {
        Explanation::new(
            "E5",
            "agent-unreachable",
            "packets to the agent's address vanish: a network policy, a firewall or the CNI drops them",
            "allow 169.254.170.23:80 and [fd00:ec2::23]:80 to the host",
        )
    })
}

/// Whether a client found nothing.
pub(super) fn found_nothing(seen: &Observation) -> bool {
    seen.caller
        .as_ref()
        .is_some_and(|caller| caller.source == CredentialSource::None)
}
