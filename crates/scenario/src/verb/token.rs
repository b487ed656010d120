//! `token`: one is kept by name, to be sent later; the pod's own, or one minted by hand.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use emu_cloud::eks_auth::AUDIENCE;
use emu_cluster::{MintRequest, PodName, SharedCluster};
use emu_core::{ServiceAccountRef, Span};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

/// A token to keep.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Token {
    /// The name by which `fetch` sends it: `token: { kept: NAME }`.
    pub keep: Located<String>,
    /// The pod whose token it is.
    pub pod: Option<Located<String>>,
    /// Mints one by hand, as `kubectl create token` does; without it the token is what the pod's file holds now.
    pub mint: Option<Mint>,
    /// Changes it after it was signed.
    pub tamper: Option<Tamper>,
}

/// A token by hand.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Mint {
    /// Namespace and service account of a token that is bound to no pod, as in `shop/api`; with `pod` it is the pod's.
    pub service_account: Option<Located<String>>,
    /// The cluster of a token that is bound to no pod; the first one if absent.
    pub cluster: Option<Located<String>>,
    /// The audience; that of Pod Identity if absent.
    pub audience: Option<String>,
    /// How long it lives, at least ten minutes; an hour if absent.
    pub lifetime: Option<Span>,
}

/// What is changed in a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tamper {
    /// The claims: another service account.
    Claims,
    /// The signature.
    Signature,
}

impl Token {
    pub(super) fn title(&self) -> String {
        let how = match (&self.mint, self.tamper) {
            (_, Some(_)) => "tampered, ",
            (Some(_), None) => "minted, ",
            (None, None) => "",
        };
        let of = self.pod.as_ref().map_or("no pod", |pod| pod.as_str());
        format!("{}, {how}of {of}", self.keep)
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let bound = self
            .pod
            .as_ref()
            .map(|pod| play.world.pod(pod))
            .transpose()?;
        let token = match (&self.mint, bound) {
            (None, Some((cluster, pod))) => cluster.read_token(&pod, AUDIENCE).await?,
            (None, None) => {
                return Err(
                    Trouble::new("a token is a `pod`'s, or it is minted with `mint`")
                        .at(&self.keep),
                );
            }
            (Some(mint), Some((cluster, pod))) => mint.perform(&cluster, Some(pod)).await?,
            (Some(mint), None) => {
                let cluster = play.world.cluster(mint.cluster.as_ref())?;
                mint.perform(&cluster, None).await?
            }
        };
        let token = match self.tamper {
            Some(how) => tampered(&token, how)
                .ok_or_else(|| Trouble::new("the token is none, so it cannot be changed"))?,
            None => token,
        };
        let claims = claims(&token).unwrap_or_default();
        play.keep_token(&self.keep, token);
        // The claims are no secret without the signature.
        Ok(Observation {
            result: Some(claims.to_string()),
            ..Observation::done()
        })
    }
}

impl Mint {
    async fn perform(
        &self,
        cluster: &SharedCluster,
        pod: Option<PodName>,
    ) -> Result<String, Trouble> {
        let service_account = match (&self.service_account, &pod) {
            (Some(name), _) => {
                let (namespace, account) = name.split_once('/').ok_or_else(|| {
                    Trouble::new(format!("`{name}` names no service account"))
                        .at(name)
                        .help("a namespace and a service account, as in shop/api")
                })?;
                ServiceAccountRef::new(namespace, account)
            }
            (None, Some(name)) => {
                let stored = cluster.pod(name).await?;
                let account = stored.spec.and_then(|spec| spec.service_account_name);
                ServiceAccountRef::new(&name.namespace, account.as_deref().unwrap_or("default"))
            }
            (None, None) => {
                return Err(Trouble::new(
                    "a token that is bound to no `pod` needs a `serviceAccount`",
                ));
            }
        };
        let lifetime = self.lifetime.map_or(3_600, |span| {
            i64::try_from(span.get().as_secs()).unwrap_or(i64::MAX)
        });
        let request = MintRequest {
            service_account,
            audiences: vec![self.audience.clone().unwrap_or_else(|| AUDIENCE.into())],
            seconds: lifetime,
            pod,
        };
        Ok(cluster.mint_token(request).await?.token)
    }
}

fn claims(token: &str) -> Option<Value> {
    let bytes = URL_SAFE_NO_PAD.decode(token.split('.').nth(1)?).ok()?;
    serde_json::from_slice(&bytes).ok()
}

fn tampered(token: &str, how: Tamper) -> Option<String> {
    let mut claims = claims(token)?;
    let mut parts = token.split('.');
    let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
    Some(match how {
        Tamper::Claims => {
            let namespace = claims["kubernetes.io"]["namespace"].as_str()?.to_owned();
            claims["kubernetes.io"]["serviceaccount"]["name"] = json!("admin");
            claims["sub"] = json!(format!("system:serviceaccount:{namespace}:admin"));
            let payload = URL_SAFE_NO_PAD.encode(claims.to_string());
            format!("{header}.{payload}.{signature}")
        }
        Tamper::Signature => {
            let mut bytes = URL_SAFE_NO_PAD.decode(signature).ok()?;
            *bytes.first_mut()? ^= 1;
            let signature = URL_SAFE_NO_PAD.encode(bytes);
            format!("{header}.{payload}.{signature}")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tampering_changes_one_part() {
        let payload = json!({
            "sub": "system:serviceaccount:shop:api",
            "kubernetes.io": {"namespace": "shop", "serviceaccount": {"name": "api"}},
        });
        let token = format!("aa.{}.c2ln", URL_SAFE_NO_PAD.encode(payload.to_string()));
        let other = tampered(&token, Tamper::Claims).unwrap();
        assert_eq!(
            claims(&other).unwrap()["sub"],
            "system:serviceaccount:shop:admin"
        );
        assert!(other.ends_with(".c2ln"));
        let other = tampered(&token, Tamper::Signature).unwrap();
        assert_eq!(claims(&other), claims(&token));
        assert_ne!(other, token);
        assert!(tampered("nonsense", Tamper::Claims).is_none());
    }
}
