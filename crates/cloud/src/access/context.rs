//! The caller as the policy engine knows principals, and the condition keys every request carries (G.7 of the reference).

use emu_core::journal::CallerKind;
use emu_policy::{Context, ContextValue, Principal};

use super::Access;
use crate::{Call, Cloud, Identity, iam::Tag};

/// The caller as a principal. `user_arn` is that of the user behind a federated one.
pub(super) fn principal(identity: &Identity, user_arn: Option<String>) -> Principal {
    let caller = &identity.caller;
    match caller.kind {
        CallerKind::Root => Principal::Root {
            account: caller.account.clone(),
        },
        CallerKind::User => Principal::User {
            arn: caller.arn.clone(),
            id: identity.user_id.clone(),
        },
        CallerKind::AssumedRole => Principal::RoleSession {
            role_arn: caller.role_arn.clone().unwrap_or_default(),
            role_id: identity.role_id.clone().unwrap_or_default(),
            session_arn: caller.arn.clone(),
        },
        CallerKind::FederatedUser => Principal::FederatedUser {
            arn: caller.arn.clone(),
            user_arn,
        },
        CallerKind::Service => Principal::Service {
            name: caller.arn.clone(),
        },
        CallerKind::WebIdentity => Principal::WebIdentity {
            provider: caller.arn.clone(),
        },
        CallerKind::Anonymous => Principal::Anonymous,
    }
}

/// Everything a condition may ask for. `own_tags` are those of the caller's role or user.
pub(super) fn context(cloud: &Cloud, call: &Call, access: &Access, own_tags: &[Tag]) -> Context {
    let mut context = Context::new();
    caller(&mut context, &call.identity, own_tags);
    surroundings(&mut context, cloud, call, access);
    let service = access.action.split(':').next().unwrap_or_default();
    for (key, value) in &access.resource_tags {
        context.set(&format!("aws:ResourceTag/{key}"), value.as_str());
        // Docs: IAM has keys of its own for the tags of roles and users, STS asks the role's.
        if matches!(service, "iam" | "sts") {
            context.set(&format!("iam:ResourceTag/{key}"), value.as_str());
        }
    }
    context.set_opt("aws:ResourceAccount", some(&access.resource_account));
    for (key, values) in &access.context {
        context.set(key, several(key, values));
    }
    context
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// Docs: these keys have several values by nature, others only if they came with several.
fn several(key: &str, values: &[String]) -> ContextValue {
    let multivalued = [
        "aws:TagKeys",
        "sts:TransitiveTagKeys",
        "aws:CalledVia",
        "aws:PrincipalServiceNamesList",
    ];
    match values {
        [one]
            if !multivalued
                .iter()
                .any(|name| name.eq_ignore_ascii_case(key)) =>
        {
            ContextValue::One(one.clone())
        }
        _ => ContextValue::Many(values.to_vec()),
    }
}

fn caller(context: &mut Context, identity: &Identity, own_tags: &[Tag]) {
    let caller = &identity.caller;
    // Docs: for sessions the role's ARN with its path, never the session's.
    let arn = caller.role_arn.as_deref().unwrap_or(&caller.arn);
    let named = !matches!(
        caller.kind,
        CallerKind::Service | CallerKind::WebIdentity | CallerKind::Anonymous
    );
    if named {
        context.set("aws:PrincipalArn", arn);
        context.set_opt("aws:userid", some(&identity.user_id));
    }
    match caller.kind {
        CallerKind::Anonymous => {
            context.set("aws:PrincipalAccount", "anonymous");
        }
        _ => {
            context.set_opt("aws:PrincipalAccount", some(&caller.account));
        }
    }
    let kind = match caller.kind {
        CallerKind::Root => Some("Account"),
        CallerKind::User => Some("User"),
        CallerKind::AssumedRole => Some("AssumedRole"),
        CallerKind::FederatedUser => Some("FederatedUser"),
        CallerKind::Anonymous => Some("Anonymous"),
        CallerKind::Service | CallerKind::WebIdentity => None,
    };
    context.set_opt("aws:PrincipalType", kind);
    if caller.kind == CallerKind::User {
        context.set_opt("aws:username", identity.user_name.as_deref());
    }
    for (key, value) in own_tags {
        context.set(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
    // Docs: a session tag hides the role's of the same key.
    for (key, value) in &identity.session_tags {
        context.set(&format!("aws:PrincipalTag/{key}"), value.as_str());
    }
    context.set(
        "aws:PrincipalIsAWSService",
        caller.kind == CallerKind::Service,
    );
    if caller.kind == CallerKind::Service {
        context.set("aws:PrincipalServiceName", caller.arn.as_str());
        context.set("aws:PrincipalServiceNamesList", vec![caller.arn.clone()]);
        context.set_opt("aws:SourceArn", identity.source_arn.as_deref());
        context.set_opt("aws:SourceAccount", identity.source_account.as_deref());
    }
    context.set_opt(
        "aws:TokenIssueTime",
        identity.issued_at.map(|at| at.to_string()),
    );
    if identity.is_session() {
        context.set("aws:MultiFactorAuthPresent", false);
    }
    context.set_opt(
        "aws:FederatedProvider",
        identity.federated_provider.as_deref(),
    );
    context.set_opt("aws:SourceIdentity", identity.source_identity.as_deref());
}

fn surroundings(context: &mut Context, cloud: &Cloud, call: &Call, access: &Access) {
    // Docs: IAM is global and plays in us-east-1.
    let region = if access.action.starts_with("iam:") {
        "us-east-1"
    } else {
        &call.region
    };
    context.set_opt("aws:RequestedRegion", some(region));
    let now = cloud.now();
    context.set("aws:CurrentTime", now.to_string());
    context.set("aws:EpochTime", now.as_second());
    // The services played here speak TLS; that this one is reached without must not make policies deny.
    context.set("aws:SecureTransport", true);
    context.set("aws:ViaAWSService", false);
    context.set_opt("aws:SourceIp", call.source_ip.map(|ip| ip.to_string()));
    context.set_opt("aws:UserAgent", call.user_agent.as_deref());
}
