//! Managed policies of customers, and their versions.

use std::{collections::BTreeMap, sync::Arc};

use emu_core::{Arn, Timestamp};
use emu_policy::DocumentKind;

use super::{
    Document, Iam, Page, PageRequest, Tag, aws_managed, document,
    entity::{check_name, check_path},
    tags, texts,
    versioned::Versioned,
};
use crate::{Access, Call, Cloud, ServiceError, constraint::Constraints};

/// A managed policy as it stood when it was looked up.
#[derive(Clone, Debug)]
pub struct ManagedPolicy {
    /// Its ARN.
    pub arn: String,
    /// `ANPA…`.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `/`, or `/…/`.
    pub path: String,
    /// What it is for.
    pub description: Option<String>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When its default version last changed.
    pub updated_at: Timestamp,
    /// Its versions, oldest first.
    pub versions: Vec<PolicyVersion>,
    /// The number of the version that counts.
    pub default_version: u32,
    /// The number of the newest version there ever was.
    pub last_version: u32,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// One version of a managed policy.
#[derive(Clone, Debug)]
pub struct PolicyVersion {
    /// `v1` is 1.
    pub number: u32,
    /// The document.
    pub document: Arc<Document>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl PolicyVersion {
    /// `v1`, `v2`, …
    pub fn id(&self) -> String {
        format!("v{}", self.number)
    }
}

impl ManagedPolicy {
    /// The document that counts.
    pub fn document(&self) -> Option<&Arc<Document>> {
        self.version(self.default_version)
            .map(|version| &version.document)
    }

    pub(super) fn version(&self, number: u32) -> Option<&PolicyVersion> {
        self.versions
            .iter()
            .find(|version| version.number == number)
    }
}

/// The parameters of CreatePolicy.
#[derive(Clone, Debug, Default)]
pub struct CreatePolicy {
    /// The name.
    pub name: String,
    /// The document.
    pub document: String,
    /// `/` if absent.
    pub path: Option<String>,
    /// What it is for.
    pub description: Option<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// The parameters of ListPolicies.
#[derive(Clone, Debug, Default)]
pub struct ListPolicies {
    /// `All`, `AWS` or `Local`; `All` if absent.
    pub scope: Option<String>,
    /// Only those attached to something.
    pub only_attached: bool,
    /// `/` if absent.
    pub path_prefix: Option<String>,
    /// Which part of the list.
    pub page: PageRequest,
}

impl Iam {
    /// CreatePolicy.
    ///
    /// # Errors
    /// If a parameter is not acceptable, the document malformed or too long, the name taken, or the caller may not.
    pub fn create_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        input: CreatePolicy,
    ) -> Result<Arc<ManagedPolicy>, ServiceError> {
        let mut constraints = Constraints::iam();
        constraints.length("policyName", &input.name, 1, 128);
        if let Some(description) = &input.description {
            constraints.length("description", description, 0, 1_000);
        }
        tags::check_form(&mut constraints, &input.tags);
        constraints.finish()?;
        check_name("policyName", &input.name, 128)?;
        let path = input.path.unwrap_or_else(|| "/".into());
        check_path(&path)?;
        document::check_length("policyDocument", &input.document)?;
        let arn = Arn::new(
            "iam",
            "",
            &call.account,
            format!("policy{path}{}", input.name),
        )
        .to_string();
        require(
            cloud,
            call,
            "iam:CreatePolicy",
            &arn,
            tags::request_context(&input.tags),
            &[],
        )?;
        tags::check_unique(&input.tags, true)?;
        let document = document::parse(&input.document, DocumentKind::Identity)?;
        check_size(cloud, &document)?;
        let now = cloud.now();
        let mut state = self.write();
        // Names are unique in the account whatever the path (docs).
        if state.policies.values().any(|slot| {
            let policy = slot.current();
            policy.name.eq_ignore_ascii_case(&input.name) && account(&policy.arn) == call.account
        }) {
            return Err(texts::policy_exists(&input.name));
        }
        let policy = ManagedPolicy {
            arn: arn.clone(),
            id: cloud.ids().policy(),
            name: input.name,
            path,
            description: input.description.filter(|text| !text.is_empty()),
            created_at: now,
            updated_at: now,
            versions: vec![PolicyVersion {
                number: 1,
                document: Arc::new(document),
                created_at: now,
            }],
            default_version: 1,
            last_version: 1,
            tags: input.tags,
        };
        let slot = Versioned::new(policy, now);
        let policy = Arc::clone(slot.current());
        state.policies.insert(arn, slot);
        Ok(policy)
    }

    /// A managed policy as it was last written, AWS's own included.
    pub fn policy(&self, arn: &str) -> Option<Arc<ManagedPolicy>> {
        aws_managed::find(arn).or_else(|| {
            self.read()
                .policies
                .get(arn)
                .map(|p| Arc::clone(p.current()))
        })
    }

    /// How many entities a managed policy is attached to, and how many it bounds.
    pub fn policy_usage(&self, account: &str, arn: &str) -> (usize, usize) {
        self.read().usage(account, arn)
    }

    /// GetPolicy.
    ///
    /// # Errors
    /// If the policy is unknown, or the caller may not.
    pub fn get_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
    ) -> Result<Arc<ManagedPolicy>, ServiceError> {
        self.known_policy(cloud, call, "iam:GetPolicy", arn)
    }

    pub(super) fn known_policy(
        &self,
        cloud: &Cloud,
        call: &Call,
        action: &str,
        arn: &str,
    ) -> Result<Arc<ManagedPolicy>, ServiceError> {
        super::attach::check_policy_arn(arn)?;
        let policy = self
            .policy(arn)
            .filter(|p| account(&p.arn) == "aws" || account(&p.arn) == call.account);
        let tags = policy
            .as_ref()
            .map(|p| p.tags.as_slice())
            .unwrap_or_default();
        require(cloud, call, action, arn, BTreeMap::new(), tags)?;
        policy.ok_or_else(|| texts::no_policy(arn))
    }

    /// ListPolicies, by ARN.
    ///
    /// # Errors
    /// If the page is not acceptable, or the caller may not.
    pub fn list_policies(
        &self,
        cloud: &Cloud,
        call: &Call,
        input: &ListPolicies,
    ) -> Result<Page<Arc<ManagedPolicy>>, ServiceError> {
        let mut constraints = Constraints::iam();
        input.page.check(&mut constraints);
        let scope = input.scope.as_deref().unwrap_or("All");
        if !["All", "AWS", "Local"].contains(&scope) {
            constraints.add(
                "scope",
                scope,
                "Member must satisfy enum value set: [AWS, Local, All]",
            );
        }
        constraints.finish()?;
        let prefix = input.path_prefix.as_deref().unwrap_or("/");
        let resource = Arn::new("iam", "", &call.account, format!("policy{prefix}")).to_string();
        require(
            cloud,
            call,
            "iam:ListPolicies",
            &resource,
            BTreeMap::new(),
            &[],
        )?;
        let state = self.read();
        let mut policies: Vec<Arc<ManagedPolicy>> = Vec::new();
        if scope != "AWS" {
            policies.extend(
                state
                    .policies
                    .values()
                    .map(|p| Arc::clone(p.current()))
                    .filter(|p| account(&p.arn) == call.account),
            );
        }
        if scope != "Local" {
            policies.extend(aws_managed::all());
        }
        policies.retain(|policy| {
            policy.path.starts_with(prefix)
                && (!input.only_attached || state.usage(&call.account, &policy.arn).0 > 0)
        });
        policies.sort_by(|a, b| a.arn.cmp(&b.arn));
        input.page.cut(policies, |policy| &policy.arn)
    }

    /// DeletePolicy. Other versions and attachments must go first (docs).
    ///
    /// # Errors
    /// If the policy is unknown, AWS's, or still used, or the caller may not.
    pub fn delete_policy(&self, cloud: &Cloud, call: &Call, arn: &str) -> Result<(), ServiceError> {
        own(call, arn, "Cannot delete policies")?;
        let policy = self.known_policy(cloud, call, "iam:DeletePolicy", arn)?;
        let mut state = self.write();
        let (attached, bounded) = state.usage(&call.account, arn);
        if attached + bounded > 0 {
            return Err(texts::policy_attached());
        }
        if policy.versions.len() > 1 {
            return Err(texts::several_versions());
        }
        state.policies.remove(arn);
        Ok(())
    }
}

pub(super) fn require(
    cloud: &Cloud,
    call: &Call,
    action: &str,
    arn: &str,
    context: BTreeMap<String, Vec<String>>,
    resource_tags: &[Tag],
) -> Result<(), ServiceError> {
    cloud.require(
        call,
        Access {
            action: action.into(),
            resource: arn.into(),
            resource_account: call.account.clone(),
            context,
            resource_tags: resource_tags.iter().cloned().collect(),
            ..Access::default()
        },
    )
}

/// Snapshot: policies of others, AWS's included, cannot be changed.
pub(super) fn own(call: &Call, arn: &str, what: &str) -> Result<(), ServiceError> {
    super::attach::check_policy_arn(arn)?;
    if account(arn) == call.account {
        Ok(())
    } else {
        Err(texts::outside_account(what))
    }
}

pub(super) fn account(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

/// Docs: 6144 characters, white space not counted.
pub(super) fn check_size(cloud: &Cloud, document: &Document) -> Result<(), ServiceError> {
    let most = cloud.settings().quotas.managed_policy_characters;
    if document.size() > most {
        Err(texts::quota("PolicySize", most))
    } else {
        Ok(())
    }
}
