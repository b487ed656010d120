//! What is asked for.

use std::{path::PathBuf, time::Duration};

use crate::cluster::ClusterKind;

/// Which program makes the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Provider {
    /// kind: the control plane that kubeadm makes.
    Kind,
    /// k3d: k3s.
    K3d,
}

impl Provider {
    /// The program's name.
    pub fn program(self) -> &'static str {
        match self {
            Self::Kind => "kind",
            Self::K3d => "k3d",
        }
    }

    /// The provider of a kind of cluster, if it is one in Docker.
    pub fn of(kind: ClusterKind) -> Option<Self> {
        match kind {
            ClusterKind::Kind => Some(Self::Kind),
            ClusterKind::K3d => Some(Self::K3d),
            _ => None,
        }
    }

    /// The kind of cluster.
    pub fn kind(self) -> ClusterKind {
        match self {
            Self::Kind => ClusterKind::Kind,
            Self::K3d => ClusterKind::K3d,
        }
    }
}

impl std::fmt::Display for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.program())
    }
}

/// Which addresses the cluster's nodes, pods and services have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum IpFamily {
    /// IPv4 alone.
    #[default]
    Ipv4,
    /// IPv6 alone.
    Ipv6,
    /// Both.
    Dual,
}

impl IpFamily {
    /// In kind's words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
            Self::Dual => "dual",
        }
    }
}

impl std::str::FromStr for IpFamily {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "ipv4" => Ok(Self::Ipv4),
            "ipv6" => Ok(Self::Ipv6),
            "dual" => Ok(Self::Dual),
            other => Err(format!("`{other}` is none of ipv4, ipv6, dual")),
        }
    }
}

/// A cluster that is wanted. [`Spec::new`] gives one node of the image that the program takes by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spec {
    /// Which program makes it.
    pub provider: Provider,
    /// Its name, as that program knows it.
    pub name: String,
    /// How many nodes it has, the first one of them the control plane; all take pods.
    pub nodes: usize,
    /// The nodes' image, and so the version of Kubernetes; the program's choice if absent.
    pub image: Option<String>,
    /// The addresses. k3d knows IPv4 alone.
    pub family: IpFamily,
    /// A configuration file of the user's for the program, to which ours is added.
    pub config: Option<PathBuf>,
    /// It is left there when we are done with it.
    pub keep: bool,
    /// How long making it may take, the pulling of images included.
    pub limit: Duration,
}

impl Spec {
    /// The name of a cluster that was given none.
    pub const USUAL_NAME: &str = "emu";

    /// One node, which goes when we do.
    pub fn new(provider: Provider, name: impl Into<String>) -> Self {
        Self {
            provider,
            name: name.into(),
            nodes: 1,
            image: None,
            family: IpFamily::Ipv4,
            config: None,
            keep: false,
            limit: Duration::from_secs(600),
        }
    }

    /// The issuer of its service accounts' tokens, in the form EKS gives it: the id is made of the name.
    pub fn issuer(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let digest = hex::encode_upper(Sha256::digest(format!("{} {}", self.provider, self.name)));
        format!(
            "https://oidc.eks.us-east-1.amazonaws.com/id/{}",
            &digest[..32]
        )
    }
}
