//! STS, rule by rule, with its exact texts.

mod assume_role;
mod chains;
mod other_calls;
mod tags;
mod validation;
mod web_identity;

use std::sync::Arc;

use crate::{
    Call, Cloud,
    sts::AssumeRole,
    testing::{ACCOUNT, cloud, role, trusting, user},
};

/// A request of a caller for a role.
fn asking(call: &Call, role_arn: &str) -> AssumeRole {
    AssumeRole {
        request_id: "request".into(),
        source: "assume-role",
        caller: call.identity.clone(),
        role_arn: role_arn.into(),
        session_name: "session".into(),
        region: "us-east-1".into(),
        ..AssumeRole::default()
    }
}

/// A user, and a role `app` that trusts her by name.
fn alice_and_app() -> (Arc<Cloud>, Call, AssumeRole) {
    let cloud = cloud();
    let alice = user(&cloud, ACCOUNT, "alice", "");
    let app = role(
        &cloud,
        ACCOUNT,
        "app",
        &trusting(&alice.identity.caller.arn),
        "",
    );
    let request = asking(&alice, &app.arn);
    (cloud, alice, request)
}

fn pair(code: &str, text: &str) -> (String, String) {
    (code.into(), text.into())
}
