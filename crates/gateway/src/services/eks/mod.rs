//! The HTTP face of `cloud::eks`: methods and paths of the model eks 2017-11-01.

mod route;

use std::sync::Arc;

use bytes::Bytes;
use emu_cloud::{Call, Cloud, ServiceError};
use http::{Request, Response};
use serde_json::{Value, json};

use self::route::Route;
use super::{Recorded as _, rest_json};
use emu_cloud::eks::{
    DescribeAddonVersions, ListAssociations, PageRequest, describe_addon_configuration,
};

/// Answers a request whose signature holds.
pub fn handle(cloud: &Arc<Cloud>, call: Call, request: Request<Bytes>) -> Response<Bytes> {
    let Some(route) = Route::of(request.method(), request.uri().path()) else {
        let unknown = ServiceError::new("UnknownOperationException", 404, "").because(format!(
            "no operation {} {}",
            request.method(),
            request.uri().path()
        ));
        return error(&unknown, &call.request_id);
    };
    let action = format!("eks:{}", route.operation());
    let resource = route.resource(&call);
    match answer(cloud, &call, &route, &request) {
        Ok(body) => rest_json::json(200, &body, &call.request_id),
        Err(e) => error(&e, &call.request_id),
    }
    .recorded(action, resource)
}

/// An error in this service's protocol.
pub fn error(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    rest_json::error(error, request_id)
}

fn answer(
    cloud: &Arc<Cloud>,
    call: &Call,
    route: &Route<'_>,
    request: &Request<Bytes>,
) -> Result<Value, ServiceError> {
    let eks = &cloud.eks;
    let query = rest_json::Query::of(request);
    let text = |name: &str| query.get(name).map(str::to_owned);
    let page = PageRequest {
        max_results: text("maxResults"),
        next_token: text("nextToken"),
    };
    Ok(match route {
        Route::CreateCluster => {
            json!({ "cluster": eks.create_cluster(cloud, call, rest_json::body(request)?)? })
        }
        Route::ListClusters => {
            let listed = eks.list_clusters(cloud, call, &page)?;
            json!({ "clusters": listed.items, "nextToken": listed.next_token })
        }
        Route::DescribeCluster(cluster) => {
            json!({ "cluster": eks.describe_cluster(cloud, call, cluster)? })
        }
        Route::DeleteCluster(cluster) => {
            json!({ "cluster": eks.delete_cluster(cloud, call, cluster)? })
        }
        Route::CreateAssociation(cluster) => {
            json!({ "association": eks.create_association(cloud, call, cluster, rest_json::body(request)?)? })
        }
        Route::ListAssociations(cluster) => {
            let input = ListAssociations {
                namespace: text("namespace"),
                service_account: text("serviceAccount"),
                page,
            };
            let listed = eks.list_associations(cloud, call, cluster, &input)?;
            json!({ "associations": listed.items, "nextToken": listed.next_token })
        }
        Route::DescribeAssociation(cluster, id) => {
            json!({ "association": eks.describe_association(cloud, call, cluster, id)? })
        }
        Route::UpdateAssociation(cluster, id) => {
            json!({ "association": eks.update_association(cloud, call, cluster, id, rest_json::body(request)?)? })
        }
        Route::DeleteAssociation(cluster, id) => {
            json!({ "association": eks.delete_association(cloud, call, cluster, id)? })
        }
        Route::CreateAddon(cluster) => {
            json!({ "addon": eks.create_addon(cloud, call, cluster, rest_json::body(request)?)? })
        }
        Route::ListAddons(cluster) => {
            let listed = eks.list_addons(cloud, call, cluster, &page)?;
            json!({ "addons": listed.items, "nextToken": listed.next_token })
        }
        Route::DescribeAddon(cluster, name) => {
            json!({ "addon": eks.describe_addon(cloud, call, cluster, name)? })
        }
        Route::UpdateAddon(cluster, name) => {
            json!({ "update": eks.update_addon(cloud, call, cluster, name, rest_json::body(request)?)? })
        }
        Route::DeleteAddon(cluster, name) => {
            let preserve = query.get("preserve") == Some("true");
            json!({ "addon": eks.delete_addon(cloud, call, cluster, name, preserve)? })
        }
        Route::DescribeAddonVersions => {
            let input = DescribeAddonVersions {
                addon_name: text("addonName"),
                kubernetes_version: text("kubernetesVersion"),
                page,
            };
            let listed = input.answer(cloud, call)?;
            json!({ "addons": listed.items, "nextToken": listed.next_token })
        }
        Route::DescribeAddonConfiguration => describe_addon_configuration(
            cloud,
            call,
            query.get("addonName").unwrap_or_default(),
            query.get("addonVersion").unwrap_or_default(),
        )?,
        Route::ListUpdates(cluster) => {
            let listed = eks.list_updates(cloud, call, cluster, &page)?;
            json!({ "updateIds": listed.items, "nextToken": listed.next_token })
        }
        Route::DescribeUpdate(cluster, id) => {
            json!({ "update": eks.describe_update(cloud, call, cluster, id)? })
        }
        Route::ListTags(arn) => json!({ "tags": eks.list_tags(cloud, call, arn)? }),
        Route::TagResource(arn) => {
            let Tags { tags } = rest_json::body(request)?;
            eks.tag_resource(cloud, call, arn, tags)?;
            json!({})
        }
        Route::UntagResource(arn) => {
            let keys: Vec<String> = query.all("tagKeys").map(str::to_owned).collect();
            eks.untag_resource(cloud, call, arn, &keys)?;
            json!({})
        }
    })
}

#[derive(serde::Deserialize)]
struct Tags {
    #[serde(default)]
    tags: std::collections::BTreeMap<String, String>,
}
