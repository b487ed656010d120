//! Pod Identity associations: the five calls. Source: model; rules and order of checks in `aws-side.md`, B.4 to B.8.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash, Hasher},
};

use emu_core::{Arn, ServiceAccountRef, Timestamp, journal::Event};
use serde::{Deserialize, Serialize};

use super::{
    Epoch, Page, PageRequest,
    store::{ClusterKey, Eks, Stored, later},
    tags, texts,
};
use crate::{Access, Call, Cloud, ServiceError};

/// The service that assumes the roles of associations, in all partitions seen (docs).
pub(crate) const PODS: &str = "pods.eks.amazonaws.com";

/// An association as EKS shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Association {
    /// The cluster.
    pub cluster_name: String,
    /// The namespace.
    pub namespace: String,
    /// The service account.
    pub service_account: String,
    /// The role assumed first.
    pub role_arn: String,
    /// Its ARN.
    pub association_arn: String,
    /// `a-` and 17 characters.
    pub association_id: String,
    /// Its tags; `{}` when there are none.
    pub tags: BTreeMap<String, String>,
    /// When it was created.
    pub created_at: Epoch,
    /// When it was last changed.
    pub modified_at: Epoch,
    /// The add-on that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_arn: Option<String>,
    /// No session tags are passed.
    pub disable_session_tags: bool,
    /// The role assumed second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_role_arn: Option<String>,
    /// Sent to STS on the second hop.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_id: Option<String>,
    /// A session policy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub policy: Option<String>,
}

/// An association in a list.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct AssociationSummary {
    pub cluster_name: String,
    pub namespace: String,
    pub service_account: String,
    pub association_arn: String,
    pub association_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner_arn: Option<String>,
}

/// Input of CreatePodIdentityAssociation.
#[derive(Clone, Debug, Default, Hash, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct CreateAssociation {
    pub namespace: Option<String>,
    pub service_account: Option<String>,
    pub role_arn: Option<String>,
    pub client_request_token: Option<String>,
    pub tags: Option<BTreeMap<String, String>>,
    pub disable_session_tags: Option<bool>,
    pub target_role_arn: Option<String>,
    pub policy: Option<String>,
}

/// Input of UpdatePodIdentityAssociation.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[allow(missing_docs)]
pub struct UpdateAssociation {
    pub role_arn: Option<String>,
    pub client_request_token: Option<String>,
    pub disable_session_tags: Option<bool>,
    pub target_role_arn: Option<String>,
    pub policy: Option<String>,
}

/// Filters of ListPodIdentityAssociations; exact, both together are AND (model, inferred).
#[derive(Clone, Debug, Default)]
#[allow(missing_docs)]
pub struct ListAssociations {
    pub namespace: Option<String>,
    pub service_account: Option<String>,
    pub page: PageRequest,
}

/// An association with what is not shown.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) association: Association,
    /// How it was before the last change, as long as EKS Auth may not know better.
    previous: Option<Box<Association>>,
    pub(super) deleted_at: Option<Timestamp>,
}

impl Association {
    /// The service account it is for.
    pub fn service_account_ref(&self) -> ServiceAccountRef {
        ServiceAccountRef::new(&self.namespace, &self.service_account)
    }

    fn summary(&self) -> AssociationSummary {
        AssociationSummary {
            cluster_name: self.cluster_name.clone(),
            namespace: self.namespace.clone(),
            service_account: self.service_account.clone(),
            association_arn: self.association_arn.clone(),
            association_id: self.association_id.clone(),
            owner_arn: self.owner_arn.clone(),
        }
    }

    fn event_created(&self) -> Event {
        Event::AssociationCreated {
            cluster: self.cluster_name.clone(),
            service_account: self.service_account_ref(),
            association_id: self.association_id.clone(),
            role_arn: self.role_arn.clone(),
            target_role_arn: self.target_role_arn.clone(),
        }
    }
}

impl Eks {
    /// CreatePodIdentityAssociation.
    ///
    /// # Errors
    /// As the model says; texts in `texts.rs`.
    pub fn create_association(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        input: CreateAssociation,
    ) -> Result<Association, ServiceError> {
        self.create_owned_association(cloud, call, cluster, input, None)
    }

    pub(super) fn create_owned_association(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        input: CreateAssociation,
        owner_arn: Option<String>,
    ) -> Result<Association, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        cloud.require(
            call,
            Access {
                action: "eks:CreatePodIdentityAssociation".into(),
                resource: key.arn(),
                resource_account: key.account.clone(),
                context: tags::request_tags(input.tags.as_ref()),
                resource_tags: self
                    .read()
                    .get(&key)
                    .map(|s| s.cluster.tags.clone())
                    .unwrap_or_default(),
                ..Access::default()
            },
        )?;
        self.with(cloud, &key, |_| Ok(()))?;
        let settings = cloud.settings();
        let namespace = required(input.namespace.as_deref(), "namespace")?;
        let service_account = required(input.service_account.as_deref(), "serviceAccount")?;
        let role_arn = input.role_arn.as_deref().unwrap_or_default();
        let new_tags = tags::checked(input.tags.clone().unwrap_or_default())?;
        let asked = fingerprint(&input);
        if let Some(token) = &input.client_request_token {
            let replay = self.with(cloud, &key, |stored| {
                Ok(stored.tokens.get(token).and_then(|(known, id)| {
                    Some((
                        *known == asked,
                        stored.associations.get(id)?.association.clone(),
                    ))
                }))
            })?;
            match replay {
                Some((true, association)) => return Ok(association),
                Some((false, _)) => return Err(texts::token_reused(&settings)),
                None => {}
            }
        }
        check_role(cloud, call, &key, role_arn)?;
        let target_role_arn = checked_target(input.target_role_arn.as_deref())?;
        let disable_session_tags = input.disable_session_tags.unwrap_or(false);
        let policy = checked_policy(cloud, input.policy.as_deref(), disable_session_tags)?;
        let now = cloud.now();
        let id = cloud.ids().association();
        let association = Association {
            cluster_name: cluster.into(),
            namespace: namespace.into(),
            service_account: service_account.into(),
            role_arn: role_arn.into(),
            association_arn: association_arn(&key, &id),
            association_id: id.clone(),
            tags: new_tags,
            created_at: Epoch(now),
            modified_at: Epoch(now),
            owner_arn,
            disable_session_tags,
            external_id: target_role_arn
                .is_some()
                .then(|| external_id(&key, namespace, service_account)),
            target_role_arn,
            policy,
        };
        self.with_mut(cloud, &key, |stored| {
            let delay = settings.propagation.association_delete;
            let same = |r: &&Record| {
                r.association.namespace == namespace
                    && r.association.service_account == service_account
            };
            let known = stored.associations.values().find(same).or_else(|| {
                stored
                    .tombstones
                    .iter()
                    .filter(same)
                    .find(|r| r.deleted_at.is_some_and(|at| later(at, delay) > now))
            });
            if let Some(known) = known {
                return Err(texts::association_exists(&known.association.association_id));
            }
            if stored.associations.len() >= settings.quotas.associations_per_cluster {
                return Err(texts::too_many_associations(
                    &settings,
                    settings.quotas.associations_per_cluster,
                ));
            }
            if let Some(token) = input.client_request_token {
                stored.tokens.insert(token, (asked, id.clone()));
            }
            stored.associations.insert(
                id,
                Record {
                    association: association.clone(),
                    previous: None,
                    deleted_at: None,
                },
            );
            Ok(())
        })?;
        cloud.journal().record(association.event_created());
        Ok(association)
    }

    /// DescribePodIdentityAssociation.
    ///
    /// # Errors
    /// If cluster or association are unknown, or the caller may not.
    pub fn describe_association(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        id: &str,
    ) -> Result<Association, ServiceError> {
        let key = self.require_on_association(
            cloud,
            call,
            "eks:DescribePodIdentityAssociation",
            cluster,
            id,
        )?;
        self.with(cloud, &key, |stored| known(cloud, stored, id).cloned())
    }

    /// UpdatePodIdentityAssociation.
    ///
    /// # Errors
    /// If cluster or association are unknown, the new values are not acceptable, or the caller may not.
    pub fn update_association(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        id: &str,
        input: UpdateAssociation,
    ) -> Result<Association, ServiceError> {
        let key = self.require_on_association(
            cloud,
            call,
            "eks:UpdatePodIdentityAssociation",
            cluster,
            id,
        )?;
        let settings = cloud.settings();
        let before = self.with(cloud, &key, |stored| known(cloud, stored, id).cloned())?;
        if input.role_arn.is_none()
            && input.target_role_arn.is_none()
            && input.disable_session_tags.is_none()
            && input.policy.is_none()
        {
            return Err(texts::nothing_to_update(&settings));
        }
        let mut after = before.clone();
        if let Some(role_arn) = input.role_arn {
            check_role(cloud, call, &key, &role_arn)?;
            after.role_arn = role_arn;
        }
        if let Some(target) = input.target_role_arn.as_deref() {
            // Thread: an empty text takes the target role away, and the external id with it.
            after.target_role_arn = checked_target(Some(target))?;
            after.external_id = after
                .target_role_arn
                .is_some()
                .then(|| external_id(&key, &before.namespace, &before.service_account));
        }
        if let Some(disable) = input.disable_session_tags {
            after.disable_session_tags = disable;
        }
        if let Some(policy) = input.policy {
            after.policy = Some(policy).filter(|policy| !policy.is_empty());
        }
        after.policy = checked_policy(cloud, after.policy.as_deref(), after.disable_session_tags)?;
        after.modified_at = Epoch(cloud.now());
        self.with_mut(cloud, &key, |stored| {
            let record = stored
                .associations
                .get_mut(id)
                .ok_or_else(|| texts::no_association(&settings, id))?;
            record.previous = Some(Box::new(before));
            record.association = after.clone();
            Ok(())
        })?;
        cloud.journal().record(Event::AssociationUpdated {
            cluster: after.cluster_name.clone(),
            service_account: after.service_account_ref(),
            association_id: id.into(),
            role_arn: after.role_arn.clone(),
            target_role_arn: after.target_role_arn.clone(),
        });
        Ok(after)
    }

    /// DeletePodIdentityAssociation; gives the deleted one.
    ///
    /// # Errors
    /// If cluster or association are unknown, or the caller may not.
    pub fn delete_association(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        id: &str,
    ) -> Result<Association, ServiceError> {
        let key = self.require_on_association(
            cloud,
            call,
            "eks:DeletePodIdentityAssociation",
            cluster,
            id,
        )?;
        self.remove_association(cloud, &key, id)
    }

    pub(super) fn remove_association(
        &self,
        cloud: &Cloud,
        key: &ClusterKey,
        id: &str,
    ) -> Result<Association, ServiceError> {
        let now = cloud.now();
        let settings = cloud.settings();
        let propagation = &settings.propagation;
        let longest = propagation
            .association_delete
            .max(propagation.association_webhook)
            .max(propagation.association_auth);
        let removed = self.with_mut(cloud, key, |stored| {
            known(cloud, stored, id)?;
            stored
                .tombstones
                .retain(|r| r.deleted_at.is_some_and(|at| later(at, longest) > now));
            let mut record = stored
                .associations
                .remove(id)
                .ok_or_else(|| texts::no_association(&settings, id))?;
            record.deleted_at = Some(now);
            let association = record.association.clone();
            stored.tombstones.push(record);
            Ok(association)
        })?;
        cloud.journal().record(Event::AssociationDeleted {
            cluster: removed.cluster_name.clone(),
            service_account: removed.service_account_ref(),
            association_id: id.into(),
        });
        Ok(removed)
    }

    /// ListPodIdentityAssociations.
    ///
    /// # Errors
    /// If the cluster is unknown, the page request is wrong, or the caller may not.
    pub fn list_associations(
        &self,
        cloud: &Cloud,
        call: &Call,
        cluster: &str,
        input: &ListAssociations,
    ) -> Result<Page<AssociationSummary>, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        self.require_on_cluster(cloud, call, "eks:ListPodIdentityAssociations", &key)?;
        let fits =
            |wanted: &Option<String>, value: &str| wanted.as_deref().is_none_or(|w| w == value);
        self.with(cloud, &key, |stored| {
            let items = stored
                .associations
                .iter()
                .filter(|(_, r)| {
                    fits(&input.namespace, &r.association.namespace)
                        && fits(&input.service_account, &r.association.service_account)
                })
                .map(|(id, r)| (id.clone(), r.association.summary()));
            input.page.cut(
                &cloud.settings(),
                (&key, &input.namespace, &input.service_account),
                items,
            )
        })
    }

    /// The association as EKS Auth knows it now, propagation included.
    pub fn association_for_auth(
        &self,
        cloud: &Cloud,
        key: &ClusterKey,
        service_account: &ServiceAccountRef,
    ) -> Option<Association> {
        let now = cloud.now();
        let delay = cloud.settings().propagation.association_auth;
        let clusters = self.read();
        let stored = clusters.get(key)?;
        let fits = |r: &&Record| r.association.service_account_ref() == *service_account;
        let living = stored
            .associations
            .values()
            .find(fits)
            .filter(|r| later(r.association.created_at.0, delay) <= now);
        if let Some(record) = living {
            let fresh = later(record.association.modified_at.0, delay) > now;
            return Some(match &record.previous {
                Some(previous) if fresh => (**previous).clone(),
                _ => record.association.clone(),
            });
        }
        stored
            .tombstones
            .iter()
            .filter(fits)
            .find(|r| r.deleted_at.is_some_and(|at| later(at, delay) > now))
            .map(|r| r.association.clone())
    }

    /// All associations of a cluster, whatever has propagated.
    pub fn associations(&self, key: &ClusterKey) -> Vec<Association> {
        self.read()
            .get(key)
            .map(|stored| {
                stored
                    .associations
                    .values()
                    .map(|r| r.association.clone())
                    .collect()
            })
            .unwrap_or_default()
    }

    fn require_on_association(
        &self,
        cloud: &Cloud,
        call: &Call,
        action: &str,
        cluster: &str,
        id: &str,
    ) -> Result<ClusterKey, ServiceError> {
        let key = ClusterKey::of(call, cluster);
        let resource_tags = self
            .read()
            .get(&key)
            .and_then(|s| s.associations.get(id))
            .map(|r| r.association.tags.clone())
            .unwrap_or_default();
        cloud.require(
            call,
            Access {
                action: action.into(),
                resource: association_arn(&key, id),
                resource_account: key.account.clone(),
                resource_tags,
                ..Access::default()
            },
        )?;
        Ok(key)
    }
}

fn known<'a>(cloud: &Cloud, stored: &'a Stored, id: &str) -> Result<&'a Association, ServiceError> {
    if id.chars().count() != 19 {
        return Err(texts::association_id_length());
    }
    stored
        .associations
        .get(id)
        .map(|r| &r.association)
        .ok_or_else(|| texts::no_association(&cloud.settings(), id))
}

fn association_arn(key: &ClusterKey, id: &str) -> String {
    Arn::new(
        "eks",
        &key.region,
        &key.account,
        format!("podidentityassociation/{}/{id}", key.name),
    )
    .to_string()
}

/// `<region>/<account>/<cluster>/<namespace>/<service account>` (docs).
fn external_id(key: &ClusterKey, namespace: &str, service_account: &str) -> String {
    format!(
        "{}/{}/{}/{namespace}/{service_account}",
        key.region, key.account, key.name
    )
}

fn required<'a>(value: Option<&'a str>, name: &str) -> Result<&'a str, ServiceError> {
    value
        .filter(|value| !value.is_empty())
        .ok_or_else(|| texts::invalid(&format!("The parameter {name} must not be empty.")))
}

/// Order (inferred): account, PassRole, existence, trust.
fn check_role(
    cloud: &Cloud,
    call: &Call,
    key: &ClusterKey,
    role_arn: &str,
) -> Result<(), ServiceError> {
    let settings = cloud.settings();
    let parsed = role_arn.parse::<Arn>().ok();
    match &parsed {
        // Thread: an empty role on update is refused with this text.
        None if role_arn.is_empty() => return Err(texts::cross_account(&settings)),
        None => {
            return Err(texts::role_unknown().because(format!("`{role_arn}` is not a role ARN")));
        }
        Some(arn) if arn.account != key.account => {
            return Err(texts::cross_account(&settings).because(format!(
                "the role belongs to account {}, the cluster to {}",
                arn.account, key.account
            )));
        }
        Some(_) => {}
    }
    cloud.require(
        call,
        Access {
            action: "iam:PassRole".into(),
            resource: role_arn.into(),
            resource_account: key.account.clone(),
            context: BTreeMap::from([
                ("iam:PassedToService".to_owned(), vec![PODS.to_owned()]),
                ("iam:AssociatedResourceArn".to_owned(), vec![key.arn()]),
            ]),
            ..Access::default()
        },
    )?;
    if settings.lenient_roles {
        return Ok(());
    }
    let Some(trust) = super::role::trust_of(cloud, role_arn) else {
        return Err(texts::role_unknown());
    };
    if trusts_pods(&trust) {
        Ok(())
    } else {
        Err(texts::trust_invalid().because(format!(
            "no statement of the role's trust policy allows {PODS} to sts:AssumeRole"
        )))
    }
}

/// What EKS looks for when an association is created: an Allow for the service with sts:AssumeRole. Whether it looks at
/// conditions, denials or sts:TagSession is not known; it is assumed not to.
fn trusts_pods(trust: &str) -> bool {
    let Ok(document) = serde_json::from_str::<serde_json::Value>(trust) else {
        return false;
    };
    let any = |value: &serde_json::Value, fits: &dyn Fn(&str) -> bool| match value {
        serde_json::Value::String(text) => fits(text),
        serde_json::Value::Array(list) => list.iter().filter_map(|v| v.as_str()).any(fits),
        _ => false,
    };
    let statements = match &document["Statement"] {
        serde_json::Value::Array(list) => list.iter().collect(),
        one => vec![one],
    };
    statements.into_iter().any(|s| {
        s["Effect"] == "Allow"
            && any(&s["Principal"]["Service"], &|name| name == PODS)
            && any(&s["Action"], &|action| {
                let action = action.to_ascii_lowercase();
                action == "sts:assumerole" || action == "sts:*" || action == "sts:assume*"
            })
    })
}

/// Docs: the target role may be in another account; its existence is not checked, its form is.
fn checked_target(target: Option<&str>) -> Result<Option<String>, ServiceError> {
    match target {
        None | Some("") => Ok(None),
        Some(text) => match text.parse::<Arn>() {
            Ok(arn) if arn.service == "iam" && arn.resource.starts_with("role/") => {
                Ok(Some(text.into()))
            }
            _ => Err(texts::invalid(&format!(
                "targetRoleArn {text} is not a role ARN"
            ))),
        },
    }
}

fn checked_policy(
    cloud: &Cloud,
    policy: Option<&str>,
    disabled: bool,
) -> Result<Option<String>, ServiceError> {
    let settings = cloud.settings();
    let Some(policy) = policy.filter(|policy| !policy.is_empty()) else {
        return Ok(None);
    };
    if !disabled {
        return Err(texts::policy_needs_disabled_tags(&settings));
    }
    if policy.chars().count() > 2_048 {
        return Err(texts::policy_malformed(
            &settings,
            "a session policy has at most 2048 characters",
        ));
    }
    super::role::check_session_policy(policy)
        .map_err(|detail| texts::policy_malformed(&settings, &detail))?;
    Ok(Some(policy.into()))
}

fn fingerprint(input: &CreateAssociation) -> u64 {
    let mut hasher = DefaultHasher::new();
    input.hash(&mut hasher);
    hasher.finish()
}
