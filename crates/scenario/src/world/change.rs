//! What `update` and `delete` do at AWS.

use emu_cloud::{
    Call,
    eks::{Association, ClusterKey, UpdateAssociation},
};
use serde_json::{Map, Value};

use super::World;
use crate::{
    file::{Located, PolicyText, Trust},
    given,
    run::Trouble,
    verb::ServiceAccountName,
};

impl World {
    fn association(
        &self,
        cluster: Option<&Located<String>>,
        namespace: &str,
        service_account: &str,
    ) -> Result<(Call, ClusterKey, Association), Trouble> {
        let (call, key) = self.call_for(cluster)?;
        let found = self
            .cloud
            .eks
            .associations(&key)
            .into_iter()
            .find(|a| a.namespace == namespace && a.service_account == service_account);
        match found {
            Some(association) => Ok((call, key, association)),
            None => Err(Trouble::new(format!(
                "cluster {} has no association for {namespace}/{service_account}",
                key.name
            ))),
        }
    }

    /// Deletes an association.
    ///
    /// # Errors
    /// If there is none, or it is refused.
    pub fn delete_association(&self, name: &ServiceAccountName) -> Result<(), Trouble> {
        let (call, key, association) = self.association(
            name.cluster.as_ref(),
            &name.namespace,
            &name.service_account,
        )?;
        self.cloud.eks.delete_association(
            &self.cloud,
            &call,
            &key.name,
            &association.association_id,
        )?;
        Ok(())
    }

    /// Changes an association.
    ///
    /// # Errors
    /// If there is none, or it is refused.
    pub fn update_association(&self, change: &given::Association) -> Result<(), Trouble> {
        let (call, key, association) = self.association(
            change.cluster.as_ref(),
            &change.namespace,
            &change.service_account,
        )?;
        let input = UpdateAssociation {
            role_arn: change
                .role
                .as_ref()
                .map(|role| self.role_arn(role))
                .transpose()?,
            target_role_arn: change
                .target_role
                .as_ref()
                .map(|role| self.role_arn(role))
                .transpose()?,
            disable_session_tags: change.disable_session_tags,
            policy: change
                .policy
                .as_ref()
                .map(|p| self.fill(&p.text(), &key.account)),
            client_request_token: None,
        };
        self.cloud.eks.update_association(
            &self.cloud,
            &call,
            &key.name,
            &association.association_id,
            input,
        )?;
        Ok(())
    }

    /// Deletes a role with its policies.
    ///
    /// # Errors
    /// If there is none.
    pub fn delete_role(&self, name: &Located<String>) -> Result<(), Trouble> {
        let (account, role) = self.role(name)?;
        self.cloud.iam.remove_role(&account, &role);
        Ok(())
    }

    /// Changes a role.
    ///
    /// # Errors
    /// If there is none, or it is refused.
    pub fn update_role(
        &self,
        name: &Located<String>,
        trust: Option<&Trust>,
        permissions: Option<&PolicyText>,
    ) -> Result<(), Trouble> {
        let (account, role) = self.role(name)?;
        let call = Call::administrator(&self.cloud, &account);
        let iam = &self.cloud.iam;
        if let Some(trust) = trust {
            iam.update_trust(
                &self.cloud,
                &call,
                &role,
                &self.fill(&trust.text(&account), &account),
            )?;
        }
        if let Some(permissions) = permissions {
            let text = self.fill(&permissions.text(), &account);
            iam.put_inline_policy(
                &self.cloud,
                &call,
                emu_cloud::iam::EntityKind::Role,
                &role,
                "permissions",
                &text,
            )?;
        }
        Ok(())
    }

    fn role(&self, name: &Located<String>) -> Result<(String, String), Trouble> {
        let arn = self.role_arn(name)?;
        arn.parse::<emu_core::Arn>()
            .map(|arn| (arn.account.clone(), arn.name().to_owned()))
            .map_err(|e| Trouble::new(e.to_string()).at(name))
    }

    /// Deletes a bucket with its objects.
    ///
    /// # Errors
    /// If there is none.
    pub fn delete_bucket(&self, name: &Located<String>) -> Result<(), Trouble> {
        self.remove_bucket(name)
    }

    /// Changes a bucket's policy.
    ///
    /// # Errors
    /// If there is none, or it is refused.
    pub fn update_bucket(
        &self,
        name: &Located<String>,
        policy: Option<&PolicyText>,
    ) -> Result<(), Trouble> {
        if let Some(policy) = policy {
            let account = self.settings().account.clone();
            self.set_bucket_policy(name, &self.fill(&policy.text(), &account))?;
        }
        Ok(())
    }

    /// Deletes an add-on of the first cluster.
    ///
    /// # Errors
    /// If there is none.
    pub fn delete_addon(&self, name: &Located<String>) -> Result<(), Trouble> {
        let (call, key) = self.call_for(None)?;
        self.cloud
            .eks
            .delete_addon(&self.cloud, &call, &key.name, name, false)?;
        Ok(())
    }

    /// Deletes a cluster, in EKS and where it runs.
    ///
    /// # Errors
    /// If there is none, or it is refused.
    pub async fn delete_cluster(&mut self, name: &Located<String>) -> Result<(), Trouble> {
        let place = self.cluster_place(Some(name))?;
        let key = self.clusters[place].key.clone();
        let call = Call::administrator(&self.cloud, &key.account);
        self.cloud
            .eks
            .delete_cluster(&self.cloud, &call, &key.name)?;
        self.clusters[place].cluster.teardown().await?;
        Ok(())
    }

    /// A cluster is gone from EKS: it stops running.
    pub async fn forget_cluster(&mut self, name: &str) {
        if let Some(place) = self.clusters.iter().position(|at| at.key.name == name) {
            // What cannot be taken down now is taken down when it is dropped.
            let _ = self.clusters[place].cluster.teardown().await;
            self.names.pods.retain(|(of, _)| *of != place);
            self.names.nodes.retain(|(of, _)| *of != place);
            self.clusters[place].key.name.clear();
        }
    }

    /// All clusters stop running.
    pub async fn forget_clusters(&mut self) {
        for at in &self.clusters {
            let _ = at.cluster.teardown().await;
        }
        self.clusters.clear();
        self.names.pods.clear();
        self.names.nodes.clear();
    }

    /// Turns knobs.
    ///
    /// # Errors
    /// If one of them does not exist, or its value is not one.
    pub fn update_settings(&self, change: &Map<String, Value>) -> Result<(), Trouble> {
        let mut value =
            serde_json::to_value(&*self.settings()).map_err(|e| Trouble::new(e.to_string()))?;
        merge(&mut value, &Value::Object(change.clone()));
        let settings =
            serde_json::from_value(value).map_err(|e| Trouble::new(format!("settings: {e}")))?;
        self.cloud.set_settings(settings);
        Ok(())
    }
}

fn merge(into: &mut Value, change: &Value) {
    match (into, change) {
        (Value::Object(into), Value::Object(change)) => {
            for (key, value) in change {
                merge(into.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (into, change) => *into = change.clone(),
    }
}
