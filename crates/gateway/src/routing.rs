//! Which service a request is for, on one port (the reference's section H.7): the scope decides, then host, path and
//! form; a scope that does not fit the rest is refused as the service that owns the rest would.

use http::{Method, header, request::Parts};
use url::form_urlencoded;

use crate::{
    host::Host,
    services::Service,
    sigv4::{Claim, Malformed},
};

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// To a service of ours; whether the scope names that service is looked at there.
    Service(Service),
    /// A cluster's discovery document or keys, unsigned.
    Oidc,
    /// To a service we do not have, by its signing name.
    Unsupported(String),
}

/// Decides.
pub(crate) fn route(
    parts: &Parts,
    claim: &Result<Option<Claim<'_>>, Malformed>,
    host: Host<'_>,
    body: &[u8],
) -> Route {
    let path = parts.uri.path();
    match claim {
        Ok(Some(claim)) => {
            let name = &*claim.scope.service;
            let Some(scope) = Service::from_signing_name(name) else {
                // A name that is no service at all (`xyz`) gets its scope error from the endpoint that was meant.
                return endpoint(parts, host, body)
                    .map_or_else(|| Route::Unsupported(name.into()), Route::Service);
            };
            Route::Service(owner(scope, parts, host, body))
        }
        Ok(None) if is_oidc(parts) => Route::Oidc,
        _ => Route::Service(
            endpoint(parts, host, body)
                .or_else(|| path_service(path))
                .unwrap_or(Service::S3),
        ),
    }
}

/// The service whose endpoint a signed request was evidently sent to: that of the scope, unless something contradicts.
fn owner(scope: Service, parts: &Parts, host: Host<'_>, body: &[u8]) -> Service {
    if let Some(service) = host.service {
        return service;
    }
    match scope {
        // Bucket and key names may look like anything.
        Service::S3 if parts.method == Method::POST && parts.uri.path() == "/" => {
            form_service(parts, body).unwrap_or(scope)
        }
        Service::S3 => scope,
        Service::Eks if is_eks_auth(parts.uri.path()) => Service::EksAuth,
        Service::Sts | Service::Iam => form_service(parts, body).unwrap_or(scope),
        Service::Eks | Service::EksAuth => scope,
    }
}

/// The service that host or form name.
fn endpoint(parts: &Parts, host: Host<'_>, body: &[u8]) -> Option<Service> {
    host.service.or_else(|| form_service(parts, body))
}

fn path_service(path: &str) -> Option<Service> {
    if is_eks_auth(path) {
        return Some(Service::EksAuth);
    }
    ["/clusters", "/addons", "/tags/arn"]
        .iter()
        .any(|prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', ':', '%']))
        })
        .then_some(Service::Eks)
}

fn is_eks_auth(path: &str) -> bool {
    path.strip_prefix("/clusters/")
        .and_then(|rest| rest.split_once('/'))
        .is_some_and(|(_, last)| last == "assume-role-for-pod-identity")
}

/// Whether the body is a form.
pub(crate) fn is_form(parts: &Parts) -> bool {
    parts
        .headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.split(';').next())
        .is_some_and(|kind| {
            kind.trim()
                .eq_ignore_ascii_case("application/x-www-form-urlencoded")
        })
}

/// STS or IAM by what a form (or a GET's query) names: the version, else the action.
fn form_service(parts: &Parts, body: &[u8]) -> Option<Service> {
    if parts.uri.path() != "/" {
        return None;
    }
    let query = parts.uri.query().unwrap_or_default().as_bytes();
    let form = match parts.method {
        Method::POST if is_form(parts) => body,
        Method::GET if contains(query, b"Action=") => query,
        _ => return None,
    };
    let (mut action, mut version) = (None, None);
    for (name, value) in form_urlencoded::parse(form) {
        match &*name {
            "Action" => action = action.or(Some(value)),
            "Version" => version = version.or(Some(value)),
            _ => {}
        }
        if action.is_some() && version.is_some() {
            break;
        }
    }
    match version.as_deref() {
        Some("2010-05-08") => Some(Service::Iam),
        Some("2011-06-15") => Some(Service::Sts),
        _ => action
            .as_deref()
            .is_some_and(|action| crate::dispatch::STS_ACTIONS.contains(&action))
            .then_some(Service::Sts),
    }
}

fn contains(text: &[u8], needle: &[u8]) -> bool {
    text.windows(needle.len()).any(|window| window == needle)
}

fn is_oidc(parts: &Parts) -> bool {
    matches!(parts.method, Method::GET | Method::HEAD)
        && parts.uri.path().starts_with("/id/")
        && crate::oidc::split(parts.uri.path()).is_some()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn of(method: &str, uri: &str, scope: Option<&str>, host: &str, body: &str) -> Route {
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header("host", host);
        if let Some(service) = scope {
            request = request
                .header("x-amz-date", "20150830T123600Z")
                .header(
                    "authorization",
                    format!("AWS4-HMAC-SHA256 Credential=A/20150830/us-east-1/{service}/aws4_request, SignedHeaders=host, Signature=0"),
                );
        }
        if method == "POST" {
            request = request.header(
                "content-type",
                "application/x-www-form-urlencoded; charset=utf-8",
            );
        }
        let parts = request.body(()).unwrap().into_parts().0;
        route(
            &parts,
            &Claim::of(&parts),
            Host::read(host),
            body.as_bytes(),
        )
    }

    #[test]
    fn the_scope_decides() {
        for (uri, scope, expected) in [
            ("/clusters", "s3", Service::S3),
            ("/clusters", "eks", Service::Eks),
            (
                "/clusters/c/assume-role-for-pod-identity",
                "eks-auth",
                Service::EksAuth,
            ),
            ("/", "iam", Service::Iam),
            ("/elsewhere", "sts", Service::Sts),
        ] {
            assert_eq!(
                of("GET", uri, Some(scope), "127.0.0.1", ""),
                Route::Service(expected)
            );
        }
    }

    #[test]
    fn a_scope_that_does_not_fit_goes_to_the_owner_of_the_rest() {
        let pod_identity = "/clusters/c/assume-role-for-pod-identity";
        assert_eq!(
            of("POST", pod_identity, Some("eks"), "h", ""),
            Route::Service(Service::EksAuth)
        );
        assert_eq!(
            of("POST", "/", Some("sts"), "h", "Action=X&Version=2010-05-08"),
            Route::Service(Service::Iam)
        );
        assert_eq!(
            of("POST", "/", Some("ec2"), "h", "Action=GetCallerIdentity"),
            Route::Service(Service::Sts)
        );
        assert_eq!(
            of("GET", "/", Some("s3"), "sts.us-east-1.amazonaws.com", ""),
            Route::Service(Service::Sts)
        );
        assert_eq!(
            of(
                "POST",
                "/",
                Some("ec2"),
                "h",
                "Action=DescribeInstances&Version=2016-11-15"
            ),
            Route::Unsupported("ec2".into())
        );
    }

    #[test]
    fn unsigned_requests_go_by_form_and_path() {
        assert_eq!(
            of(
                "POST",
                "/",
                None,
                "h",
                "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
            ),
            Route::Service(Service::Sts)
        );
        assert_eq!(
            of(
                "GET",
                "/?Action=GetCallerIdentity&Version=2011-06-15",
                None,
                "h",
                ""
            ),
            Route::Service(Service::Sts)
        );
        assert_eq!(
            of("GET", "/clusters/x", None, "h", ""),
            Route::Service(Service::Eks)
        );
        assert_eq!(
            of("GET", "/bucket/key", None, "h", ""),
            Route::Service(Service::S3)
        );
        assert_eq!(of("GET", "/id/AB/keys", None, "h", ""), Route::Oidc);
        assert_eq!(
            of(
                "GET",
                "/id/AB/.well-known/openid-configuration",
                None,
                "h",
                ""
            ),
            Route::Oidc
        );
    }
}
