//! What STS answers before it looks at scope or signature (the reference's section E.1; snapshots).

use bytes::Bytes;
use emu_cloud::ServiceError;
use http::{Method, Response, header, request::Parts};

use crate::{
    routing::is_form,
    services::{
        ApiRecord, Service,
        query::{self, Params},
    },
};

/// The actions of the STS model, 2011-06-15.
pub(crate) const STS_ACTIONS: [&str; 11] = [
    "AssumeRole",
    "AssumeRoleWithSAML",
    "AssumeRoleWithWebIdentity",
    "AssumeRoot",
    "DecodeAuthorizationMessage",
    "GetAccessKeyInfo",
    "GetCallerIdentity",
    "GetDelegatedAccessToken",
    "GetFederationToken",
    "GetSessionToken",
    "GetWebIdentityToken",
];

/// Which STS actions take no signature.
pub(crate) fn is_unsigned(action: &str) -> bool {
    matches!(action, "AssumeRoleWithWebIdentity" | "AssumeRoleWithSAML")
}

/// The answer to a request that STS or IAM would not even dispatch; `None` if it would.
pub(crate) fn refuse(
    service: Service,
    parts: &Parts,
    body: &[u8],
    request_id: &str,
) -> Option<Response<Bytes>> {
    if parts.uri.path() != "/" {
        let mut response =
            query::response(404, request_id, "<UnknownOperationException/>\n".into());
        let error = ServiceError::new("UnknownOperationException", 404, "");
        response.extensions_mut().insert(ApiRecord::failed(&error));
        return Some(response);
    }
    let form = if parts.method == Method::POST {
        body
    } else {
        parts.uri.query().unwrap_or_default().as_bytes()
    };
    let params = Params::parse(form);
    let Some(action) = params
        .get("Action")
        .filter(|_| parts.method != Method::POST || is_form(parts))
    else {
        return Some(redirect(parts));
    };
    if service != Service::Sts {
        return None;
    }
    let version = params.get("Version");
    if version == Some("2011-06-15") && STS_ACTIONS.contains(&action) {
        return None;
    }
    let message = format!(
        "Could not find operation {action} for version {}",
        version.unwrap_or("NO_VERSION_SPECIFIED")
    );
    Some(query::fault(
        &ServiceError::new("InvalidAction", 400, message),
        request_id,
    ))
}

/// Whoever comes without an action is shown the product page; a GET keeps its query.
fn redirect(parts: &Parts) -> Response<Bytes> {
    let mut location = String::from("https://aws.amazon.com/iam");
    if let Some(query) = parts.uri.query().filter(|_| parts.method == Method::GET) {
        location.push('?');
        location.push_str(query);
    }
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = http::StatusCode::FOUND;
    if let Ok(location) = location.parse() {
        response.headers_mut().insert(header::LOCATION, location);
    }
    response
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn answer(method: &str, uri: &str, form: bool, body: &str) -> Option<(u16, String)> {
        let mut request = Request::builder().method(method).uri(uri);
        if form {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let parts = request.body(()).unwrap().into_parts().0;
        let response = refuse(Service::Sts, &parts, body.as_bytes(), "id")?;
        let text = match response.headers().get("location") {
            Some(location) => location.to_str().unwrap().to_owned(),
            None => String::from_utf8(response.body().to_vec()).unwrap(),
        };
        Some((response.status().as_u16(), text))
    }

    #[test]
    fn the_recorded_dispatch_table() {
        assert_eq!(answer("POST", "/x", true, "").unwrap().0, 404);
        assert_eq!(
            answer("POST", "/", false, "Action=GetCallerIdentity").unwrap(),
            (302, "https://aws.amazon.com/iam".into())
        );
        assert_eq!(
            answer("GET", "/?Version=2011-06-15", false, "").unwrap().1,
            "https://aws.amazon.com/iam?Version=2011-06-15"
        );
        for (body, message) in [
            (
                "Action=NoSuchAction&Version=2011-06-15",
                "Could not find operation NoSuchAction for version 2011-06-15<",
            ),
            (
                "Action=GetCallerIdentity",
                "Could not find operation GetCallerIdentity for version NO_VERSION_SPECIFIED<",
            ),
            (
                "Action=GetCallerIdentity&Version=",
                "Could not find operation GetCallerIdentity for version <",
            ),
            (
                "Action=GetCallerIdentity&Version=2000-01-01",
                "Could not find operation GetCallerIdentity for version 2000-01-01<",
            ),
            (
                "Action=&Version=2011-06-15",
                "Could not find operation  for version 2011-06-15<",
            ),
        ] {
            let (status, text) = answer("POST", "/", true, body).unwrap();
            assert_eq!(status, 400);
            assert!(
                text.contains(message) && text.contains(query::FAULT_NAMESPACE),
                "{text}"
            );
        }
        assert_eq!(
            answer(
                "POST",
                "/",
                true,
                "Action=GetCallerIdentity&Version=2011-06-15"
            ),
            None
        );
    }
}
