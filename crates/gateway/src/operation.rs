//! The name of the operation a request is for, as far as it can be told from the outside; for faults.

use std::borrow::Cow;

use http::{Method, request::Parts};

use crate::services::{Service, query::Params};

/// The operation's name in the service's model, or the method and path where that takes the service to know.
pub(crate) fn of<'r>(
    service: Service,
    parts: &'r Parts,
    body: &'r [u8],
    path_style: &str,
) -> Cow<'r, str> {
    match service {
        Service::Sts | Service::Iam => {
            let form = if parts.method == Method::POST {
                body
            } else {
                parts.uri.query().unwrap_or_default().as_bytes()
            };
            Cow::Owned(Params::parse(form).owned("Action").unwrap_or_default())
        }
        Service::EksAuth => "AssumeRoleForPodIdentity".into(),
        Service::Eks => eks(&parts.method, parts.uri.path()).into(),
        Service::S3 => s3(
            &parts.method,
            path_style,
            parts.uri.query().unwrap_or_default(),
        )
        .into(),
    }
}

fn eks(method: &Method, path: &str) -> &'static str {
    let segments: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (method.as_str(), segments.as_slice()) {
        ("POST", ["clusters"]) => "CreateCluster",
        ("GET", ["clusters"]) => "ListClusters",
        ("GET", ["clusters", _]) => "DescribeCluster",
        ("DELETE", ["clusters", _]) => "DeleteCluster",
        ("POST", ["clusters", _, "pod-identity-associations"]) => "CreatePodIdentityAssociation",
        ("GET", ["clusters", _, "pod-identity-associations"]) => "ListPodIdentityAssociations",
        ("GET", ["clusters", _, "pod-identity-associations", _]) => {
            "DescribePodIdentityAssociation"
        }
        ("POST", ["clusters", _, "pod-identity-associations", _]) => "UpdatePodIdentityAssociation",
        ("DELETE", ["clusters", _, "pod-identity-associations", _]) => {
            "DeletePodIdentityAssociation"
        }
        ("POST", ["clusters", _, "addons"]) => "CreateAddon",
        ("GET", ["clusters", _, "addons"]) => "ListAddons",
        ("GET", ["clusters", _, "addons", _]) => "DescribeAddon",
        ("DELETE", ["clusters", _, "addons", _]) => "DeleteAddon",
        ("POST", ["clusters", _, "addons", _, "update"]) => "UpdateAddon",
        ("GET", ["addons", "supported-versions"]) => "DescribeAddonVersions",
        ("GET", ["tags", ..]) => "ListTagsForResource",
        ("POST", ["tags", ..]) => "TagResource",
        ("DELETE", ["tags", ..]) => "UntagResource",
        _ => "",
    }
}

fn s3(method: &Method, path: &str, query: &str) -> &'static str {
    let has = |name: &str| {
        query.split('&').any(|pair| {
            pair == name
                || pair
                    .strip_prefix(name)
                    .is_some_and(|rest| rest.starts_with('='))
        })
    };
    let path = path.trim_start_matches('/');
    let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
    match (method.as_str(), bucket.is_empty(), key.is_empty()) {
        ("GET", true, _) => "ListBuckets",
        ("GET", _, true) if has("list-type") => "ListObjectsV2",
        ("GET", _, true) if has("policy") => "GetBucketPolicy",
        ("GET", _, true) if has("location") => "GetBucketLocation",
        ("GET", _, true) => "ListObjects",
        ("PUT", _, true) if has("policy") => "PutBucketPolicy",
        ("PUT", _, true) => "CreateBucket",
        ("HEAD", _, true) => "HeadBucket",
        ("DELETE", _, true) if has("policy") => "DeleteBucketPolicy",
        ("DELETE", _, true) => "DeleteBucket",
        ("POST", _, true) if has("delete") => "DeleteObjects",
        ("POST", _, _) if has("uploads") => "CreateMultipartUpload",
        ("POST", _, _) if has("uploadId") => "CompleteMultipartUpload",
        ("PUT", _, _) if has("uploadId") => "UploadPart",
        ("DELETE", _, _) if has("uploadId") => "AbortMultipartUpload",
        ("GET", _, _) => "GetObject",
        ("HEAD", _, _) => "HeadObject",
        ("PUT", _, _) => "PutObject",
        ("DELETE", _, _) => "DeleteObject",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        assert_eq!(
            s3(&Method::GET, "/b", "list-type=2&prefix="),
            "ListObjectsV2"
        );
        assert_eq!(
            s3(&Method::PUT, "/b/k", "partNumber=1&uploadId=x"),
            "UploadPart"
        );
        assert_eq!(s3(&Method::GET, "/", ""), "ListBuckets");
        assert_eq!(
            eks(&Method::POST, "/clusters/c/pod-identity-associations/a-1"),
            "UpdatePodIdentityAssociation"
        );
    }
}
