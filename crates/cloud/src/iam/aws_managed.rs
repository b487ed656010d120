//! The policies AWS manages: recorded documents, read when first asked for.

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
};

use emu_core::Timestamp;
use emu_policy::{Document, DocumentKind};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::{ManagedPolicy, PolicyVersion};

macro_rules! recorded {
    ($($name:literal),* $(,)?) => {
        [$(include_str!(concat!("../../../../fixtures/aws-managed-policies/", $name, ".json"))),*]
    };
}

const RECORDED: &[&str] = &recorded![
    "AWSDenyAll",
    "AdministratorAccess",
    "AmazonDynamoDBFullAccess",
    "AmazonDynamoDBReadOnlyAccess",
    "AmazonEBSCSIDriverPolicy",
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEC2ContainerRegistryReadOnly",
    "AmazonEFSCSIDriverPolicy",
    "AmazonEKSClusterPolicy",
    "AmazonEKSServicePolicy",
    "AmazonEKSVPCResourceController",
    "AmazonEKSWorkerNodeMinimalPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
    "AmazonS3FullAccess",
    "AmazonS3ReadOnlyAccess",
    "AmazonSQSFullAccess",
    "AmazonSSMManagedInstanceCore",
    "CloudWatchAgentServerPolicy",
    "IAMFullAccess",
    "IAMReadOnlyAccess",
    "PowerUserAccess",
    "ReadOnlyAccess",
    "SecretsManagerReadWrite",
];

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Recorded {
    name: String,
    path: String,
    create_date: Timestamp,
    update_date: Timestamp,
    default_version: u32,
    document: serde_json::Value,
}

/// The policy AWS manages under this ARN.
pub(super) fn find(arn: &str) -> Option<Arc<ManagedPolicy>> {
    if !arn.starts_with("arn:aws:iam::aws:policy/") {
        return None;
    }
    table().get(arn).cloned()
}

/// All of them, by ARN.
pub(super) fn all() -> impl Iterator<Item = Arc<ManagedPolicy>> {
    table().values().cloned()
}

fn table() -> &'static BTreeMap<String, Arc<ManagedPolicy>> {
    static TABLE: OnceLock<BTreeMap<String, Arc<ManagedPolicy>>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let policies = RECORDED.iter().filter_map(|text| read(text));
        policies
            .map(|policy| (policy.arn.clone(), Arc::new(policy)))
            .collect()
    })
}

/// Nothing for a file that cannot be read; the test below sees to it that there is none.
fn read(text: &str) -> Option<ManagedPolicy> {
    let recorded: Recorded = serde_json::from_str(text).ok()?;
    let document = Document::parse(
        &serde_json::to_string_pretty(&recorded.document).ok()?,
        DocumentKind::Identity,
    )
    .ok()?;
    let arn = format!("arn:aws:iam::aws:policy{}{}", recorded.path, recorded.name);
    Some(ManagedPolicy {
        id: id(&arn),
        arn,
        name: recorded.name,
        path: recorded.path,
        description: None,
        created_at: recorded.create_date,
        updated_at: recorded.update_date,
        versions: vec![PolicyVersion {
            number: recorded.default_version,
            document: Arc::new(document),
            created_at: recorded.update_date,
        }],
        default_version: recorded.default_version,
        last_version: recorded.default_version,
        tags: Vec::new(),
    })
}

/// The same id in every run; the real ones are not recorded.
fn id(arn: &str) -> String {
    let digest = Sha256::digest(arn.as_bytes());
    let letters = digest
        .iter()
        .take(17)
        .map(|byte| char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[usize::from(byte & 31)]));
    format!("ANPA{}", letters.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_recorded_policy_can_be_read() {
        assert_eq!(table().len(), RECORDED.len());
        let node = find("arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy").unwrap();
        assert!(
            node.document()
                .unwrap()
                .text()
                .contains("eks-auth:AssumeRoleForPodIdentity")
        );
        assert!(find("arn:aws:iam::aws:policy/service-role/AmazonEBSCSIDriverPolicy").is_some());
        assert!(find("arn:aws:iam::aws:policy/Nothing").is_none());
    }
}
