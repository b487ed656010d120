//! Tags of clusters, add-ons and associations.

use std::collections::BTreeMap;

use emu_core::Arn;

use super::{
    store::{ClusterKey, Eks, Stored},
    texts,
};
use crate::{Access, Call, Cloud, ServiceError};

/// `aws:RequestTag/…` and `aws:TagKeys` of a request that passes tags.
pub(super) fn request_tags(
    tags: Option<&BTreeMap<String, String>>,
) -> BTreeMap<String, Vec<String>> {
    let mut context = BTreeMap::new();
    if let Some(tags) = tags.filter(|tags| !tags.is_empty()) {
        for (key, value) in tags {
            context.insert(format!("aws:RequestTag/{key}"), vec![value.clone()]);
        }
        context.insert("aws:TagKeys".into(), tags.keys().cloned().collect());
    }
    context
}

/// Model: at most 50 tags, keys of 1 to 128 and values of up to 256 characters; `aws:` is reserved (docs). The texts
/// are inferred.
pub(super) fn checked(
    tags: BTreeMap<String, String>,
) -> Result<BTreeMap<String, String>, ServiceError> {
    if tags.len() > 50 {
        return Err(texts::invalid("A resource can have at most 50 tags"));
    }
    for (key, value) in &tags {
        if key.is_empty() || key.chars().count() > 128 {
            return Err(texts::invalid("A tag key must have 1 to 128 characters"));
        }
        if value.chars().count() > 256 {
            return Err(texts::invalid(
                "A tag value must have at most 256 characters",
            ));
        }
        if key.to_ascii_lowercase().starts_with("aws:") {
            return Err(texts::invalid("A tag key must not begin with aws:"));
        }
    }
    Ok(tags)
}

impl Eks {
    /// TagResource.
    ///
    /// # Errors
    /// BadRequestException for an ARN that is not EKS's, NotFoundException for one that names nothing.
    pub fn tag_resource(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        tags: BTreeMap<String, String>,
    ) -> Result<(), ServiceError> {
        self.require_tags(
            cloud,
            call,
            "eks:TagResource",
            arn,
            request_tags(Some(&tags)),
        )?;
        let tags = checked(tags)?;
        self.with_tags(cloud, arn, |kept| {
            kept.extend(tags);
            if kept.len() > 50 {
                return Err(texts::invalid("A resource can have at most 50 tags"));
            }
            Ok(())
        })
    }

    /// UntagResource; absent keys are no error.
    ///
    /// # Errors
    /// As TagResource.
    pub fn untag_resource(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        keys: &[String],
    ) -> Result<(), ServiceError> {
        let context = BTreeMap::from([("aws:TagKeys".to_owned(), keys.to_vec())]);
        self.require_tags(cloud, call, "eks:UntagResource", arn, context)?;
        self.with_tags(cloud, arn, |kept| {
            kept.retain(|key, _| !keys.contains(key));
            Ok(())
        })
    }

    /// ListTagsForResource.
    ///
    /// # Errors
    /// As TagResource.
    pub fn list_tags(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
    ) -> Result<BTreeMap<String, String>, ServiceError> {
        self.require_tags(cloud, call, "eks:ListTagsForResource", arn, BTreeMap::new())?;
        self.with_tags(cloud, arn, |kept| Ok(kept.clone()))
    }

    fn require_tags(
        &self,
        cloud: &Cloud,
        call: &Call,
        action: &str,
        arn: &str,
        context: BTreeMap<String, Vec<String>>,
    ) -> Result<(), ServiceError> {
        let parsed = parse(arn)?;
        cloud.require(
            call,
            Access {
                action: action.into(),
                resource: arn.into(),
                resource_account: parsed.account,
                resource_tags: self
                    .with_tags(cloud, arn, |kept| Ok(kept.clone()))
                    .unwrap_or_default(),
                context,
                ..Access::default()
            },
        )
    }

    fn with_tags<T>(
        &self,
        cloud: &Cloud,
        arn: &str,
        f: impl FnOnce(&mut BTreeMap<String, String>) -> Result<T, ServiceError>,
    ) -> Result<T, ServiceError> {
        let parsed = parse(arn)?;
        let missing = || texts::tag_target_missing(arn);
        let (kind, rest) = parsed.resource.split_once('/').ok_or_else(missing)?;
        let mut parts = rest.split('/');
        let key = ClusterKey {
            account: parsed.account.clone(),
            region: parsed.region.clone(),
            name: parts.next().unwrap_or_default().into(),
        };
        let id = parts.next().unwrap_or_default().to_owned();
        self.with_mut(cloud, &key, |stored| match tags_of(stored, kind, &id) {
            Some(tags) => f(tags),
            None => Err(missing()),
        })
        .map_err(|e| {
            if e.code == "ResourceNotFoundException" {
                missing()
            } else {
                e
            }
        })
    }
}

fn tags_of<'a>(
    stored: &'a mut Stored,
    kind: &str,
    id: &str,
) -> Option<&'a mut BTreeMap<String, String>> {
    match kind {
        "cluster" => Some(&mut stored.cluster.tags),
        "podidentityassociation" => stored
            .associations
            .get_mut(id)
            .map(|r| &mut r.association.tags),
        "addon" => stored.addons.get_mut(id).map(|a| &mut a.tags),
        _ => None,
    }
}

fn parse(arn: &str) -> Result<Arn, ServiceError> {
    arn.parse::<Arn>()
        .ok()
        .filter(|arn| arn.service == "eks")
        .ok_or_else(|| texts::bad_tag_arn(arn))
}
