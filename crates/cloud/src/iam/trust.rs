//! Trust policies: their principals are bound to the entities that bore the names when the policy was written.

use emu_core::Arn;
use serde_json::Value;

use super::{
    Iam, document,
    state::{State, horizon},
    texts, validate,
};
use crate::{Cloud, ServiceError};

/// A trust policy with its principals resolved.
///
/// Docs, snapshots: a role or user named by ARN is stored as its unique id and printed as ARN while it lives, as `AROA…` or
/// `AIDA…` afterwards; another of the same name does not inherit the trust.
#[derive(Debug)]
pub struct Trust {
    text: String,
    /// Roles and users named: ARN and unique id.
    bound: Vec<(String, String)>,
}

impl Trust {
    /// The text as it was given.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text as IAM prints it now.
    pub fn printed(&self, iam: &Iam) -> String {
        self.rewritten(iam).unwrap_or_else(|| self.text.clone())
    }

    /// The text with the ids of those that have died, if there are any.
    fn rewritten(&self, iam: &Iam) -> Option<String> {
        let dead: Vec<&(String, String)> = self.bound.iter().filter(|(_, id)| !iam.role_lives(id)).collect();
        // Ids that were given as such are printed as the ARN of their bearer while it lives.
        let given_as_id: Vec<(&str, String)> = self
            .bound
            .iter()
            .filter(|(given, id)| given == id)
            .filter_map(|(given, id)| Some((given.as_str(), iam.arn_of_id(id)?)))
            .collect();
        if dead.is_empty() && given_as_id.is_empty() {
            return None;
        }
        let mut value: Value = serde_json::from_str(&self.text).ok()?;
        principals(&mut value, &mut |principal| {
            if let Some((_, id)) = dead.iter().find(|(arn, _)| arn == principal) {
                *principal = id.clone();
            } else if let Some((_, arn)) = given_as_id.iter().find(|(id, _)| id == principal) {
                *principal = arn.clone();
            }
        });
        serde_json::to_string(&value).ok()
    }
}

impl Iam {
    /// Checks a trust policy and binds its principals.
    pub(super) fn accept_trust(&self, cloud: &Cloud, text: &str) -> Result<Trust, ServiceError> {
        validate::trust(text)?;
        let settings = cloud.settings();
        let most = settings.quotas.trust_policy_characters;
        let mut value: Value = serde_json::from_str(text).map_err(|_| texts::malformed("This policy contains invalid Json"))?;
        let seen = horizon(cloud.now(), settings.propagation.iam_role);
        let state = self.read();
        let mut bound = Vec::new();
        let mut wrong = None;
        principals(&mut value, &mut |principal| match bind(&state, principal, seen) {
            Ok(Some(id)) => bound.push((principal.clone(), id)),
            Ok(None) => {}
            Err(()) => {
                wrong.get_or_insert_with(|| texts::invalid_principal("AWS", principal));
            }
        });
        drop(state);
        if let Some(error) = wrong {
            return Err(error);
        }
        services(&value)?;
        if document::characters(text) > most {
            return Err(texts::quota("ACLSizePerRole", most));
        }
        Ok(Trust { text: text.into(), bound })
    }
}

/// The id of a role or user that is named, nothing for other principals. Not an error: accounts, sessions, everyone.
fn bind(state: &State, principal: &str, seen: emu_core::Timestamp) -> Result<Option<String>, ()> {
    if principal == "*" || is_account(principal) {
        return Ok(None);
    }
    if principal.starts_with("AROA") || principal.starts_with("AIDA") {
        return if state.ids.contains_key(principal) { Ok(Some(principal.to_owned())) } else { Err(()) };
    }
    let arn: Arn = principal.parse().map_err(|_| ())?;
    if !arn.region.is_empty() || !is_account(&arn.account) || principal.contains(['*', '?']) {
        return Err(());
    }
    match (arn.service.as_str(), arn.kind_and_rest()) {
        ("iam", None) if arn.resource == "root" => Ok(None),
        ("iam", Some(("role", _))) => {
            let role = state.role_by_arn(principal).ok_or(())?.current();
            if role.created_at > seen { Err(()) } else { Ok(Some(role.id.clone())) }
        }
        ("iam", Some(("user", _))) => {
            let user = state.user(&arn.account, arn.name()).filter(|u| u.current().arn == principal).ok_or(())?;
            if user.current().created_at > seen { Err(()) } else { Ok(Some(user.current().id.clone())) }
        }
        ("sts", Some(("assumed-role" | "federated-user", _))) => Ok(None),
        _ => Err(()),
    }
}

fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

/// Calls `visit` for every AWS principal of every statement.
fn principals(policy: &mut Value, visit: &mut dyn FnMut(&mut String)) {
    let statements = match &mut policy["Statement"] {
        Value::Array(list) => list.iter_mut().collect::<Vec<_>>(),
        one => vec![one],
    };
    for statement in statements {
        let Some(principal) = statement.get_mut("Principal").and_then(|p| p.get_mut("AWS")) else {
            continue;
        };
        match principal {
            Value::String(one) => visit(one),
            Value::Array(several) => several.iter_mut().for_each(|value| {
                if let Value::String(one) = value {
                    visit(one);
                }
            }),
            _ => {}
        }
    }
}

/// Service principals must be known ones (snapshot: `Invalid principal in policy: "SERVICE":"<x>"`).
fn services(policy: &Value) -> Result<(), ServiceError> {
    let statements = match &policy["Statement"] {
        Value::Array(list) => list.iter().collect::<Vec<_>>(),
        one => vec![one],
    };
    for statement in statements {
        let service = &statement["Principal"]["Service"];
        let names = match service {
            Value::Array(list) => list.iter().collect::<Vec<_>>(),
            one => vec![one],
        };
        for name in names.iter().filter_map(|name| name.as_str()) {
            if !super::service_principals::is_known(name) {
                return Err(texts::invalid_principal("SERVICE", name));
            }
        }
    }
    Ok(())
}
