//! Objects on a cluster: applied by the server's own merge, labelled as ours, listed and removed by that label.

use std::{fmt::Debug, time::Duration};

use kube::{
    Api, Client, Resource, ResourceExt,
    api::{ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams},
    core::GroupVersionKind,
    discovery::{Discovery, Scope, verbs},
    runtime::wait::await_condition,
};
use serde::{Serialize, de::DeserializeOwned};

use super::Error;

/// The field manager under which everything of ours is applied.
pub const FIELD_MANAGER: &str = "emu";
/// The label that everything installed by us carries.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "emu");

/// Something that is, or would be, on a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// Its kind.
    pub kind: String,
    /// Its namespace, when it is in one.
    pub namespace: Option<String>,
    /// Its name.
    pub name: String,
}

impl std::fmt::Display for Listed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{} {namespace}/{}", self.kind, self.name),
            None => write!(f, "{} {}", self.kind, self.name),
        }
    }
}

/// Marks an object as ours.
pub fn label(object: &mut impl ResourceExt) {
    object
        .labels_mut()
        .insert(MANAGED_BY.0.into(), MANAGED_BY.1.into());
}

/// Any object as one without a static type, to be applied together with others.
///
/// # Errors
/// When it does not serialise.
pub fn dynamic<K>(object: &K) -> Result<DynamicObject, Error>
where
    K: Resource<DynamicType = ()> + Serialize,
{
    let mut value = serde_json::to_value(object).map_err(|e| Error::Object(e.to_string()))?;
    value["apiVersion"] = K::api_version(&()).into();
    value["kind"] = K::kind(&()).into();
    serde_json::from_value(value).map_err(|e| Error::Object(e.to_string()))
}

/// Applies one object in the server (server-side apply) and returns it as stored.
///
/// # Errors
/// When the server refuses.
pub async fn apply<K>(api: &Api<K>, object: &K) -> Result<K, Error>
where
    K: Resource + Serialize + DeserializeOwned + Clone + Debug,
{
    let name = object.name_any();
    let params = PatchParams::apply(FIELD_MANAGER).force();
    Ok(api.patch(&name, &params, &Patch::Apply(object)).await?)
}

/// What would be applied, for a person to read first.
pub fn list(objects: &[DynamicObject]) -> Vec<Listed> {
    objects
        .iter()
        .map(|object| Listed {
            kind: object
                .types
                .as_ref()
                .map(|t| t.kind.clone())
                .unwrap_or_default(),
            namespace: object.namespace(),
            name: object.name_any(),
        })
        .collect()
}

/// Applies objects of any kinds in the given order; those without a namespace go into `namespace` if their kind is in one.
///
/// # Errors
/// With the first object that the server refuses, or whose kind it does not know.
pub async fn apply_all(
    client: &Client,
    objects: &[DynamicObject],
    namespace: &str,
) -> Result<Vec<DynamicObject>, Error> {
    let mut known: Vec<(String, String, ApiResource, Scope)> = Vec::new();
    let mut stored = Vec::new();
    for object in objects {
        let types = object
            .types
            .clone()
            .ok_or_else(|| Error::Object("an object without apiVersion and kind".into()))?;
        let found = known
            .iter()
            .find(|(version, kind, ..)| *version == types.api_version && *kind == types.kind)
            .map(|(.., resource, scope)| (resource.clone(), scope.clone()));
        let (resource, scope) = match found {
            Some(found) => found,
            None => {
                let gvk =
                    GroupVersionKind::try_from(&types).map_err(|e| Error::Object(e.to_string()))?;
                let (resource, capabilities) =
                    kube::discovery::oneshot::pinned_kind(client, &gvk).await?;
                known.push((
                    types.api_version.clone(),
                    types.kind.clone(),
                    resource.clone(),
                    capabilities.scope.clone(),
                ));
                (resource, capabilities.scope)
            }
        };
        let api: Api<DynamicObject> = match scope {
            Scope::Cluster => Api::all_with(client.clone(), &resource),
            Scope::Namespaced => {
                let own = object.namespace();
                Api::namespaced_with(
                    client.clone(),
                    own.as_deref().unwrap_or(namespace),
                    &resource,
                )
            }
        };
        stored.push(apply(&api, object).await?);
    }
    Ok(stored)
}

/// Everything on the cluster that carries our label.
///
/// # Errors
/// When the server refuses.
pub async fn installed(client: &Client) -> Result<Vec<Listed>, Error> {
    Ok(find_ours(client)
        .await?
        .into_iter()
        .map(|(_, listed)| listed)
        .collect())
}

/// Removes everything on the cluster that carries our label; returns what was removed. Namespaces go last.
///
/// # Errors
/// When the server refuses.
pub async fn uninstall(client: &Client) -> Result<Vec<Listed>, Error> {
    let mut ours = find_ours(client).await?;
    ours.sort_by_key(|(_, listed)| (listed.kind == "Namespace", listed.clone()));
    let mut removed = Vec::new();
    for (resource, listed) in ours {
        let api: Api<DynamicObject> = match &listed.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        let mut params = DeleteParams::background();
        match listed.kind.as_str() {
            "Pod" => params = params.grace_period(1),
            // They are gone when what was made for them is.
            "Deployment" | "Service" => params = DeleteParams::foreground(),
            _ => {}
        }
        match api.delete(&listed.name, &params).await {
            Ok(_) => removed.push(listed),
            // Gone with its owner in between.
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(removed)
}

/// Removes everything on the cluster that carries our label, and waits until it is gone.
///
/// # Errors
/// When the server refuses, or something is not gone in time.
pub async fn remove_all(client: &Client, limit: Duration) -> Result<Vec<Listed>, Error> {
    let removed = uninstall(client).await?;
    // Of these the server says that they are gone before they are.
    let slow = |listed: &&Listed| {
        matches!(
            listed.kind.as_str(),
            "Namespace" | "Pod" | "DaemonSet" | "Deployment" | "Service"
        )
    };
    let waiting = removed.iter().filter(slow).map(|one| async move {
        let gone = |object: Option<&DynamicObject>| object.is_none();
        let kind = match one.kind.as_str() {
            kind @ ("DaemonSet" | "Deployment") => GroupVersionKind::gvk("apps", "v1", kind),
            kind => GroupVersionKind::gvk("", "v1", kind),
        };
        let resource = ApiResource::from_gvk(&kind);
        let api: Api<DynamicObject> = match &one.namespace {
            Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
            None => Api::all_with(client.clone(), &resource),
        };
        await_condition(api, &one.name, gone)
            .await
            .map_err(|e| Error::Wait {
                what: one.to_string(),
                why: e.to_string(),
            })
    });
    match tokio::time::timeout(limit, futures::future::try_join_all(waiting)).await {
        Ok(outcome) => outcome.map(|_| removed),
        Err(_) => Err(Error::Wait {
            what: "the end of what was removed".into(),
            why: format!("it is not gone in {} s", limit.as_secs()),
        }),
    }
}

async fn find_ours(client: &Client) -> Result<Vec<(ApiResource, Listed)>, Error> {
    let discovery = Discovery::new(client.clone()).run().await?;
    let params = ListParams::default().labels(&format!("{}={}", MANAGED_BY.0, MANAGED_BY.1));
    let mut found = Vec::new();
    for group in discovery.groups() {
        for (resource, capabilities) in group.recommended_resources() {
            if !capabilities.supports_operation(verbs::LIST)
                || !capabilities.supports_operation(verbs::DELETE)
            {
                continue;
            }
            let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
            for object in api.list(&params).await?.items {
                // What a controller made goes with its owner.
                if object.owner_references().is_empty() {
                    let listed = Listed {
                        kind: resource.kind.clone(),
                        namespace: object.namespace(),
                        name: object.name_any(),
                    };
                    found.push((resource.clone(), listed));
                }
            }
        }
    }
    Ok(found)
}
