//! The HTTP face of `cloud::eks_auth`: one operation.

use std::sync::Arc;

use bytes::Bytes;
use emu_cloud::{
    Call, Cloud, ServiceError,
    eks_auth::{self, assume_role_for_pod_identity},
};
use http::{Method, Request, Response};

use super::{Recorded as _, rest_json};

/// Answers a request whose signature holds.
pub fn handle(cloud: &Arc<Cloud>, call: Call, request: Request<Bytes>) -> Response<Bytes> {
    let segments = rest_json::segments(request.uri().path());
    let cluster =
        match segments.as_slice() {
            [first, cluster, last]
                if first == "clusters"
                    && last == "assume-role-for-pod-identity"
                    && request.method() == Method::POST =>
            {
                cluster.clone().into_owned()
            }
            _ => {
                let unknown = ServiceError::new("UnknownOperationException", 404, "").because(
                    format!("no operation {} {}", request.method(), request.uri().path()),
                );
                return error(&unknown, &call.request_id);
            }
        };
    let resource = format!(
        "arn:aws:eks:{}:{}:cluster/{cluster}",
        call.region, call.account
    );
    let outcome = rest_json::body(&request).and_then(|body| {
        assume_role_for_pod_identity(
            cloud,
            &call,
            &eks_auth::Request {
                cluster_name: cluster,
                ..body
            },
        )
    });
    match outcome {
        Ok(answer) => rest_json::json(200, &answer, &call.request_id),
        Err(e) => error(&e, &call.request_id),
    }
    .recorded("eks-auth:AssumeRoleForPodIdentity", resource)
}

/// An error in this service's protocol.
pub fn error(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    rest_json::error(error, request_id)
}
