//! What is given, established: one function a noun, used by `given` and by `create` alike.

use std::collections::BTreeMap;

use emu_cloud::{
    Call,
    eks::{ClusterKey, CreateAddon, CreateAssociation},
    iam::{CreateProvider, NewRole, Tag},
};
use emu_core::settings::AgentSettings;
use k8s_openapi::{api::core::v1, apimachinery::pkg::apis::meta::v1::ObjectMeta};

use super::World;
use crate::{
    file::Trust,
    given::{self, Given},
    run::{Observation, Trouble},
};

/// The image of pods that do not name one, for clusters that run images.
const PROBE_IMAGE: &str = "emu.local/probe:latest";

impl World {
    /// Establishes what is given. Clusters and nodes are there already.
    ///
    /// # Errors
    /// If anything of it is refused.
    pub async fn establish(&mut self, given: &Given) -> Result<(), Trouble> {
        for role in &given.roles {
            role.establish(self).map_err(|e| e.at(&role.name))?;
        }
        for bucket in &given.buckets {
            bucket.establish(self).map_err(|e| e.at(&bucket.name))?;
        }
        for account in &given.service_accounts {
            account
                .establish(self)
                .await
                .map_err(|e| e.at(&account.name))?;
        }
        for addon in &given.addons {
            addon.establish(self).map_err(|e| e.at(&addon.name))?;
        }
        for association in &given.associations {
            association
                .establish(self)
                .map_err(|e| e.at(&association.service_account))?;
        }
        for pod in &given.pods {
            let seen = pod.establish(self).await.map_err(|e| e.at(&pod.name))?;
            if let Some(error) = seen.error {
                return Err(Trouble::new(error.message).at(&pod.name));
            }
        }
        Ok(())
    }

    pub(super) fn add_oidc_provider(&self, call: &Call, key: &ClusterKey) -> Result<(), Trouble> {
        let oidc = self.cloud.eks.oidc(&self.cloud, key)?;
        self.cloud.iam.create_provider(
            &self.cloud,
            call,
            CreateProvider {
                url: oidc.issuer,
                client_ids: vec!["sts.amazonaws.com".into()],
                ..CreateProvider::default()
            },
        )?;
        Ok(())
    }

    /// The administrator's call in a cluster's account.
    pub(super) fn call_for(
        &self,
        cluster: Option<&crate::file::Located<String>>,
    ) -> Result<(Call, ClusterKey), Trouble> {
        let key = self.clusters[self.cluster_place(cluster)?].key.clone();
        Ok((Call::administrator(&self.cloud, &key.account), key))
    }
}

impl given::Cluster {
    /// Creates it.
    ///
    /// # Errors
    /// If it is refused or does not come up.
    pub async fn establish(&self, world: &mut World) -> Result<(), Trouble> {
        world.add_cluster(self, &[]).await
    }
}

impl given::Addon {
    /// Creates it.
    ///
    /// # Errors
    /// If it is refused.
    pub fn establish(&self, world: &World) -> Result<(), Trouble> {
        let (call, key) = world.call_for(self.cluster.as_ref())?;
        let input = CreateAddon {
            addon_name: Some(self.name.value.clone()),
            addon_version: self.version.clone(),
            configuration_values: self.configuration.clone(),
            ..CreateAddon::default()
        };
        world
            .cloud
            .eks
            .create_addon(&world.cloud, &call, &key.name, input)?;
        Ok(())
    }
}

impl given::Role {
    /// Creates it.
    ///
    /// # Errors
    /// If it is refused.
    pub fn establish(&self, world: &World) -> Result<(), Trouble> {
        let account = world.account(self.account.as_ref())?;
        let of_node = world.names.node_roles.contains(self.name.as_str());
        let usual = if of_node {
            Trust::Named("ec2".into())
        } else {
            Trust::default()
        };
        let trust = self.trust.clone().unwrap_or(usual).text(&account);
        // A node's role of which nothing is said can do what nodes must.
        let worker_policy = "AmazonEKSWorkerNodePolicy".to_owned();
        let plain = of_node && self.managed.is_empty() && self.permissions.is_none();
        let worker = plain.then_some(&worker_policy);
        let new = NewRole {
            name: self.name.value.clone(),
            path: self.path.clone(),
            trust: world.fill(&trust, &account),
            inline: self
                .permissions
                .iter()
                .map(|policy| {
                    (
                        "permissions".to_owned(),
                        world.fill(&policy.text(), &account),
                    )
                })
                .collect(),
            managed: self
                .managed
                .iter()
                .chain(worker)
                .map(|name| {
                    if name.starts_with("arn:") {
                        name.clone()
                    } else {
                        format!("arn:aws:iam::aws:policy/{name}")
                    }
                })
                .collect(),
            tags: tags(&self.tags),
            max_session_seconds: self
                .max_session
                .map(|span| i32::try_from(span.get().as_secs()).unwrap_or(i32::MAX)),
            boundary: self.boundary.clone(),
        };
        let role = world.cloud.iam.put_role(&world.cloud, &account, new)?;
        world.remember_role(&self.name, &role.arn);
        Ok(())
    }
}

impl World {
    /// `{account}`, `{account:alias}` and `{cluster}` in a policy's text, filled in.
    pub(super) fn fill(&self, text: &str, account: &str) -> String {
        let mut filled = text.replace("{account}", account);
        for (alias, id) in &self.names.accounts {
            filled = filled.replace(&format!("{{account:{alias}}}"), id);
        }
        if let Some(at) = self.clusters.first() {
            filled = filled
                .replace("{cluster.arn}", &at.key.arn())
                .replace("{cluster}", &at.key.name)
                .replace("{region}", &at.key.region);
            if filled.contains("{issuer}")
                && let Ok(oidc) = self.cloud.eks.oidc(&self.cloud, &at.key)
            {
                filled = filled.replace("{issuer}", oidc.issuer.trim_start_matches("https://"));
            }
        }
        filled
    }
}

impl given::ServiceAccount {
    /// Creates it, or replaces one of the same name.
    ///
    /// # Errors
    /// If the cluster refuses it.
    pub async fn establish(&self, world: &World) -> Result<(), Trouble> {
        let place = world.cluster_place(self.cluster.as_ref())?;
        let cluster = world.clusters[place].cluster.clone();
        let mut annotations = self.annotations.clone();
        if let Some(role) = &self.role {
            annotations.insert("eks.amazonaws.com/role-arn".into(), world.role_arn(role)?);
        }
        cluster
            .apply_service_account(v1::ServiceAccount {
                metadata: ObjectMeta {
                    name: Some(self.name.value.clone()),
                    namespace: Some(self.namespace.value.clone()),
                    annotations: (!annotations.is_empty()).then_some(annotations),
                    ..ObjectMeta::default()
                },
                ..v1::ServiceAccount::default()
            })
            .await?;
        let mut known = world
            .names
            .service_accounts
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        known.insert((place, self.namespace.value.clone(), self.name.value.clone()));
        Ok(())
    }
}

impl given::Association {
    /// Creates it.
    ///
    /// # Errors
    /// If it is refused.
    pub fn establish(&self, world: &World) -> Result<(), Trouble> {
        let (call, key) = world.call_for(self.cluster.as_ref())?;
        let role_arn = self
            .role
            .as_ref()
            .map(|role| world.role_arn(role))
            .transpose()?;
        let input = CreateAssociation {
            namespace: Some(self.namespace.value.clone()),
            service_account: Some(self.service_account.value.clone()),
            role_arn,
            tags: (!self.tags.is_empty()).then(|| self.tags.clone()),
            disable_session_tags: self.disable_session_tags,
            target_role_arn: self
                .target_role
                .as_ref()
                .map(|role| world.role_arn(role))
                .transpose()?,
            policy: self
                .policy
                .as_ref()
                .map(|p| world.fill(&p.text(), &key.account)),
            ..CreateAssociation::default()
        };
        world
            .cloud
            .eks
            .create_association(&world.cloud, &call, &key.name, input)?;
        Ok(())
    }
}

impl given::Bucket {
    /// Creates it with its objects.
    ///
    /// # Errors
    /// If it is refused.
    pub fn establish(&self, world: &World) -> Result<(), Trouble> {
        let account = world.account(self.account.as_ref())?;
        let policy = self
            .policy
            .as_ref()
            .map(|policy| world.fill(&policy.text(), &account));
        world.put_bucket(&account, &self.name, &self.objects, policy.as_deref())?;
        let mut first = world
            .names
            .bucket
            .write()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        first.get_or_insert_with(|| self.name.value.clone());
        Ok(())
    }
}

impl given::Pod {
    /// Creates it. A refusal at admission is an observation.
    ///
    /// # Errors
    /// If the cluster cannot run it.
    pub async fn establish(&self, world: &mut World) -> Result<Observation, Trouble> {
        let place = world.cluster_place(self.cluster.as_ref())?;
        let cluster = world.clusters[place].cluster.clone();
        self.ensure_service_account(world, place).await?;
        let object = self.object(PROBE_IMAGE);
        let node = self.node.as_ref().map(|n| n.as_str());
        match cluster.create_pod(object, node).await {
            Ok(pod) => {
                let name = emu_cluster::PodName::new(self.namespace(), self.name.value.clone());
                world.names.pods.retain(|(_, known)| *known != name);
                world.names.pods.push((place, name));
                Ok(Observation::pod(pod))
            }
            Err(emu_cluster::ClusterError::Refused { message }) => {
                Ok(Observation::refused(message))
            }
            Err(other) => Err(other.into()),
        }
    }
}

impl given::Pod {
    /// A pod's service account comes into being with it, unless it is there.
    async fn ensure_service_account(&self, world: &World, place: usize) -> Result<(), Trouble> {
        let wanted = (
            place,
            self.namespace().to_owned(),
            self.service_account().to_owned(),
        );
        let known = world
            .names
            .service_accounts
            .read()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .contains(&wanted);
        if known {
            return Ok(());
        }
        let (_, namespace, name) = wanted;
        let account = given::ServiceAccount {
            namespace: namespace.as_str().into(),
            name: name.as_str().into(),
            cluster: self.cluster.clone(),
            ..given::ServiceAccount::default()
        };
        account.establish(world).await
    }
}

impl given::Agent {
    /// Turns the knobs of an agent.
    pub(super) fn turn(&self, settings: &mut AgentSettings) {
        if let Some(profile) = &self.profile {
            settings.profile.clone_from(&profile.value);
        }
        if let Some(renewal) = self.renewal {
            settings.max_credential_retention_before_renewal = renewal;
        }
        if let Some(size) = self.cache_size {
            settings.max_cache_size = size;
        }
        if let Some(attempts) = self.max_attempts {
            settings.max_attempts = attempts;
        }
    }
}

fn tags(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}
