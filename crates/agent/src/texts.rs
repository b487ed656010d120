//! What Amazon's agent says. Source: its code at v0.1.37 (and 0.2 where marked), and recordings of the running program.

/// Before the SDK's own words.
pub(crate) const OPERATION: &str = "unable to fetch credentials from EKS Auth: operation error EKS Auth: AssumeRoleForPodIdentity, ";
/// Before whatever went wrong on the way to the cache.
pub(crate) const TO_CACHE: &str = "error getting credentials to cache: ";
/// The SDK, of an empty cluster name.
pub(crate) const NO_CLUSTER_NAME: &str =
    "serialization failed: serialization failed: input member clusterName must not be empty";
/// Go, of an attempt that took too long.
pub(crate) const TIMEOUT: &str =
    "context deadline exceeded (Client.Timeout exceeded while awaiting headers)";
/// What the SDK calls itself.
pub(crate) const USER_AGENT: &str = "aws-sdk-go-v2/1.39.2 ua/2.1 os/linux lang/go#1.26.1 md/GOOS#linux md/GOARCH#amd64 api/eksauth#1.11.7";
/// Profile 0.2, before the reason why a token has no pod.
pub(crate) const NO_POD_UID: &str = "failed to get pod uid from service account token: ";
/// No `Authorization` header.
pub(crate) const EMPTY_TOKEN: &str = "Service account token cannot be empty";
/// A nil pointer in Go.
pub(crate) const NIL_POINTER: &str =
    "runtime error: invalid memory address or nil pointer dereference";
/// A probe that failed.
pub(crate) const PROBE_FAILED: &str = "Internal Server Error occurred";
/// Over the rate limit.
pub(crate) const TOO_MANY: &str = "Too Many Requests";

/// A host that is not one of the two.
pub(crate) fn wrong_host(host: &str) -> String {
    format!(
        "Access Denied. Called agent through invalid address, please use either [169.254.170.23 fd00:ec2::23] address not {host}"
    )
}

/// A token that cannot be parsed.
pub(crate) fn unparseable(reason: &str) -> String {
    format!("Service account token cannot be parsed: {reason}")
}

/// A token at the wrong time.
pub(crate) fn failed_claims(reason: &str) -> String {
    format!("Service account token failed basic claim validations: {reason}")
}

/// The node has no keys.
pub(crate) fn no_keys(reason: &dyn std::fmt::Display) -> String {
    format!("get identity: get credentials: failed to refresh cached credentials, {reason}")
}

/// All attempts are used up.
pub(crate) fn max_attempts(attempts: u32) -> String {
    format!("exceeded maximum number of attempts, {attempts}, ")
}

/// Credentials that are as good as expired. `seconds` is what they have left.
pub(crate) fn expires_soon(seconds: f64) -> String {
    format!("fetched credentials are expired or will expire within the next {seconds:.2} seconds")
}

/// An answer without credentials or role. Go prints the structure, with its addresses.
pub(crate) fn incomplete(fetched: &crate::eks_auth::Fetched, request_id: Option<&str>) -> String {
    let pointer = |there: bool, address: &'static str| if there { address } else { "<nil>" };
    let id = request_id
        .map(|id| format!(" {{}}:{id}"))
        .unwrap_or_default();
    let map = format!("{{}}:0xc000010018{id} {{}}:{{14031434826052584085 37449114666 0x1391400}}");
    format!(
        "invalid response from server: credentials or assumed role empty: &{{{} {} {} {} {} {{map[{map} {{}}:{{[{{<nil> false false {{map[{map}]}}}}]}}]}} {{}}}}",
        pointer(fetched.assumed_role.is_some(), "0xc000012018"),
        pointer(fetched.audience.is_some(), "0xc000014020"),
        pointer(fetched.credentials.is_some(), "0xc000016020"),
        pointer(fetched.association_id.is_some(), "0xc000018030"),
        pointer(fetched.has_subject, "0xc00001a030"),
    )
}
