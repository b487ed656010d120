//! From an action's name to the request that asks for it.

use std::collections::BTreeMap;

use crate::{file::Located, load::nearest, run::Trouble};

/// What a call may be about; each action takes what it needs.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct Parameters {
    pub bucket: String,
    pub key: Option<String>,
    pub prefix: Option<String>,
    pub body: Option<String>,
    pub role: Option<String>,
    pub session_name: Option<String>,
    pub external_id: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub seconds: Option<u64>,
    pub cluster: String,
}

/// A request before it is signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiRequest {
    /// The action, such as `s3:ListBucket`.
    pub action: String,
    /// The signing name.
    pub service: &'static str,
    /// The method.
    pub method: &'static str,
    /// Path and query.
    pub path: String,
    /// The content type, where there is a body.
    pub content_type: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

/// The actions that can be called.
pub const ACTIONS: [&str; 15] = [
    "s3:ListBucket",
    "s3:ListAllMyBuckets",
    "s3:GetObject",
    "s3:PutObject",
    "s3:DeleteObject",
    "sts:GetCallerIdentity",
    "sts:AssumeRole",
    "iam:GetRole",
    "iam:ListRoles",
    "eks:DescribeCluster",
    "eks:ListClusters",
    "eks:ListPodIdentityAssociations",
    "eks:ListAddons",
    "eks:DescribeAddon",
    "eks:DescribeAddonVersions",
];

/// The request for an action.
///
/// # Errors
/// If the action is not one of [`ACTIONS`], or something it needs is missing.
pub fn request(action: &Located<String>, p: &Parameters) -> Result<ApiRequest, Trouble> {
    let need = |value: &Option<String>, name: &str| {
        value
            .clone()
            .ok_or_else(|| Trouble::new(format!("{action} needs `{name}`")).at(action))
    };
    let s3 = |method, path: String, body: Vec<u8>| ("s3", method, path, None, body);
    let form = |service, version, action: &str, fields: Vec<(String, String)>| {
        let mut body = format!("Action={action}&Version={version}");
        for (name, value) in fields {
            body.push_str(&format!("&{name}={}", encode(&value, false)));
        }
        (
            service,
            "POST",
            "/".to_owned(),
            Some("application/x-www-form-urlencoded; charset=utf-8"),
            body.into_bytes(),
        )
    };
    let eks = |path: String| ("eks", "GET", path, None, Vec::new());
    let object = |key: &str| format!("/{}/{}", p.bucket, encode(key, true));
    let (service, method, path, content_type, body) = match action.as_str() {
        "s3:ListBucket" => {
            let prefix = p
                .prefix
                .as_deref()
                .map(|prefix| format!("&prefix={}", encode(prefix, false)));
            s3(
                "GET",
                format!("/{}?list-type=2{}", p.bucket, prefix.unwrap_or_default()),
                Vec::new(),
            )
        }
        "s3:ListAllMyBuckets" | "s3:ListBuckets" => s3("GET", "/".into(), Vec::new()),
        "s3:GetObject" => s3("GET", object(&need(&p.key, "key")?), Vec::new()),
        "s3:DeleteObject" => s3("DELETE", object(&need(&p.key, "key")?), Vec::new()),
        "s3:PutObject" => {
            let body = p.body.clone().unwrap_or_default().into_bytes();
            s3("PUT", object(&need(&p.key, "key")?), body)
        }
        "sts:GetCallerIdentity" => form("sts", "2011-06-15", "GetCallerIdentity", Vec::new()),
        "sts:AssumeRole" => {
            let mut fields = vec![
                ("RoleArn".to_owned(), need(&p.role, "role")?),
                (
                    "RoleSessionName".to_owned(),
                    p.session_name.clone().unwrap_or_else(|| "scenario".into()),
                ),
            ];
            fields.extend(
                p.external_id
                    .clone()
                    .map(|id| ("ExternalId".to_owned(), id)),
            );
            fields.extend(
                p.seconds
                    .map(|s| ("DurationSeconds".to_owned(), s.to_string())),
            );
            for (i, (key, value)) in p.tags.iter().enumerate() {
                fields.push((format!("Tags.member.{}.Key", i + 1), key.clone()));
                fields.push((format!("Tags.member.{}.Value", i + 1), value.clone()));
            }
            form("sts", "2011-06-15", "AssumeRole", fields)
        }
        "iam:GetRole" => {
            let arn = need(&p.role, "role")?;
            let name = arn.rsplit('/').next().unwrap_or_default().to_owned();
            form(
                "iam",
                "2010-05-08",
                "GetRole",
                vec![("RoleName".to_owned(), name)],
            )
        }
        "iam:ListRoles" => form("iam", "2010-05-08", "ListRoles", Vec::new()),
        "eks:DescribeCluster" => eks(format!("/clusters/{}", p.cluster)),
        "eks:ListClusters" => eks("/clusters".into()),
        "eks:ListPodIdentityAssociations" => {
            eks(format!("/clusters/{}/pod-identity-associations", p.cluster))
        }
        "eks:ListAddons" => eks(format!("/clusters/{}/addons", p.cluster)),
        "eks:DescribeAddon" => {
            let name = p
                .key
                .clone()
                .unwrap_or_else(|| "eks-pod-identity-agent".into());
            eks(format!("/clusters/{}/addons/{name}", p.cluster))
        }
        "eks:DescribeAddonVersions" => eks("/addons/supported-versions".into()),
        unknown => {
            let mut trouble =
                Trouble::new(format!("`{unknown}` cannot be called in a scenario")).at(action);
            trouble = match nearest(unknown, ACTIONS.iter().copied()) {
                Some(near) => trouble.help(format!("did you mean `{near}`?")),
                None => trouble.help(format!(
                    "one of {}; anything else through `exec`",
                    ACTIONS.join(", ")
                )),
            };
            return Err(trouble);
        }
    };
    Ok(ApiRequest {
        action: action.value.clone(),
        service,
        method,
        path,
        content_type,
        body,
    })
}

/// RFC 3986, as SigV4 wants it.
fn encode(text: &str, keep_slash: bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b'/' if keep_slash => out.push('/'),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_action_names_the_nearest() {
        let trouble = request(&"s3:ListBuket".into(), &Parameters::default()).unwrap_err();
        assert!(trouble.to_string().contains("s3:ListBuket"));
        assert_eq!(
            trouble.help.as_deref(),
            Some("did you mean `s3:ListBucket`?")
        );
    }

    #[test]
    fn every_action_makes_a_request() {
        let parameters = Parameters {
            bucket: "b".into(),
            key: Some("a b/c".into()),
            role: Some("arn:aws:iam::1:role/r".into()),
            cluster: "c".into(),
            ..Parameters::default()
        };
        for action in ACTIONS {
            request(&action.into(), &parameters).unwrap();
        }
        let get = request(&"s3:GetObject".into(), &parameters).unwrap();
        assert_eq!(get.path, "/b/a%20b/c");
    }
}
