//! The add-ons that can be installed, their versions and schemas.

use serde::Serialize;
use serde_json::{Value, json};

use super::{Page, PageRequest, texts};
use crate::{Access, Call, Cloud, ServiceError};

/// An add-on we know.
pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) namespace: &'static str,
    pub(super) kind: &'static str,
    /// Newest first.
    pub(super) versions: &'static [&'static str],
    /// Members of its configuration; empty: not checked.
    pub(super) properties: &'static [&'static str],
    /// Service accounts it offers for associations.
    pub(super) service_accounts: &'static [&'static str],
}

/// Versions and schema of the agent: threads (C.5). The others are there because charts and tests install them beside it.
const KNOWN: &[Known] = &[
    Known {
        name: "eks-pod-identity-agent",
        namespace: "kube-system",
        kind: "security",
        versions: &[
            "v1.3.10-eksbuild.3",
            "v1.3.10-eksbuild.1",
            "v1.3.9-eksbuild.1",
            "v1.3.8-eksbuild.2",
            "v1.3.5-eksbuild.2",
            "v1.3.4-eksbuild.1",
            "v1.3.2-eksbuild.2",
            "v1.2.0-eksbuild.1",
            "v1.1.0-eksbuild.1",
            "v1.0.0-eksbuild.1",
        ],
        properties: &[
            "affinity",
            "agent",
            "daemonsets",
            "fullnameOverride",
            "imagePullSecrets",
            "nameOverride",
            "nodeSelector",
            "podAnnotations",
            "podLabels",
            "priorityClassName",
            "resources",
            "tolerations",
            "updateStrategy",
        ],
        service_accounts: &[],
    },
    Known {
        name: "vpc-cni",
        namespace: "kube-system",
        kind: "networking",
        versions: &["v1.20.4-eksbuild.1", "v1.19.2-eksbuild.1"],
        properties: &[],
        service_accounts: &["aws-node"],
    },
    Known {
        name: "aws-ebs-csi-driver",
        namespace: "kube-system",
        kind: "storage",
        versions: &["v1.48.0-eksbuild.1", "v1.39.0-eksbuild.1"],
        properties: &[],
        service_accounts: &["ebs-csi-controller-sa"],
    },
    Known {
        name: "aws-efs-csi-driver",
        namespace: "kube-system",
        kind: "storage",
        versions: &["v2.1.11-eksbuild.1"],
        properties: &[],
        service_accounts: &["efs-csi-controller-sa"],
    },
    Known {
        name: "coredns",
        namespace: "kube-system",
        kind: "networking",
        versions: &["v1.12.3-eksbuild.1"],
        properties: &[],
        service_accounts: &[],
    },
    Known {
        name: "kube-proxy",
        namespace: "kube-system",
        kind: "networking",
        versions: &["v1.34.0-eksbuild.2"],
        properties: &[],
        service_accounts: &[],
    },
];

pub(super) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

impl Known {
    /// The version asked for, or the newest.
    pub(super) fn version(&self, wanted: Option<&str>) -> Option<&'static str> {
        match wanted.filter(|w| !w.is_empty()) {
            None => self.versions.first().copied(),
            Some(wanted) => self.versions.iter().find(|v| **v == wanted).copied(),
        }
    }
}

/// Input of DescribeAddonVersions.
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct DescribeAddonVersions {
    pub addon_name: Option<String>,
    pub kubernetes_version: Option<String>,
    pub page: PageRequest,
}

/// One add-on in the list of versions.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct AddonVersion {
    pub addon_name: &'static str,
    pub r#type: &'static str,
    pub owner: &'static str,
    pub publisher: &'static str,
    pub default_namespace: &'static str,
    pub addon_versions: Vec<Value>,
}

impl DescribeAddonVersions {
    /// DescribeAddonVersions.
    ///
    /// # Errors
    /// If the page request is wrong or the caller may not. An unknown add-on gives an empty list.
    pub fn answer(&self, cloud: &Cloud, call: &Call) -> Result<Page<AddonVersion>, ServiceError> {
        require(cloud, call, "eks:DescribeAddonVersions")?;
        let minors = self
            .kubernetes_version
            .as_deref()
            .map_or_else(|| vec!["1.32", "1.33", "1.34", "1.35"], |v| vec![v]);
        let items = KNOWN
            .iter()
            .filter(|known| self.addon_name.as_deref().is_none_or(|name| name == known.name))
            .map(|known| {
                let addon_versions = known
                    .versions
                    .iter()
                    .enumerate()
                    .map(|(i, version)| {
                        let compatibilities: Vec<_> = minors
                            .iter()
                            .map(|minor| {
                                json!({ "clusterVersion": minor, "platformVersions": ["*"], "defaultVersion": i == 0 })
                            })
                            .collect();
                        json!({
                            "addonVersion": version, "architecture": ["amd64", "arm64"],
                            "computeTypes": ["ec2", "auto", "hybrid"], "compatibilities": compatibilities,
                            "requiresConfiguration": false,
                            "requiresIamPermissions": !known.service_accounts.is_empty(),
                        })
                    })
                    .collect();
                let item = AddonVersion {
                    addon_name: known.name,
                    r#type: known.kind,
                    owner: "aws",
                    publisher: "eks",
                    default_namespace: known.namespace,
                    addon_versions,
                };
                (known.name.to_owned(), item)
            });
        let mut items: Vec<_> = items.collect();
        items.sort_by(|a, b| a.0.cmp(&b.0));
        self.page.cut(
            &cloud.settings(),
            (&self.addon_name, &self.kubernetes_version),
            items.into_iter(),
        )
    }
}

/// DescribeAddonConfiguration.
///
/// # Errors
/// If add-on or version are unknown, or the caller may not.
pub fn describe_addon_configuration(
    cloud: &Cloud,
    call: &Call,
    name: &str,
    version: &str,
) -> Result<Value, ServiceError> {
    require(cloud, call, "eks:DescribeAddonConfiguration")?;
    let known = find(name).ok_or_else(|| texts::addon_unsupported("", name))?;
    let version = known
        .version(Some(version))
        .ok_or_else(|| texts::addon_version_unsupported("", name))?;
    let properties: serde_json::Map<String, Value> = known
        .properties
        .iter()
        .map(|property| ((*property).to_owned(), json!({})))
        .collect();
    let schema = json!({
        "$ref": "#/definitions/EksPodIdentityAgent",
        "$schema": "http://json-schema.org/draft-06/schema#",
        "definitions": { "EksPodIdentityAgent": {
            "additionalProperties": known.properties.is_empty(), "properties": properties, "type": "object",
        } },
    });
    let associations: Vec<_> = known
        .service_accounts
        .iter()
        .map(|service_account| json!({ "serviceAccount": service_account, "recommendedManagedPolicies": [] }))
        .collect();
    Ok(json!({
        "addonName": name, "addonVersion": version, "configurationSchema": schema.to_string(),
        "podIdentityConfiguration": associations,
    }))
}

fn require(cloud: &Cloud, call: &Call, action: &str) -> Result<(), ServiceError> {
    cloud.require(
        call,
        Access {
            action: action.into(),
            resource: "*".into(),
            resource_account: call.account.clone(),
            ..Access::default()
        },
    )
}
