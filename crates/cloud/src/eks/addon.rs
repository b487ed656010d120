//! Add-ons: `eks-pod-identity-agent` and whatever else is named by `addon_versions.rs`.

use std::collections::BTreeMap;

use emu_core::{Arn, Timestamp, journal::Event};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    CreateAssociation, Epoch, Page, PageRequest, addon_versions as versions,
    store::{ClusterKey, Eks, Stored, later},
    tags, texts,
};
use crate::{Access, Call, Cloud, ServiceError};

/// An add-on as EKS shows it.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Addon {
    /// Its name.
    pub addon_name: String,
    /// The cluster.
    pub cluster_name: String,
    /// `CREATING`, `ACTIVE`, `UPDATING`, `DELETING`, ...
    pub status: String,
    /// `v<semver>-eksbuild.<n>`.
    pub addon_version: String,
    health: Value,
    /// Its ARN.
    pub addon_arn: String,
    created_at: Epoch,
    modified_at: Epoch,
    #[serde(skip_serializing_if = "Option::is_none")]
    service_account_role_arn: Option<String>,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    publisher: &'static str,
    owner: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    configuration_values: Option<String>,
    /// ARNs of the associations it owns.
    pub pod_identity_associations: Vec<String>,
    namespace_config: Value,
    #[serde(skip)]
    changes_at: Timestamp,
}

/// What DeleteAddon answers: the add-on with status DELETING.
pub type DeletedAddon = Addon;

/// An entry of `podIdentityAssociations`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct AddonAssociation {
    pub service_account: String,
    pub role_arn: String,
}

/// Input of CreateAddon.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct CreateAddon {
    pub addon_name: Option<String>,
    pub addon_version: Option<String>,
    pub service_account_role_arn: Option<String>,
    pub resolve_conflicts: Option<String>,
    pub client_request_token: Option<String>,
    pub tags: Option<BTreeMap<String, String>>,
    pub configuration_values: Option<String>,
    pub pod_identity_associations: Option<Vec<AddonAssociation>>,
    pub namespace_config: Option<Value>,
}

/// Input of UpdateAddon.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct UpdateAddon {
    pub addon_version: Option<String>,
    pub service_account_role_arn: Option<String>,
    pub resolve_conflicts: Option<String>,
    pub client_request_token: Option<String>,
    pub configuration_values: Option<String>,
    pub pod_identity_associations: Option<Vec<AddonAssociation>>,
}

impl Addon {
    fn shown(&self, now: Timestamp) -> Self {
        let mut shown = self.clone();
        if matches!(self.status.as_str(), "CREATING" | "UPDATING") && self.changes_at <= now {
            shown.status = "ACTIVE".into();
        }
        shown
    }

    fn is_gone(&self, now: Timestamp) -> bool {
        self.status == "DELETING" && self.changes_at <= now
    }
}

impl Eks {
    /// CreateAddon, with the associations it is given.
    ///
    /// # Errors
    /// As the model says; texts in `texts.rs`.
    pub fn create_addon(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        input: CreateAddon,
    ) -> Result<Addon, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        self.require_on_cluster(cloud, call, "eks:CreateAddon", &key)?;
        self.with(cloud, &key, |_| Ok(()))?;
        let name = input.addon_name.as_deref().unwrap_or_default();
        let known = versions::find(name).ok_or_else(|| texts::addon_unsupported(cluster, name))?;
        let version = known
            .version(input.addon_version.as_deref())
            .ok_or_else(|| texts::addon_version_unsupported(cluster, name))?;
        check_configuration(known, input.configuration_values.as_deref())?;
        let tags = tags::checked(input.tags.unwrap_or_default())?;
        let wanted = input.pod_identity_associations.unwrap_or_default();
        check_service_accounts(known, &wanted)?;
        let now = cloud.now();
        let addon_arn = addon_arn(&key, name, &cloud.ids().uuid().to_string());
        self.with(cloud, &key, |stored| {
            living(stored, name, now).map_or(Ok(()), |_| Err(texts::addon_exists(cluster, name)))
        })?;
        let owned = self.own(cloud, call, cluster, known, &wanted, &addon_arn)?;
        let addon = Addon {
            addon_name: name.into(),
            cluster_name: cluster.into(),
            status: "CREATING".into(),
            addon_version: version.into(),
            health: json!({ "issues": [] }),
            addon_arn,
            created_at: Epoch(now),
            modified_at: Epoch(now),
            service_account_role_arn: input.service_account_role_arn,
            tags,
            publisher: "eks",
            owner: "aws",
            configuration_values: input.configuration_values,
            pod_identity_associations: owned,
            namespace_config: input
                .namespace_config
                .unwrap_or_else(|| json!({ "namespace": known.namespace })),
            changes_at: later(now, cloud.settings().lifetimes.transition),
        };
        self.with_mut(cloud, &key, |stored| {
            stored.addons.insert(name.into(), addon.clone());
            Ok(())
        })?;
        record(cloud, cluster, name, "CREATING");
        if cloud.settings().lifetimes.transition.get().is_zero() {
            record(cloud, cluster, name, "ACTIVE");
        }
        Ok(addon)
    }

    /// DescribeAddon.
    ///
    /// # Errors
    /// If cluster or add-on are unknown, or the caller may not.
    pub fn describe_addon(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        name: &str,
    ) -> Result<Addon, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        self.require_on_addon(cloud, call, "eks:DescribeAddon", &key, name)?;
        let now = cloud.now();
        self.with(cloud, &key, |stored| {
            living(stored, name, now)
                .map(|addon| addon.shown(now))
                .ok_or_else(|| texts::no_addon(cluster, name))
        })
    }

    /// ListAddons: names only.
    ///
    /// # Errors
    /// If the cluster is unknown, the page request is wrong, or the caller may not.
    pub fn list_addons(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        page: &PageRequest,
    ) -> Result<Page<String>, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        self.require_on_cluster(cloud, call, "eks:ListAddons", &key)?;
        let now = cloud.now();
        self.with(cloud, &key, |stored| {
            let names = stored
                .addons
                .iter()
                .filter(|(_, addon)| !addon.is_gone(now))
                .map(|(name, _)| (name.clone(), name.clone()));
            page.cut(&cloud.settings(), &key, names)
        })
    }

    /// UpdateAddon; answers an Update, which is done at once.
    ///
    /// # Errors
    /// If cluster or add-on are unknown, the new values are not acceptable, or the caller may not.
    pub fn update_addon(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        name: &str,
        input: UpdateAddon,
    ) -> Result<Value, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        self.require_on_addon(cloud, call, "eks:UpdateAddon", &key, name)?;
        let now = cloud.now();
        let before = self.with(cloud, &key, |stored| {
            living(stored, name, now)
                .cloned()
                .ok_or_else(|| texts::no_addon(cluster, name))
        })?;
        let known = versions::find(name).ok_or_else(|| texts::addon_unsupported(cluster, name))?;
        let mut after = before.clone();
        let mut params = Vec::new();
        if let Some(version) = input.addon_version {
            after.addon_version = known
                .version(Some(&version))
                .ok_or_else(|| texts::addon_version_unsupported(cluster, name))?
                .into();
            params.push(json!({ "type": "AddonVersion", "value": version }));
        }
        if let Some(role) = input.service_account_role_arn {
            params.push(json!({ "type": "ServiceAccountRoleArn", "value": role }));
            after.service_account_role_arn = Some(role);
        }
        if let Some(resolve) = input.resolve_conflicts {
            params.push(json!({ "type": "ResolveConflicts", "value": resolve }));
        }
        if let Some(values) = input.configuration_values {
            check_configuration(known, Some(&values))?;
            params.push(json!({ "type": "ConfigurationValues", "value": values }));
            after.configuration_values = Some(values);
        }
        if let Some(wanted) = input.pod_identity_associations {
            check_service_accounts(known, &wanted)?;
            // Model: the list becomes the full set; an empty one deletes what is owned.
            self.disown(cloud, &key, &before);
            after.pod_identity_associations =
                self.own(cloud, call, cluster, known, &wanted, &before.addon_arn)?;
            let text = serde_json::to_string(&after.pod_identity_associations).unwrap_or_default();
            params.push(json!({ "type": "PodIdentityAssociations", "value": text }));
        }
        after.modified_at = Epoch(now);
        after.status = "UPDATING".into();
        after.changes_at = later(now, cloud.settings().lifetimes.transition);
        let id = cloud.ids().uuid().to_string();
        let update = json!({
            "id": id, "status": "InProgress", "type": "AddonUpdate", "params": params,
            "createdAt": Epoch(now), "errors": [],
        });
        self.with_mut(cloud, &key, |stored| {
            stored.addons.insert(name.into(), after);
            stored.updates.insert(id, update.clone());
            Ok(())
        })?;
        record(cloud, cluster, name, "UPDATING");
        Ok(update)
    }

    /// DeleteAddon; with `preserve` its associations stay, without an owner.
    ///
    /// # Errors
    /// If cluster or add-on are unknown, or the caller may not.
    pub fn delete_addon(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        name: &str,
        preserve: bool,
    ) -> Result<DeletedAddon, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        self.require_on_addon(cloud, call, "eks:DeleteAddon", &key, name)?;
        let now = cloud.now();
        let transition = cloud.settings().lifetimes.transition;
        let addon = self.with_mut(cloud, &key, |stored| {
            if living(stored, name, now).is_none() {
                return Err(texts::no_addon(cluster, name));
            }
            if preserve {
                for record in stored.associations.values_mut() {
                    if record.association.owner_arn.as_deref()
                        == stored.addons.get(name).map(|a| a.addon_arn.as_str())
                    {
                        record.association.owner_arn = None;
                    }
                }
            }
            match stored.addons.get_mut(name) {
                Some(addon) => {
                    addon.status = "DELETING".into();
                    addon.changes_at = later(now, transition);
                    Ok(addon.clone())
                }
                None => Err(texts::no_addon(cluster, name)),
            }
        })?;
        if !preserve {
            self.disown(cloud, &key, &addon);
        }
        record(cloud, cluster, name, "DELETING");
        Ok(addon)
    }

    /// DescribeUpdate.
    ///
    /// # Errors
    /// If cluster or update are unknown, or the caller may not.
    pub fn describe_update(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        id: &str,
    ) -> Result<Value, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        self.require_on_cluster(cloud, call, "eks:DescribeUpdate", &key)?;
        self.with(cloud, &key, |stored| {
            let mut update = stored.updates.get(id).cloned().ok_or_else(|| {
                ServiceError::new(
                    "ResourceNotFoundException",
                    404,
                    format!("No update found for ID: {id}"),
                )
            })?;
            update["status"] = "Successful".into();
            Ok(update)
        })
    }

    /// ListUpdates.
    ///
    /// # Errors
    /// If the cluster is unknown or the caller may not.
    pub fn list_updates(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        page: &PageRequest,
    ) -> Result<Page<String>, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        self.require_on_cluster(cloud, call, "eks:ListUpdates", &key)?;
        self.with(cloud, &key, |stored| {
            let ids = stored.updates.keys().map(|id| (id.clone(), id.clone()));
            page.cut(&cloud.settings(), (&key, "updates"), ids)
        })
    }

    /// Whether an add-on is installed and active in the cluster.
    pub fn addon_is_active(&self, cloud: &Cloud, key: &ClusterKey, name: &str) -> bool {
        let now = cloud.now();
        self.read()
            .get(key)
            .and_then(|stored| living(stored, name, now))
            .is_some_and(|addon| addon.shown(now).status == "ACTIVE")
    }

    fn own(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        known: &versions::Known,
        wanted: &[AddonAssociation],
        addon_arn: &str,
    ) -> Result<Vec<String>, ServiceError> {
        let mut arns = Vec::new();
        for entry in wanted {
            let input = CreateAssociation {
                namespace: Some(known.namespace.into()),
                service_account: Some(entry.service_account.clone()),
                role_arn: Some(entry.role_arn.clone()),
                ..CreateAssociation::default()
            };
            let created =
                self.create_owned_association(cloud, call, cluster, input, Some(addon_arn.into()))?;
            arns.push(created.association_arn);
        }
        Ok(arns)
    }

    fn disown(&self, cloud: &Cloud, key: &ClusterKey, addon: &Addon) {
        for association in self.associations(key) {
            if association.owner_arn.as_deref() == Some(&addon.addon_arn) {
                // It was there a moment ago; if somebody else deleted it, so much the better.
                let _ = self.remove_association(cloud, key, &association.association_id);
            }
        }
    }

    fn require_on_addon(
        &self,
        cloud: &Cloud,
        call: &Call,
        action: &str,
        key: &ClusterKey,
        name: &str,
    ) -> Result<(), ServiceError> {
        let addon = self
            .read()
            .get(key)
            .and_then(|s| s.addons.get(name))
            .cloned();
        let resource = addon.as_ref().map_or_else(
            || addon_arn(key, name, "*"),
            |addon| addon.addon_arn.clone(),
        );
        cloud.require(
            call,
            Access {
                action: action.into(),
                resource,
                resource_account: key.account.clone(),
                resource_tags: addon.map(|addon| addon.tags).unwrap_or_default(),
                ..Access::default()
            },
        )
    }
}

fn living<'a>(stored: &'a Stored, name: &str, now: Timestamp) -> Option<&'a Addon> {
    stored.addons.get(name).filter(|addon| !addon.is_gone(now))
}

fn addon_arn(key: &ClusterKey, name: &str, tail: &str) -> String {
    Arn::new(
        "eks",
        &key.region,
        &key.account,
        format!("addon/{}/{name}/{tail}", key.name),
    )
    .to_string()
}

fn record(cloud: &Cloud, cluster: &str, addon: &str, status: &str) {
    cloud.journal().record(Event::AddonChanged {
        cluster: cluster.into(),
        addon: addon.into(),
        status: status.into(),
    });
}

/// Docs: the agent's schema allows no additional properties at its root.
fn check_configuration(known: &versions::Known, values: Option<&str>) -> Result<(), ServiceError> {
    let Some(values) = values.filter(|v| !v.trim().is_empty()) else {
        return Ok(());
    };
    // JSON is checked; the YAML form is taken as it is.
    let Ok(Value::Object(values)) = serde_json::from_str(values) else {
        return Ok(());
    };
    let unknown: Vec<String> = values
        .keys()
        .filter(|name| !known.properties.is_empty() && !known.properties.contains(&name.as_str()))
        .map(|name| {
            format!("$.{name}: is not defined in the schema and the schema does not allow additional properties")
        })
        .collect();
    if unknown.is_empty() {
        Ok(())
    } else {
        Err(texts::addon_schema(&unknown))
    }
}

fn check_service_accounts(
    known: &versions::Known,
    wanted: &[AddonAssociation],
) -> Result<(), ServiceError> {
    match wanted
        .iter()
        .find(|w| !known.service_accounts.contains(&w.service_account.as_str()))
    {
        None => Ok(()),
        Some(entry) => Err(texts::addon_service_account(
            known.name,
            &entry.service_account,
        )),
    }
}
