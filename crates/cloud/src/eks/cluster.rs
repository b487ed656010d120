//! Clusters, as far as Pod Identity needs them.

use std::collections::BTreeMap;

use emu_core::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Epoch, Page, PageRequest,
    store::{ClusterKey, Eks, Stored, later, record_cluster},
    texts,
};
use crate::{Access, Call, Cloud, ServiceError};

/// A cluster as EKS shows it (model, minimum for a fake).
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Cluster {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    created_at: Epoch,
    /// The Kubernetes version.
    pub version: String,
    endpoint: String,
    role_arn: String,
    resources_vpc_config: Value,
    kubernetes_network_config: Value,
    identity: Value,
    /// `CREATING`, `ACTIVE`, `DELETING`.
    pub status: String,
    certificate_authority: Value,
    platform_version: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    access_config: Value,
    deletion_protection: bool,
    #[serde(skip)]
    changes_at: Option<Timestamp>,
}

/// Input of CreateCluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateCluster {
    /// The name.
    pub name: Option<String>,
    /// The cluster role.
    pub role_arn: Option<String>,
    /// Subnets and security groups; kept as they come.
    pub resources_vpc_config: Option<Value>,
    /// The Kubernetes version.
    pub version: Option<String>,
    /// Tags.
    pub tags: Option<BTreeMap<String, String>>,
    /// Whether DeleteCluster is refused.
    pub deletion_protection: Option<bool>,
    /// Kept as it comes.
    pub kubernetes_network_config: Option<Value>,
    /// Kept as it comes.
    pub access_config: Option<Value>,
    /// For idempotency.
    pub client_request_token: Option<String>,
}

impl Cluster {
    /// Its OIDC issuer.
    pub fn issuer(&self) -> &str {
        self.identity["oidc"]["issuer"].as_str().unwrap_or_default()
    }

    pub(super) fn set_issuer(&mut self, issuer: &str) {
        self.identity = json!({ "oidc": { "issuer": issuer } });
    }

    pub(super) fn is_gone(&self, now: Timestamp) -> bool {
        self.status == "DELETING" && self.changes_at.is_none_or(|at| at <= now)
    }

    fn shown(&self, now: Timestamp) -> Self {
        let mut shown = self.clone();
        if self.status == "CREATING" && self.changes_at.is_none_or(|at| at <= now) {
            shown.status = "ACTIVE".into();
        }
        shown
    }

    /// Whether it is past its creation.
    pub fn is_active(&self, now: Timestamp) -> bool {
        self.shown(now).status == "ACTIVE"
    }
}

impl Eks {
    /// CreateCluster. The Kubernetes side is somebody else's affair (`emu-cluster`).
    ///
    /// # Errors
    /// As the model says; texts in `texts.rs`.
    pub fn create_cluster(
        &self,
        cloud: &Cloud,
        call: &Call,
        input: CreateCluster,
    ) -> Result<Cluster, ServiceError> {
        let name = input.name.as_deref().unwrap_or_default();
        check_name(name)?;
        let key = ClusterKey::of(call, name);
        cloud.require(
            call,
            Access {
                action: "eks:CreateCluster".into(),
                resource: key.arn(),
                resource_account: key.account.clone(),
                context: super::tags::request_tags(input.tags.as_ref()),
                ..Access::default()
            },
        )?;
        let tags = super::tags::checked(input.tags.clone().unwrap_or_default())?;
        let now = cloud.now();
        let settings = cloud.settings();
        let mut clusters = self.write();
        if let Some(stored) = clusters.get(&key).filter(|s| !s.cluster.is_gone(now)) {
            let same_token = input
                .client_request_token
                .as_ref()
                .is_some_and(|token| stored.tokens.contains_key(token));
            return if same_token {
                Ok(stored.cluster.shown(now))
            } else {
                Err(texts::cluster_exists(name))
            };
        }
        let version = input.version.unwrap_or_else(|| "1.34".into());
        let cluster = Cluster {
            name: name.into(),
            arn: key.arn(),
            created_at: Epoch(now),
            endpoint: format!(
                "https://{}.gr7.{}.eks.amazonaws.com",
                cloud.ids().issuer(),
                key.region
            ),
            role_arn: input.role_arn.unwrap_or_default(),
            resources_vpc_config: vpc(input.resources_vpc_config),
            kubernetes_network_config: input.kubernetes_network_config.unwrap_or_else(
                || json!({ "serviceIpv4Cidr": "10.100.0.0/16", "ipFamily": "ipv4" }),
            ),
            identity: json!({ "oidc": { "issuer": format!(
                "https://oidc.eks.{}.amazonaws.com/id/{}", key.region, cloud.ids().issuer()
            ) } }),
            status: "CREATING".into(),
            certificate_authority: json!({ "data": "" }),
            platform_version: "eks.1".into(),
            tags,
            access_config: input
                .access_config
                .unwrap_or_else(|| json!({ "authenticationMode": "API_AND_CONFIG_MAP" })),
            deletion_protection: input.deletion_protection.unwrap_or(false),
            changes_at: Some(later(now, settings.lifetimes.transition)),
            version,
        };
        let shown = cluster.clone();
        clusters.insert(
            key.clone(),
            Stored {
                cluster,
                key: None,
                registered: None,
                associations: BTreeMap::new(),
                tombstones: Vec::new(),
                addons: BTreeMap::new(),
                updates: BTreeMap::new(),
                tokens: input
                    .client_request_token
                    .into_iter()
                    .map(|token| (token, (0, String::new())))
                    .collect(),
            },
        );
        drop(clusters);
        record_cluster(cloud, &key, true);
        Ok(shown)
    }

    /// DescribeCluster.
    ///
    /// # Errors
    /// If there is none of that name, or the caller may not.
    pub fn describe_cluster(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: &str,
    ) -> Result<Cluster, ServiceError> {
        let key = ClusterKey::of(call, name);
        self.require_on_cluster(cloud, call, "eks:DescribeCluster", &key)?;
        self.with(cloud, &key, |stored| Ok(stored.cluster.shown(cloud.now())))
    }

    /// DeleteCluster; its associations vanish with it.
    ///
    /// # Errors
    /// If there is none of that name, it is protected, or the caller may not.
    pub fn delete_cluster(
        &self,
        cloud: &Cloud,
        call: &Call,
        name: &str,
    ) -> Result<Cluster, ServiceError> {
        let key = ClusterKey::of(call, name);
        self.require_on_cluster(cloud, call, "eks:DeleteCluster", &key)?;
        let now = cloud.now();
        let transition = cloud.settings().lifetimes.transition;
        let deleted = self.with_mut(cloud, &key, |stored| {
            if stored.cluster.deletion_protection {
                return Err(texts::deletion_protected(name));
            }
            stored.cluster.status = "DELETING".into();
            stored.cluster.changes_at = Some(later(now, transition));
            stored.associations.clear();
            Ok(stored.cluster.clone())
        })?;
        record_cluster(cloud, &key, false);
        Ok(deleted)
    }

    /// ListClusters.
    ///
    /// # Errors
    /// If the page request is wrong or the caller may not.
    pub fn list_clusters(
        &self,
        cloud: &Cloud,
        call: &Call,
        page: &PageRequest,
    ) -> Result<Page<String>, ServiceError> {
        cloud.require(
            call,
            Access {
                action: "eks:ListClusters".into(),
                resource: format!("arn:aws:eks:{}:{}:cluster/*", call.region, call.account),
                resource_account: call.account.clone(),
                ..Access::default()
            },
        )?;
        let names: Vec<_> = self
            .clusters(cloud)
            .into_iter()
            .filter(|(key, _)| key.account == call.account && key.region == call.region)
            .map(|(key, _)| (key.name.clone(), key.name))
            .collect();
        page.cut(
            &cloud.settings(),
            (&call.account, &call.region),
            names.into_iter(),
        )
    }

    /// May the caller do this to the cluster? Asked before whether there is one, as AWS does.
    pub(super) fn require_on_cluster(
        &self,
        cloud: &Cloud,
        call: &Call,
        action: &str,
        key: &ClusterKey,
    ) -> Result<(), ServiceError> {
        let tags = self
            .read()
            .get(key)
            .map(|stored| stored.cluster.tags.clone())
            .unwrap_or_default();
        cloud.require(
            call,
            Access {
                action: action.into(),
                resource: key.arn(),
                resource_account: key.account.clone(),
                resource_tags: tags,
                ..Access::default()
            },
        )
    }
}

/// Model: 1 to 100 characters, `^[0-9A-Za-z][A-Za-z0-9\-_]*`; the text is inferred.
fn check_name(name: &str) -> Result<(), ServiceError> {
    let mut chars = name.chars();
    let first = chars.next().is_some_and(|c| c.is_ascii_alphanumeric());
    if first
        && name.len() <= 100
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    {
        Ok(())
    } else {
        Err(texts::invalid(
            "The cluster name must begin with a letter or digit and have 1 to 100 letters, digits, hyphens or underscores",
        )
        .with("clusterName", name))
    }
}

fn vpc(given: Option<Value>) -> Value {
    let mut config = given.unwrap_or_else(|| json!({}));
    if let Some(config) = config.as_object_mut() {
        for (name, value) in [
            ("subnetIds", json!([])),
            ("securityGroupIds", json!([])),
            ("endpointPublicAccess", json!(true)),
            ("endpointPrivateAccess", json!(false)),
        ] {
            config.entry(name).or_insert(value);
        }
    }
    config
}
