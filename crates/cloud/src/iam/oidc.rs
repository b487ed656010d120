//! OpenID Connect providers.

use std::{collections::BTreeMap, sync::Arc};

use emu_core::{Arn, Timestamp};

use super::{Iam, Tag, tags, texts};
use crate::{Access, Call, Cloud, ServiceError, constraint::Constraints};

/// Docs.
const PROVIDERS: usize = 100;
/// Snapshot.
const CLIENT_IDS: usize = 100;
/// Snapshot: `fewer than 5`.
const THUMBPRINTS: usize = 5;

/// An identity provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OidcProvider {
    /// `arn:aws:iam::<account>:oidc-provider/<url>`.
    pub arn: String,
    /// The issuer, without its scheme.
    pub url: String,
    /// The audiences it may name.
    pub client_ids: Vec<String>,
    /// SHA-1 digests of certificates, lower-case.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
    /// When it was created.
    pub created_at: Timestamp,
}

/// The parameters of CreateOpenIDConnectProvider.
#[derive(Clone, Debug, Default)]
pub struct CreateProvider {
    /// The issuer, `https://…`.
    pub url: String,
    /// The audiences it may name.
    pub client_ids: Vec<String>,
    /// May be left out: AWS then takes the certificate's.
    pub thumbprints: Vec<String>,
    /// Its tags.
    pub tags: Vec<Tag>,
}

/// The ARN of an issuer's provider in an account.
pub(crate) fn provider_arn(account: &str, issuer: &str) -> String {
    let url = issuer
        .strip_prefix("https://")
        .unwrap_or(issuer)
        .trim_end_matches('/');
    Arn::new("iam", "", account, format!("oidc-provider/{url}")).to_string()
}

fn check_lists(constraints: &mut Constraints, client_ids: &[String], thumbprints: &[String]) {
    for (n, id) in client_ids.iter().enumerate() {
        constraints.length(&format!("clientIDList.{}.member", n + 1), id, 1, 255);
    }
    for (n, thumbprint) in thumbprints.iter().enumerate() {
        constraints.length(
            &format!("thumbprintList.{}.member", n + 1),
            thumbprint,
            40,
            40,
        );
    }
}

fn check_counts(client_ids: &[String], thumbprints: &[String]) -> Result<(), ServiceError> {
    if thumbprints.len() > THUMBPRINTS {
        return Err(texts::too_many_thumbprints());
    }
    if client_ids.len() > CLIENT_IDS {
        return Err(texts::quota(
            "ClientIdsPerOpenIdConnectProvider",
            CLIENT_IDS,
        ));
    }
    Ok(())
}

impl Iam {
    /// CreateOpenIDConnectProvider.
    ///
    /// # Errors
    /// If a parameter is not acceptable, the issuer has a provider already, or the caller may not.
    pub fn create_provider(
        &self,
        cloud: &Cloud,
        call: &Call,
        input: CreateProvider,
    ) -> Result<Arc<OidcProvider>, ServiceError> {
        let mut constraints = Constraints::iam();
        constraints.length("url", &input.url, 1, 255);
        check_lists(&mut constraints, &input.client_ids, &input.thumbprints);
        tags::check_form(&mut constraints, &input.tags);
        constraints.finish()?;
        let arn = provider_arn(&call.account, &input.url);
        self.require_provider(
            cloud,
            call,
            "iam:CreateOpenIDConnectProvider",
            &arn,
            tags::request_context(&input.tags),
        )?;
        let url = input
            .url
            .strip_prefix("https://")
            .map(|url| url.trim_end_matches('/'))
            .filter(|url| !url.is_empty() && !url.contains(['?', '#', ' ']))
            .ok_or_else(texts::provider_url)?;
        check_counts(&input.client_ids, &input.thumbprints)?;
        tags::check_unique(&input.tags, false)?;
        let mut state = self.write();
        if state.providers.contains_key(&arn) {
            return Err(texts::provider_exists(&input.url));
        }
        let prefix = provider_arn(&call.account, "");
        if state
            .providers
            .keys()
            .filter(|arn| arn.starts_with(&prefix))
            .count()
            >= PROVIDERS
        {
            return Err(texts::quota("OpenIDConnectProvidersPerAccount", PROVIDERS));
        }
        let provider = Arc::new(OidcProvider {
            url: url.into(),
            client_ids: distinct(input.client_ids),
            thumbprints: input
                .thumbprints
                .iter()
                .map(|t| t.to_ascii_lowercase())
                .collect(),
            tags: input.tags,
            created_at: cloud.now(),
            arn: arn.clone(),
        });
        state.providers.insert(arn, Arc::clone(&provider));
        Ok(provider)
    }

    /// The provider of an issuer in an account.
    pub fn provider(&self, account: &str, issuer: &str) -> Option<Arc<OidcProvider>> {
        self.read()
            .providers
            .get(&provider_arn(account, issuer))
            .cloned()
    }

    /// GetOpenIDConnectProvider.
    ///
    /// # Errors
    /// If the provider is unknown, or the caller may not.
    pub fn get_provider(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
    ) -> Result<Arc<OidcProvider>, ServiceError> {
        self.require_provider(
            cloud,
            call,
            "iam:GetOpenIDConnectProvider",
            arn,
            BTreeMap::new(),
        )?;
        self.read()
            .providers
            .get(arn)
            .cloned()
            .ok_or_else(|| texts::no_provider(arn))
    }

    /// ListOpenIDConnectProviders: the ARNs.
    ///
    /// # Errors
    /// If the caller may not.
    pub fn list_providers(&self, cloud: &Cloud, call: &Call) -> Result<Vec<String>, ServiceError> {
        let prefix = provider_arn(&call.account, "");
        self.require_provider(
            cloud,
            call,
            "iam:ListOpenIDConnectProviders",
            "*",
            BTreeMap::new(),
        )?;
        Ok(self
            .read()
            .providers
            .keys()
            .filter(|arn| arn.starts_with(&prefix))
            .cloned()
            .collect())
    }

    /// DeleteOpenIDConnectProvider. A second time is an error (snapshot).
    ///
    /// # Errors
    /// If the provider is unknown, or the caller may not.
    pub fn delete_provider(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
    ) -> Result<(), ServiceError> {
        self.require_provider(
            cloud,
            call,
            "iam:DeleteOpenIDConnectProvider",
            arn,
            BTreeMap::new(),
        )?;
        self.write()
            .providers
            .remove(arn)
            .map(drop)
            .ok_or_else(|| texts::no_provider_to_delete(arn))
    }

    /// AddClientIDToOpenIDConnectProvider. One that is there is no error (model).
    ///
    /// # Errors
    /// If the provider is unknown or full, or the caller may not.
    pub fn add_client_id(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        id: &str,
    ) -> Result<(), ServiceError> {
        let action = "iam:AddClientIDToOpenIDConnectProvider";
        self.change_provider(cloud, call, action, arn, |provider| {
            if provider.client_ids.iter().any(|known| known == id) {
                return Ok(());
            }
            if provider.client_ids.len() >= CLIENT_IDS {
                return Err(texts::quota(
                    "ClientIdsPerOpenIdConnectProvider",
                    CLIENT_IDS,
                ));
            }
            provider.client_ids.push(id.into());
            Ok(())
        })
    }

    /// RemoveClientIDFromOpenIDConnectProvider. One that is not there is no error (model).
    ///
    /// # Errors
    /// If the provider is unknown, or the caller may not.
    pub fn remove_client_id(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        id: &str,
    ) -> Result<(), ServiceError> {
        let action = "iam:RemoveClientIDFromOpenIDConnectProvider";
        self.change_provider(cloud, call, action, arn, |provider| {
            provider.client_ids.retain(|known| known != id);
            Ok(())
        })
    }

    /// UpdateOpenIDConnectProviderThumbprint.
    ///
    /// # Errors
    /// If a thumbprint is not acceptable, the provider unknown, or the caller may not.
    pub fn set_thumbprints(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        thumbprints: &[String],
    ) -> Result<(), ServiceError> {
        let mut constraints = Constraints::iam();
        check_lists(&mut constraints, &[], thumbprints);
        constraints.finish()?;
        self.change_provider(
            cloud,
            call,
            "iam:UpdateOpenIDConnectProviderThumbprint",
            arn,
            |provider| {
                check_counts(&[], thumbprints)?;
                provider.thumbprints = thumbprints.iter().map(|t| t.to_ascii_lowercase()).collect();
                Ok(())
            },
        )
    }

    /// TagOpenIDConnectProvider and UntagOpenIDConnectProvider.
    ///
    /// # Errors
    /// If the tags are not acceptable, the provider unknown, or the caller may not.
    pub fn tag_provider(
        &self,
        cloud: &Cloud,
        call: &Call,
        arn: &str,
        new: Vec<Tag>,
        gone: &[String],
    ) -> Result<(), ServiceError> {
        let mut constraints = Constraints::iam();
        tags::check_form(&mut constraints, &new);
        tags::check_keys(&mut constraints, gone);
        constraints.finish()?;
        tags::check_unique(&new, false)?;
        let verb = if gone.is_empty() { "Tag" } else { "Untag" };
        self.change_provider(
            cloud,
            call,
            &format!("iam:{verb}OpenIDConnectProvider"),
            arn,
            |provider| {
                if tags::count_with(&provider.tags, &new) > 50 {
                    return Err(texts::too_many_tags());
                }
                tags::add(&mut provider.tags, new);
                provider.tags.retain(|(key, _)| !gone.contains(key));
                Ok(())
            },
        )
    }

    fn change_provider(
        &self,
        cloud: &Cloud,
        call: &Call,
        action: &str,
        arn: &str,
        change: impl FnOnce(&mut OidcProvider) -> Result<(), ServiceError>,
    ) -> Result<(), ServiceError> {
        self.require_provider(cloud, call, action, arn, BTreeMap::new())?;
        let mut state = self.write();
        let slot = state
            .providers
            .get_mut(arn)
            .ok_or_else(|| texts::no_provider(arn))?;
        change(Arc::make_mut(slot))
    }

    fn require_provider(
        &self,
        cloud: &Cloud,
        call: &Call,
        action: &str,
        arn: &str,
        context: BTreeMap<String, Vec<String>>,
    ) -> Result<(), ServiceError> {
        let resource_tags = self
            .read()
            .providers
            .get(arn)
            .map(|p| p.tags.iter().cloned().collect())
            .unwrap_or_default();
        cloud.require(
            call,
            Access {
                action: action.into(),
                resource: arn.into(),
                resource_account: call.account.clone(),
                context,
                resource_tags,
                ..Access::default()
            },
        )
    }
}

fn distinct(list: Vec<String>) -> Vec<String> {
    let mut out: Vec<String> = Vec::with_capacity(list.len());
    for item in list {
        if !out.contains(&item) {
            out.push(item);
        }
    }
    out
}
