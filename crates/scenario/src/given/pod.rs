//! Pods.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{self, PodSpec},
    apimachinery::pkg::apis::meta::v1::ObjectMeta,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::file::Located;

/// A pod.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Pod {
    /// Its name.
    pub name: Located<String>,
    /// Its namespace; `default` if absent.
    pub namespace: Option<Located<String>>,
    /// Its service account; `default` if absent.
    pub service_account: Option<Located<String>>,
    /// The cluster; the first one if absent.
    pub cluster: Option<Located<String>>,
    /// The node; any if absent.
    pub node: Option<Located<String>>,
    /// Variables of its container.
    pub env: BTreeMap<String, String>,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// Its annotations.
    pub annotations: BTreeMap<String, String>,
    /// The image of its container, for clusters that run images.
    pub image: Option<String>,
    /// Its containers, if there are several.
    pub containers: Vec<Container>,
    /// It runs in the node's network.
    pub host_network: bool,
    /// Its node selector.
    pub node_selector: BTreeMap<String, String>,
}

/// A container.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Container {
    /// Its name.
    pub name: String,
    /// Its variables.
    pub env: BTreeMap<String, String>,
    /// Its image.
    pub image: Option<String>,
}

/// A variable.
pub type EnvVar = v1::EnvVar;

impl Pod {
    /// The pod as Kubernetes knows it.
    pub fn object(&self, default_image: &str) -> v1::Pod {
        let container =
            |name: &str, env: &BTreeMap<String, String>, image: &Option<String>| v1::Container {
                name: name.into(),
                image: Some(image.clone().unwrap_or_else(|| default_image.into())),
                env: (!env.is_empty()).then(|| {
                    env.iter()
                        .map(|(name, value)| EnvVar {
                            name: name.clone(),
                            value: Some(value.clone()),
                            value_from: None,
                        })
                        .collect()
                }),
                ..v1::Container::default()
            };
        let containers = if self.containers.is_empty() {
            vec![container("main", &self.env, &self.image)]
        } else {
            self.containers
                .iter()
                .map(|c| container(&c.name, &c.env, &c.image))
                .collect()
        };
        let some = |map: &BTreeMap<String, String>| (!map.is_empty()).then(|| map.clone());
        v1::Pod {
            metadata: ObjectMeta {
                name: Some(self.name.value.clone()),
                namespace: Some(self.namespace().into()),
                labels: some(&self.labels),
                annotations: some(&self.annotations),
                ..ObjectMeta::default()
            },
            spec: Some(PodSpec {
                service_account_name: Some(self.service_account().into()),
                containers,
                host_network: self.host_network.then_some(true),
                node_selector: some(&self.node_selector),
                ..PodSpec::default()
            }),
            status: None,
        }
    }

    /// Its namespace.
    pub fn namespace(&self) -> &str {
        self.namespace.as_ref().map_or("default", |n| n.as_str())
    }

    /// Its service account.
    pub fn service_account(&self) -> &str {
        self.service_account
            .as_ref()
            .map_or("default", |n| n.as_str())
    }
}
