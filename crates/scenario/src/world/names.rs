//! Names in a scenario and what they stand for.

use std::{collections::BTreeMap, sync::RwLock};

use emu_cluster::{PodName, SharedCluster};

use super::World;
use crate::{client::Keys, file::Located, load::nearest, run::Trouble};

/// What names stand for.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// Aliases of accounts.
    pub(super) accounts: BTreeMap<String, String>,
    /// ARNs of roles, by name; the first of several accounts wins.
    pub(super) roles: RwLock<BTreeMap<String, String>>,
    /// The pods, with the place of their cluster.
    pub(super) pods: Vec<(usize, PodName)>,
    /// The nodes, with the place of their cluster.
    pub(super) nodes: Vec<(usize, String)>,
    /// Service accounts created, with the place of their cluster.
    pub(super) service_accounts: RwLock<std::collections::BTreeSet<(usize, String, String)>>,
    /// Roles that nodes have.
    pub(super) node_roles: std::collections::BTreeSet<String>,
    /// The first bucket given.
    pub(super) bucket: RwLock<Option<String>>,
}

/// There is nothing of that name.
pub fn unknown<'n>(
    what: &str,
    name: &Located<String>,
    known: impl IntoIterator<Item = &'n str>,
) -> Trouble {
    let known: Vec<&str> = known.into_iter().collect();
    let trouble = Trouble::new(format!("unknown {what} `{name}`")).at(name);
    match nearest(name, known.iter().copied()) {
        Some(near) => trouble.help(format!("did you mean `{near}`?")),
        None if known.is_empty() => trouble.help("there is none"),
        None => trouble.help(format!("there is {}", known.join(", "))),
    }
}

impl World {
    /// The id of an account: an alias, an id, or the default one.
    ///
    /// # Errors
    /// If it is neither.
    pub fn account(&self, name: Option<&Located<String>>) -> Result<String, Trouble> {
        let Some(name) = name else {
            return Ok(self.settings().account.clone());
        };
        if let Some(id) = self.names.accounts.get(name.as_str()) {
            return Ok(id.clone());
        }
        if name.len() == 12 && name.bytes().all(|b| b.is_ascii_digit()) {
            return Ok(name.value.clone());
        }
        Err(unknown(
            "account",
            name,
            self.names.accounts.keys().map(String::as_str),
        ))
    }

    /// The administrator's keys of an account: `admin` is the default account's.
    ///
    /// # Errors
    /// If there is no such account.
    pub fn admin_keys(&self, name: &Located<String>) -> Result<Keys, Trouble> {
        let own = self.settings().account.clone();
        let account = if name.as_str() == "admin" {
            own.clone()
        } else {
            self.account(Some(name))?
        };
        Ok(Keys {
            access_key_id: if account == own {
                "test".into()
            } else {
                account
            },
            secret_access_key: "test".into(),
            session_token: None,
        })
    }

    /// A role's ARN, by name or as it is.
    ///
    /// # Errors
    /// If no role of that name was created.
    pub fn role_arn(&self, name: &Located<String>) -> Result<String, Trouble> {
        if name.starts_with("arn:") || name.is_empty() {
            return Ok(name.value.clone());
        }
        let roles = self
            .names
            .roles
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        roles
            .get(name.as_str())
            .cloned()
            .ok_or_else(|| unknown("role", name, roles.keys().map(String::as_str)))
    }

    /// Remembers a role.
    pub(super) fn remember_role(&self, name: &str, arn: &str) {
        let mut roles = self
            .names
            .roles
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        roles.entry(name.into()).or_insert_with(|| arn.into());
    }

    /// The first bucket given.
    pub fn first_bucket(&self) -> Option<String> {
        self.names
            .bucket
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .clone()
    }

    /// A cluster by name, or the first one.
    ///
    /// # Errors
    /// If there is no such cluster.
    pub fn cluster(&self, name: Option<&Located<String>>) -> Result<SharedCluster, Trouble> {
        self.cluster_place(name)
            .map(|place| self.clusters[place].cluster.clone())
    }

    pub(super) fn cluster_place(&self, name: Option<&Located<String>>) -> Result<usize, Trouble> {
        match name {
            None if self.clusters.is_empty() => Err(Trouble::new("there is no cluster")),
            None => Ok(0),
            Some(name) => self
                .clusters
                .iter()
                .position(|at| at.key.name == name.value)
                .ok_or_else(|| {
                    unknown(
                        "cluster",
                        name,
                        self.clusters.iter().map(|at| at.key.name.as_str()),
                    )
                }),
        }
    }

    /// A pod by name, or by `namespace/name`.
    ///
    /// # Errors
    /// If there is no such pod.
    pub fn pod(&self, name: &Located<String>) -> Result<(SharedCluster, PodName), Trouble> {
        let wanted = |pod: &PodName| match name.split_once('/') {
            Some((namespace, name)) => pod.namespace == namespace && pod.name == name,
            None => pod.name == name.value,
        };
        self.names
            .pods
            .iter()
            .rev()
            .find(|(_, pod)| wanted(pod))
            .map(|(place, pod)| (self.clusters[*place].cluster.clone(), pod.clone()))
            .ok_or_else(|| {
                unknown(
                    "pod",
                    name,
                    self.names.pods.iter().map(|(_, pod)| pod.name.as_str()),
                )
            })
    }

    /// The cluster a node belongs to.
    ///
    /// # Errors
    /// If there is no such node.
    pub fn cluster_of_node(&self, name: &Located<String>) -> Result<SharedCluster, Trouble> {
        self.names
            .nodes
            .iter()
            .find(|(_, node)| *node == name.value)
            .map(|(place, _)| self.clusters[*place].cluster.clone())
            .ok_or_else(|| {
                unknown(
                    "node",
                    name,
                    self.names.nodes.iter().map(|(_, node)| node.as_str()),
                )
            })
    }
}
