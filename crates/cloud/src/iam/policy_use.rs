//! What managed policies are attached to, and their tags.

use super::{Iam, Tag, state::State, tags, texts, versioned::Versioned};
use crate::{Call, Cloud, ServiceError, constraint::Constraints};

impl Iam {
    /// TagPolicy.
    ///
    /// # Errors
    /// If the tags are not acceptable or too many, the policy is unknown, or the caller may not.
    pub fn tag_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        new: Vec<Tag>,
    ) -> Result<(), ServiceError> {
        let mut constraints = Constraints::iam();
        tags::check_form(&mut constraints, &new);
        constraints.finish()?;
        let policy = self.known_policy(cloud, call, "iam:TagPolicy", arn)?;
        tags::check_unique(&new, true)?;
        if tags::count_with(&policy.tags, &new) > 50 {
            return Err(texts::too_many_tags());
        }
        self.write()
            .change_policy(cloud, arn, |policy| tags::add(&mut policy.tags, new));
        Ok(())
    }

    /// UntagPolicy.
    ///
    /// # Errors
    /// If the policy is unknown, or the caller may not.
    pub fn untag_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        keys: &[String],
    ) -> Result<(), ServiceError> {
        let mut constraints = Constraints::iam();
        tags::check_keys(&mut constraints, keys);
        constraints.finish()?;
        self.known_policy(cloud, call, "iam:UntagPolicy", arn)?;
        self.write().change_policy(cloud, arn, |policy| {
            policy.tags.retain(|(key, _)| !keys.contains(key));
        });
        Ok(())
    }

    /// ListPolicyTags.
    ///
    /// # Errors
    /// If the policy is unknown, or the caller may not.
    pub fn policy_tags(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
    ) -> Result<Vec<Tag>, ServiceError> {
        Ok(self
            .known_policy(cloud, call, "iam:ListPolicyTags", arn)?
            .tags
            .clone())
    }

    /// ListEntitiesForPolicy: names and ids of the roles, and of the users, a policy is attached to.
    ///
    /// # Errors
    /// If the policy is unknown, or the caller may not.
    #[allow(clippy::type_complexity)]
    pub fn entities_for_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
    ) -> Result<(Vec<(String, String)>, Vec<(String, String)>), ServiceError> {
        self.known_policy(cloud, call, "iam:ListEntitiesForPolicy", arn)?;
        let state = self.read();
        let has = |attached: &[String]| attached.iter().any(|a| a == arn);
        let roles = state.roles.values().map(Versioned::current);
        let users = state.users.values().map(Versioned::current);
        Ok((
            roles
                .filter(|r| r.account == call.account && has(&r.permissions.attached))
                .map(|r| (r.name.clone(), r.id.clone()))
                .collect(),
            users
                .filter(|u| u.account == call.account && has(&u.permissions.attached))
                .map(|u| (u.name.clone(), u.id.clone()))
                .collect(),
        ))
    }
}

impl State {
    /// How many entities of an account a policy is attached to, and how many it bounds.
    pub(super) fn usage(&self, account: &str, arn: &str) -> (usize, usize) {
        let roles = self
            .roles
            .values()
            .map(Versioned::current)
            .filter(|r| r.account == account)
            .map(|r| &r.permissions);
        let users = self
            .users
            .values()
            .map(Versioned::current)
            .filter(|u| u.account == account)
            .map(|u| &u.permissions);
        roles
            .chain(users)
            .fold((0, 0), |(attached, bounded), permissions| {
                (
                    attached + usize::from(permissions.attached.iter().any(|a| a == arn)),
                    bounded + usize::from(permissions.boundary.as_deref() == Some(arn)),
                )
            })
    }
}
