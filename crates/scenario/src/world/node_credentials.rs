//! The credentials of nodes: sessions of their roles, as instance metadata would give them.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use emu_cloud::{Cloud, Identity, iam::NewRole, sts::AssumeRole};
use emu_cluster::sandbox::{NodeCredentials, NodeKeys};
use emu_core::Timestamp;

/// Which role each node of a cluster has.
pub struct NodeRoles {
    cloud: Arc<Cloud>,
    account: String,
    region: String,
    /// ARNs by node.
    roles: Mutex<BTreeMap<String, String>>,
    kept: Mutex<BTreeMap<String, (Timestamp, NodeKeys)>>,
}

const DEFAULT_ROLE: &str = "emu-node";

impl NodeRoles {
    /// Nodes of clusters of an account; those without a role of their own get one with AmazonEKSWorkerNodePolicy.
    pub fn new(cloud: Arc<Cloud>, account: String, region: String) -> Self {
        Self {
            cloud,
            account,
            region,
            roles: Mutex::default(),
            kept: Mutex::default(),
        }
    }

    /// Gives a node a role of its own.
    pub fn set(&self, node: &str, role_arn: String) {
        lock(&self.roles).insert(node.into(), role_arn);
    }

    fn role_of(&self, node: &str) -> Option<String> {
        if let Some(arn) = lock(&self.roles).get(node) {
            return Some(arn.clone());
        }
        let iam = &self.cloud.iam;
        let role = match iam.role(&self.account, DEFAULT_ROLE) {
            Some(role) => role,
            None => iam
                .put_role(
                    &self.cloud,
                    &self.account,
                    NewRole {
                        name: DEFAULT_ROLE.into(),
                        trust: crate::file::Trust::Named("ec2".into()).text(&self.account),
                        managed: vec!["arn:aws:iam::aws:policy/AmazonEKSWorkerNodePolicy".into()],
                        ..NewRole::default()
                    },
                )
                .ok()?,
        };
        Some(role.arn.clone())
    }
}

#[async_trait]
impl NodeCredentials for NodeRoles {
    async fn keys(&self, node: &str) -> Option<NodeKeys> {
        let now = self.cloud.now();
        if let Some((renew_at, keys)) = lock(&self.kept).get(node)
            && *renew_at > now
        {
            return Some(keys.clone());
        }
        let role_arn = self.role_of(node)?;
        let session = self
            .cloud
            .sts
            .assume_role(
                &self.cloud,
                AssumeRole {
                    request_id: self.cloud.ids().uuid().to_string(),
                    hop: 0,
                    source: "node",
                    caller: Identity::service(
                        "ec2.amazonaws.com",
                        None,
                        Some(self.account.clone()),
                    ),
                    role_arn: role_arn.clone(),
                    session_name: instance_id(node),
                    duration: Some(Duration::from_secs(6 * 3_600)),
                    tags: Vec::new(),
                    transitive_tag_keys: Vec::new(),
                    policy: None,
                    policy_arns: Vec::new(),
                    external_id: None,
                    source_identity: None,
                    region: self.region.clone(),
                },
            )
            .ok()?;
        let keys = NodeKeys {
            role: role_arn.rsplit('/').next().unwrap_or_default().into(),
            access_key_id: session.access_key_id,
            secret_access_key: session.secret_access_key,
            session_token: Some(session.session_token),
            expires_at: Some(session.expires_at),
        };
        let half = Duration::from_secs(3 * 3_600);
        if let Ok(renew_at) = now.checked_add(half) {
            lock(&self.kept).insert(node.into(), (renew_at, keys.clone()));
        }
        Some(keys)
    }
}

/// `i-` and 17 hexadecimal digits, the same for the same node.
fn instance_id(node: &str) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in node.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("i-0{hash:016x}")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
