//! The HTTP face of `cloud::iam`.

mod answer;
mod parameters;
mod permission;
mod policy;
mod provider;
mod role;
mod simulate;
#[cfg(test)]
mod tests;
mod user;

use std::sync::Arc;

use bytes::Bytes;
use emu_cloud::{Call, Cloud, ServiceError, iam::EntityKind};
use http::{Request, Response};

use self::parameters::Input;
use super::{
    Recorded,
    query::{self, Frame, Params, Xml},
};

/// Namespace and version of this service. Source: model.
pub const FRAME: Frame = Frame {
    namespace: "https://iam.amazonaws.com/doc/2010-05-08/",
    version: "2010-05-08",
};

/// What an action does: its result, written when the answer is made; nothing for actions without a result.
type Outcome = Result<Option<Box<dyn FnOnce(&mut Xml)>>, ServiceError>;

/// An action without a result.
fn done(result: Result<(), ServiceError>) -> Outcome {
    result.map(|()| None)
}

/// An action with a result.
fn result(write: impl FnOnce(&mut Xml) + 'static) -> Outcome {
    Ok(Some(Box::new(write)))
}

/// Answers a request whose signature holds.
pub fn handle(cloud: &Arc<Cloud>, call: Call, request: Request<Bytes>) -> Response<Bytes> {
    let params = Params::of(&request);
    let action = params.get("Action").unwrap_or_default();
    let version = params.get("Version");
    let input = Input {
        cloud,
        call: &call,
        params: &params,
    };
    let outcome = match version {
        Some(version) if version == FRAME.version => act(action, &input),
        _ => None,
    };
    let Some(outcome) = outcome else {
        let version = version.unwrap_or("NO_VERSION_SPECIFIED");
        let text = format!("Could not find operation {action} for version {version}");
        return query::fault(
            &ServiceError::new("InvalidAction", 400, text),
            &call.request_id,
        );
    };
    let response = match outcome {
        Ok(Some(write)) => query::result(FRAME, action, &call.request_id, write),
        Ok(None) => query::empty(FRAME, action, &call.request_id),
        Err(refusal) => error(&refusal, &call.request_id),
    };
    response.recorded(format!("iam:{action}"), input.resource())
}

/// An error in this service's protocol.
pub fn error(error: &ServiceError, request_id: &str) -> Response<Bytes> {
    query::error(FRAME, error, request_id)
}

/// All actions we have; nothing for others.
fn act(action: &str, input: &Input<'_>) -> Option<Outcome> {
    use EntityKind::{Role, User};
    Some(match action {
        "CreateRole" => role::create(input),
        "GetRole" => role::get(input),
        "ListRoles" => role::list(input),
        "UpdateRole" => role::update(input),
        "UpdateRoleDescription" => role::update_description(input),
        "UpdateAssumeRolePolicy" => role::update_trust(input),
        "DeleteRole" => role::delete(input),
        "ListInstanceProfilesForRole" => role::instance_profiles(input),

        "CreateUser" => user::create(input),
        "GetUser" => user::get(input),
        "ListUsers" => user::list(input),
        "DeleteUser" => user::delete(input),
        "ListGroupsForUser" => user::groups(input),
        "CreateAccessKey" => user::create_key(input),
        "ListAccessKeys" => user::list_keys(input),
        "UpdateAccessKey" => user::update_key(input),
        "DeleteAccessKey" => user::delete_key(input),
        "GetAccessKeyLastUsed" => user::key_last_used(input),
        "ListAccountAliases" => user::account_aliases(input),

        "PutRolePolicy" => permission::put(input, Role),
        "GetRolePolicy" => permission::get(input, Role),
        "DeleteRolePolicy" => permission::delete(input, Role),
        "ListRolePolicies" => permission::list(input, Role),
        "AttachRolePolicy" => permission::attach(input, Role),
        "DetachRolePolicy" => permission::detach(input, Role),
        "ListAttachedRolePolicies" => permission::list_attached(input, Role),
        "PutRolePermissionsBoundary" => permission::put_boundary(input, Role),
        "DeleteRolePermissionsBoundary" => permission::delete_boundary(input, Role),
        "TagRole" => permission::tag(input, Role),
        "UntagRole" => permission::untag(input, Role),
        "ListRoleTags" => permission::list_tags(input, Role),

        "PutUserPolicy" => permission::put(input, User),
        "GetUserPolicy" => permission::get(input, User),
        "DeleteUserPolicy" => permission::delete(input, User),
        "ListUserPolicies" => permission::list(input, User),
        "AttachUserPolicy" => permission::attach(input, User),
        "DetachUserPolicy" => permission::detach(input, User),
        "ListAttachedUserPolicies" => permission::list_attached(input, User),
        "PutUserPermissionsBoundary" => permission::put_boundary(input, User),
        "DeleteUserPermissionsBoundary" => permission::delete_boundary(input, User),
        "TagUser" => permission::tag(input, User),
        "UntagUser" => permission::untag(input, User),
        "ListUserTags" => permission::list_tags(input, User),

        "CreatePolicy" => policy::create(input),
        "GetPolicy" => policy::get(input),
        "ListPolicies" => policy::list(input),
        "DeletePolicy" => policy::delete(input),
        "CreatePolicyVersion" => policy::create_version(input),
        "GetPolicyVersion" => policy::get_version(input),
        "ListPolicyVersions" => policy::list_versions(input),
        "SetDefaultPolicyVersion" => policy::set_default(input),
        "DeletePolicyVersion" => policy::delete_version(input),
        "TagPolicy" => policy::tag(input),
        "UntagPolicy" => policy::untag(input),
        "ListPolicyTags" => policy::list_tags(input),
        "ListEntitiesForPolicy" => policy::entities(input),

        "CreateOpenIDConnectProvider" => provider::create(input),
        "GetOpenIDConnectProvider" => provider::get(input),
        "ListOpenIDConnectProviders" => provider::list(input),
        "DeleteOpenIDConnectProvider" => provider::delete(input),
        "AddClientIDToOpenIDConnectProvider" => provider::add_client_id(input),
        "RemoveClientIDFromOpenIDConnectProvider" => provider::remove_client_id(input),
        "UpdateOpenIDConnectProviderThumbprint" => provider::set_thumbprints(input),
        "TagOpenIDConnectProvider" => provider::tag(input),
        "UntagOpenIDConnectProvider" => provider::untag(input),
        "ListOpenIDConnectProviderTags" => provider::list_tags(input),

        "SimulatePrincipalPolicy" => simulate::principal(input),
        _ => return None,
    })
}
