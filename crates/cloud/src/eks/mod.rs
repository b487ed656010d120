//! EKS: clusters, add-ons and Pod Identity associations. Source of shapes: model eks 2017-11-01.

mod addon;
mod addon_versions;
mod association;
mod cluster;
mod feed;
mod keys;
mod oidc;
mod page;
mod role;
mod store;
mod tags;
mod texts;
mod time;

pub use addon::{Addon, CreateAddon, DeletedAddon, UpdateAddon};
pub use addon_versions::{AddonVersion, DescribeAddonVersions, describe_addon_configuration};
pub(crate) use association::PODS;
pub use association::{
    Association, AssociationSummary, CreateAssociation, ListAssociations, UpdateAssociation,
};
pub use cluster::{Cluster, CreateCluster};
pub use feed::Feed;
pub use keys::SigningKey;
pub use oidc::{Jwk, Oidc};
pub use page::{Page, PageRequest};
pub use store::{ClusterKey, Eks};
pub use time::Epoch;
