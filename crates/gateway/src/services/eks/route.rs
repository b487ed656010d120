//! From method and path to an operation.

use std::borrow::Cow;

use emu_cloud::Call;
use http::Method;

use crate::services::rest_json;

type Text<'p> = Cow<'p, str>;

/// An operation with the labels of its path.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Route<'p> {
    CreateCluster,
    ListClusters,
    DescribeCluster(Text<'p>),
    DeleteCluster(Text<'p>),
    CreateAssociation(Text<'p>),
    ListAssociations(Text<'p>),
    DescribeAssociation(Text<'p>, Text<'p>),
    UpdateAssociation(Text<'p>, Text<'p>),
    DeleteAssociation(Text<'p>, Text<'p>),
    CreateAddon(Text<'p>),
    ListAddons(Text<'p>),
    DescribeAddon(Text<'p>, Text<'p>),
    UpdateAddon(Text<'p>, Text<'p>),
    DeleteAddon(Text<'p>, Text<'p>),
    DescribeAddonVersions,
    DescribeAddonConfiguration,
    ListUpdates(Text<'p>),
    DescribeUpdate(Text<'p>, Text<'p>),
    ListTags(Text<'p>),
    TagResource(Text<'p>),
    UntagResource(Text<'p>),
}

impl<'p> Route<'p> {
    /// The operation at this place, if there is one.
    pub(super) fn of(method: &Method, path: &'p str) -> Option<Self> {
        if path.starts_with("/tags/") {
            let arn = rest_json::rest_label(path, "/tags/")?;
            return match *method {
                Method::GET => Some(Self::ListTags(arn)),
                Method::POST => Some(Self::TagResource(arn)),
                Method::DELETE => Some(Self::UntagResource(arn)),
                _ => None,
            };
        }
        let segments = rest_json::segments(path);
        let mut segments = segments.into_iter();
        let first = segments.next()?;
        let rest: Vec<Text<'p>> = segments.collect();
        match first.as_ref() {
            "addons" => match (method, rest.first().map(Cow::as_ref)) {
                (&Method::GET, Some("supported-versions")) => Some(Self::DescribeAddonVersions),
                (&Method::GET, Some("configuration-schemas")) => {
                    Some(Self::DescribeAddonConfiguration)
                }
                _ => None,
            },
            "clusters" => Self::of_cluster(method, rest),
            _ => None,
        }
    }

    fn of_cluster(method: &Method, rest: Vec<Text<'p>>) -> Option<Self> {
        let mut rest = rest.into_iter();
        let labels = (
            rest.next(),
            rest.next(),
            rest.next(),
            rest.next(),
            rest.next(),
        );
        let (get, post, delete) = (
            *method == Method::GET,
            *method == Method::POST,
            *method == Method::DELETE,
        );
        Some(match labels {
            (None, ..) if get => Self::ListClusters,
            (None, ..) if post => Self::CreateCluster,
            (Some(cluster), None, ..) if get => Self::DescribeCluster(cluster),
            (Some(cluster), None, ..) if delete => Self::DeleteCluster(cluster),
            (Some(cluster), Some(kind), None, ..) => match kind.as_ref() {
                "pod-identity-associations" if get => Self::ListAssociations(cluster),
                "pod-identity-associations" if post => Self::CreateAssociation(cluster),
                "addons" if get => Self::ListAddons(cluster),
                "addons" if post => Self::CreateAddon(cluster),
                "updates" if get => Self::ListUpdates(cluster),
                _ => return None,
            },
            (Some(cluster), Some(kind), Some(id), None, _) => match kind.as_ref() {
                "pod-identity-associations" if get => Self::DescribeAssociation(cluster, id),
                "pod-identity-associations" if post => Self::UpdateAssociation(cluster, id),
                "pod-identity-associations" if delete => Self::DeleteAssociation(cluster, id),
                "addons" if get => Self::DescribeAddon(cluster, id),
                "addons" if delete => Self::DeleteAddon(cluster, id),
                "updates" if get => Self::DescribeUpdate(cluster, id),
                _ => return None,
            },
            (Some(cluster), Some(kind), Some(id), Some(verb), None)
                if post && kind == "addons" && verb == "update" =>
            {
                Self::UpdateAddon(cluster, id)
            }
            _ => return None,
        })
    }

    /// The operation's name, as in the IAM action.
    pub(super) fn operation(&self) -> &'static str {
        match self {
            Self::CreateCluster => "CreateCluster",
            Self::ListClusters => "ListClusters",
            Self::DescribeCluster(_) => "DescribeCluster",
            Self::DeleteCluster(_) => "DeleteCluster",
            Self::CreateAssociation(_) => "CreatePodIdentityAssociation",
            Self::ListAssociations(_) => "ListPodIdentityAssociations",
            Self::DescribeAssociation(..) => "DescribePodIdentityAssociation",
            Self::UpdateAssociation(..) => "UpdatePodIdentityAssociation",
            Self::DeleteAssociation(..) => "DeletePodIdentityAssociation",
            Self::CreateAddon(_) => "CreateAddon",
            Self::ListAddons(_) => "ListAddons",
            Self::DescribeAddon(..) => "DescribeAddon",
            Self::UpdateAddon(..) => "UpdateAddon",
            Self::DeleteAddon(..) => "DeleteAddon",
            Self::DescribeAddonVersions => "DescribeAddonVersions",
            Self::DescribeAddonConfiguration => "DescribeAddonConfiguration",
            Self::ListUpdates(_) => "ListUpdates",
            Self::DescribeUpdate(..) => "DescribeUpdate",
            Self::ListTags(_) => "ListTagsForResource",
            Self::TagResource(_) => "TagResource",
            Self::UntagResource(_) => "UntagResource",
        }
    }

    /// The ARN meant, for the journal.
    pub(super) fn resource(&self, call: &Call) -> String {
        let arn =
            |resource: String| format!("arn:aws:eks:{}:{}:{resource}", call.region, call.account);
        match self {
            Self::CreateCluster
            | Self::ListClusters
            | Self::DescribeAddonVersions
            | Self::DescribeAddonConfiguration => "*".into(),
            Self::DescribeCluster(cluster)
            | Self::DeleteCluster(cluster)
            | Self::CreateAssociation(cluster)
            | Self::ListAssociations(cluster)
            | Self::CreateAddon(cluster)
            | Self::ListAddons(cluster)
            | Self::ListUpdates(cluster)
            | Self::DescribeUpdate(cluster, _) => arn(format!("cluster/{cluster}")),
            Self::DescribeAssociation(cluster, id)
            | Self::UpdateAssociation(cluster, id)
            | Self::DeleteAssociation(cluster, id) => {
                arn(format!("podidentityassociation/{cluster}/{id}"))
            }
            Self::DescribeAddon(cluster, name)
            | Self::UpdateAddon(cluster, name)
            | Self::DeleteAddon(cluster, name) => arn(format!("addon/{cluster}/{name}")),
            Self::ListTags(arn) | Self::TagResource(arn) | Self::UntagResource(arn) => {
                arn.clone().into_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_model() {
        for (method, path, operation) in [
            (Method::POST, "/clusters", "CreateCluster"),
            (Method::GET, "/clusters/c", "DescribeCluster"),
            (
                Method::POST,
                "/clusters/c/pod-identity-associations",
                "CreatePodIdentityAssociation",
            ),
            (
                Method::POST,
                "/clusters/c/pod-identity-associations/a-1",
                "UpdatePodIdentityAssociation",
            ),
            (Method::POST, "/clusters/c/addons/x/update", "UpdateAddon"),
            (
                Method::GET,
                "/addons/supported-versions",
                "DescribeAddonVersions",
            ),
            (Method::GET, "/tags/arn%3Aaws%3Aeks", "ListTagsForResource"),
            (
                Method::DELETE,
                "/tags/arn:aws:eks:r:1:cluster/c",
                "UntagResource",
            ),
        ] {
            assert_eq!(
                Route::of(&method, path).map(|r| r.operation()),
                Some(operation),
                "{path}"
            );
        }
        assert_eq!(Route::of(&Method::PUT, "/clusters"), None);
        assert_eq!(Route::of(&Method::GET, "/clusters/c/nodegroups"), None);
    }

    #[test]
    fn an_arn_may_come_encoded_or_bare() {
        for path in [
            "/tags/arn:aws:eks:r:1:cluster/c",
            "/tags/arn%3Aaws%3Aeks%3Ar%3A1%3Acluster%2Fc",
        ] {
            assert_eq!(
                Route::of(&Method::GET, path),
                Some(Route::ListTags("arn:aws:eks:r:1:cluster/c".into()))
            );
        }
    }

    #[test]
    fn an_empty_association_id_still_reaches_its_operation() {
        let route = Route::of(&Method::GET, "/clusters/c/pod-identity-associations/");
        assert_eq!(
            route,
            Some(Route::DescribeAssociation("c".into(), "".into()))
        );
    }
}
