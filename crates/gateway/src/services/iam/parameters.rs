//! Reading the parameters of IAM.

use std::sync::Arc;

use emu_cloud::{
    Call, Cloud, ServiceError,
    iam::{EntityKind, PageRequest, Tag},
};

use super::Params;

/// A request on its way to an action.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    pub(super) cloud: &'a Arc<Cloud>,
    pub(super) call: &'a Call,
    pub(super) params: &'a Params<'a>,
}

impl<'a> Input<'a> {
    /// Required parameters, all at once: those missing are named in one message.
    pub(super) fn required<const N: usize>(
        &self,
        names: [&str; N],
    ) -> Result<[&'a str; N], ServiceError> {
        let missing: Vec<String> = names
            .iter()
            .filter(|name| self.params.get(name).is_none())
            .map(|name| {
                format!(
                    "Value at '{}' failed to satisfy constraint: Member must not be null",
                    member(name)
                )
            })
            .collect();
        if !missing.is_empty() {
            return Err(violations(&missing));
        }
        Ok(names.map(|name| self.params.get(name).unwrap_or_default()))
    }

    pub(super) fn optional(&self, name: &str) -> Option<&'a str> {
        self.params.get(name)
    }

    pub(super) fn owned(&self, name: &str) -> Option<String> {
        self.params.owned(name)
    }

    /// Snapshot: what is no 32-bit number is MalformedInput without a text.
    pub(super) fn number(&self, name: &str) -> Result<Option<i32>, ServiceError> {
        let Some(text) = self.params.get(name) else {
            return Ok(None);
        };
        let malformed =
            || ServiceError::new("MalformedInput", 400, "").because(format!("{name} is `{text}`"));
        text.parse().map(Some).map_err(|_| malformed())
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.params.get(name) == Some("true")
    }

    pub(super) fn list(&self, name: &str) -> Vec<String> {
        self.params
            .list(name)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    /// `Tags.member.1.Key` and `….Value`.
    pub(super) fn tags(&self) -> Result<Vec<Tag>, ServiceError> {
        let mut missing = Vec::new();
        let mut tags = Vec::new();
        for (n, member) in self.params.structures("Tags").iter().enumerate() {
            for (field, name) in [("Key", "key"), ("Value", "value")] {
                if member.get(field).is_none() {
                    missing.push(format!(
                        "Value at 'tags.{}.member.{name}' failed to satisfy constraint: Member must not be null",
                        n + 1
                    ));
                }
            }
            tags.push((
                member.owned("Key").unwrap_or_default(),
                member.owned("Value").unwrap_or_default(),
            ));
        }
        if missing.is_empty() {
            Ok(tags)
        } else {
            Err(violations(&missing))
        }
    }

    pub(super) fn page(&self) -> Result<PageRequest, ServiceError> {
        Ok(PageRequest {
            max_items: self.number("MaxItems")?,
            marker: self.owned("Marker"),
        })
    }

    /// The name of the role or user an action is about.
    pub(super) fn entity(&self, kind: EntityKind) -> Result<&'a str, ServiceError> {
        let [name] = self.required([&format!("{}Name", kind.title())])?;
        Ok(name)
    }

    /// What the action is about, for the journal: the ARN in the request, or a role or user by its ARN.
    pub(super) fn resource(&self) -> String {
        let arns = ["PolicyArn", "OpenIDConnectProviderArn", "PolicySourceArn"];
        if let Some(role) = self.optional("RoleName") {
            let account = &self.call.account;
            let known = self
                .cloud
                .iam
                .role(account, role)
                .map(|role| role.arn.clone());
            return known.unwrap_or_else(|| format!("arn:aws:iam::{account}:role/{role}"));
        }
        if let Some(user) = self.optional("UserName") {
            let account = &self.call.account;
            let known = self
                .cloud
                .iam
                .user(account, user)
                .map(|user| user.arn.clone());
            return known.unwrap_or_else(|| format!("arn:aws:iam::{account}:user/{user}"));
        }
        arns.iter()
            .find_map(|name| self.optional(name))
            .unwrap_or("*")
            .to_owned()
    }
}

/// `RoleName` is `roleName` in messages.
fn member(name: &str) -> String {
    let mut chars = name.chars();
    chars
        .next()
        .map(|first| first.to_ascii_lowercase())
        .into_iter()
        .chain(chars)
        .collect()
}

fn violations(broken: &[String]) -> ServiceError {
    let n = broken.len();
    let plural = if n == 1 { "" } else { "s" };
    ServiceError::new(
        "ValidationError",
        400,
        format!(
            "{n} validation error{plural} detected: {}",
            broken.join("; ")
        ),
    )
}
