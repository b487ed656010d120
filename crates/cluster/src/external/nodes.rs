//! The nodes of a cluster, by the names a world gives them.

use std::net::IpAddr;

use k8s_openapi::api::core::v1::Node;
use kube::{Api, Client, ResourceExt, api::ListParams};

use crate::{
    cluster::{ClusterError, ClusterKind, Result},
    kubernetes::failed,
};

/// The nodes: those that take any pod before those that do not, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Nodes(Vec<NodeAt>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct NodeAt {
    real: String,
    name: String,
    addresses: Vec<IpAddr>,
    images: Vec<String>,
}

impl Nodes {
    /// Reads them. The first ones are given these names.
    pub(super) async fn read(client: &Client, kind: ClusterKind, names: &[String]) -> Result<Self> {
        let api: Api<Node> = Api::all(client.clone());
        let list = api.list(&ListParams::default()).await;
        let mut nodes = list.map_err(failed("list the nodes"))?.items;
        nodes.sort_by_key(|node| (is_tainted(node), node.creation_timestamp(), node.name_any()));
        if nodes.len() < names.len().max(1) {
            return Err(ClusterError::Unsupported {
                kind,
                what: format!("have {} nodes", names.len().max(1)),
                why: format!("this one has {}", nodes.len()),
            });
        }
        let known = nodes.iter().enumerate().map(|(i, node)| {
            let real = node.name_any();
            let status = node.status.clone().unwrap_or_default();
            let addresses = status.addresses.into_iter().flatten();
            let images = status.images.into_iter().flatten();
            NodeAt {
                name: names.get(i).unwrap_or(&real).clone(),
                real,
                addresses: addresses.filter_map(|a| a.address.parse().ok()).collect(),
                images: images.filter_map(|image| image.names).flatten().collect(),
            }
        });
        Ok(Self(known.collect()))
    }

    /// Their names.
    pub(super) fn names(&self) -> Vec<String> {
        self.0.iter().map(|node| node.name.clone()).collect()
    }

    /// Their names as the cluster has them.
    pub(super) fn real(&self) -> Vec<String> {
        self.0.iter().map(|node| node.real.clone()).collect()
    }

    /// A node's name as the cluster has it.
    pub(super) fn real_of(&self, name: &str) -> Result<&str> {
        self.0
            .iter()
            .find(|node| node.name == name)
            .map(|node| node.real.as_str())
            .ok_or_else(|| ClusterError::no_node(name))
    }

    /// A node's name here.
    pub(super) fn name_of(&self, real: &str) -> String {
        let known = self.0.iter().find(|node| node.real == real);
        known.map_or_else(|| real.to_owned(), |node| node.name.clone())
    }

    /// The node that calls from this address. Where addresses are changed on the way it is the only one, or the first.
    pub(super) fn at(&self, address: IpAddr) -> &str {
        let address = address.to_canonical();
        self.0
            .iter()
            .find(|node| node.addresses.contains(&address))
            .or(self.0.first())
            .map_or("", |node| node.name.as_str())
    }

    /// Where pods go for which no node is named: what a scenario says of "the" node holds for it.
    pub(super) fn usual(&self) -> Option<&str> {
        self.0.first().map(|node| node.real.as_str())
    }

    /// Whether there is but one.
    pub(super) fn is_one(&self) -> bool {
        self.0.len() == 1
    }

    /// Whether every node has an IPv6 address.
    pub(super) fn have_ipv6(&self) -> bool {
        self.0
            .iter()
            .all(|node| node.addresses.iter().any(IpAddr::is_ipv6))
    }

    /// Whether every node says that it has this image.
    pub(super) fn have_image(&self, reference: &str) -> bool {
        self.0
            .iter()
            .all(|node| node.images.iter().any(|image| image == reference))
    }
}

/// Whether it keeps pods off that do not tolerate it.
fn is_tainted(node: &Node) -> bool {
    let taints = node
        .spec
        .iter()
        .flat_map(|spec| spec.taints.iter().flatten());
    taints
        .into_iter()
        .any(|taint| taint.effect != "PreferNoSchedule")
}
