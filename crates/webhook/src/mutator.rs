//! Who decides: identities and accounts in, admission out.

use std::sync::Arc;

use emu_core::{AssociationState, Clock, Ids, ServiceAccountRef, journal::MutationReason};
use k8s_openapi::api::core::v1::Pod;

use crate::{
    accounts::{Account, ServiceAccounts},
    go::{Keys, Value, decode, schema},
    identities::Identities,
    mutate::{Operation, Plan, apply, patch},
    near_miss::near_miss,
    settings::MutationSettings,
};

/// The label whose presence, with any value, keeps a pod from the webhook. The registration looks at it, not the webhook.
pub const SKIP_LABEL: &str = "eks.amazonaws.com/skip-pod-identity-webhook";

/// How a pod gets its credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// From the node's agent.
    PodIdentity,
    /// From STS with a web identity token.
    Irsa,
}

/// A pod that cannot be admitted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AdmitError {
    /// The pod is not one for Kubernetes, with its words.
    #[error("{0}")]
    BadPod(String),
}

/// What admission made of a pod.
#[derive(Clone, Debug)]
pub struct Admission {
    /// The pod, patched.
    pub pod: Pod,
    /// Whether the patch changed anything.
    pub mutated: bool,
    /// How the pod gets its credentials; `None` if it gets none.
    pub mode: Option<Mode>,
    /// Why.
    pub reason: MutationReason,
    /// What a person would want to know beside it, such as the nearest association.
    pub detail: Option<String>,
    /// The patch; empty if there was none.
    pub patch: Vec<Operation>,
}

/// What is to be done with a pod, and why.
pub(crate) struct Decision {
    pub(crate) plan: Option<Plan>,
    pub(crate) reason: MutationReason,
    pub(crate) detail: Option<String>,
}

/// The webhook's mind: pure but for the jitter, which it draws from [`Ids`].
#[derive(Clone)]
pub struct Mutator {
    settings: MutationSettings,
    identities: Arc<dyn Identities>,
    accounts: Arc<ServiceAccounts>,
    ids: Ids,
    clock: Clock,
}

impl Mutator {
    /// Decides from `identities` and `accounts`; `ids` gives the jitter.
    pub fn new(
        settings: MutationSettings,
        identities: Arc<dyn Identities>,
        accounts: Arc<ServiceAccounts>,
        ids: Ids,
    ) -> Self {
        Self {
            settings,
            identities,
            accounts,
            ids,
            clock: Clock::new(),
        }
    }

    /// Waits for unknown accounts by this clock instead of a real one.
    #[must_use]
    pub fn with_clock(self, clock: Clock) -> Self {
        Self { clock, ..self }
    }

    /// The service accounts it decides from.
    pub fn accounts(&self) -> &Arc<ServiceAccounts> {
        &self.accounts
    }

    /// What is found for IRSA, waiting for an unknown account as long as the grace period says; and whether the
    /// account is missing.
    pub(crate) async fn find_account(
        &self,
        namespace: &str,
        name: &str,
    ) -> (Option<Account>, bool) {
        let grace = self.settings.grace_period;
        let waiter = if grace.is_zero() {
            None
        } else {
            self.accounts.await_account(namespace, name)
        };
        let mut lookup = self.accounts.lookup(namespace, name);
        if let (false, Some(mut waiter)) = (lookup.found, waiter) {
            let key = ServiceAccountRef::new(namespace, name);
            tracing::warn!(
                "Service account {key} not found in the cache. Waiting up to {grace:?} to be notified"
            );
            let mut timer = self.clock.timer();
            tokio::select! {
                // The sender lives as long as the account is awaited.
                _ = waiter.wait_for(|known| *known) => {
                    lookup = self.accounts.lookup(namespace, name);
                }
                () = timer.sleep(grace) => tracing::warn!(
                    "Service account {key} not found in the cache after {grace:?}. Not mutating."
                ),
            }
        }
        (lookup.account, !lookup.found)
    }

    /// Admits a pod as an API server with the webhook registered would: the skip label is honoured, a pod without a
    /// service account is one of `default`, and the patch is applied. Never waits for unknown accounts.
    pub fn admit(&self, pod: &Pod, namespace: &str) -> Result<Admission, AdmitError> {
        let unchanged = |reason, detail| Admission {
            pod: pod.clone(),
            mutated: false,
            mode: None,
            reason,
            detail,
            patch: Vec::new(),
        };
        let labels = pod.metadata.labels.as_ref();
        if labels.is_some_and(|labels| labels.contains_key(SKIP_LABEL)) {
            let detail = format!("the pod carries the label {SKIP_LABEL}");
            return Ok(unchanged(MutationReason::SkipLabel, Some(detail)));
        }
        let bad = |error: &dyn std::fmt::Display| AdmitError::BadPod(error.to_string());
        let mut document = serde_json::to_value(pod).map_err(|e| bad(&e))?;
        let text = serde_json::to_vec(&document).map_err(|e| bad(&e))?;
        let (value, result) = decode(&text, schema().pod, Keys::AnyCase);
        result.map_err(AdmitError::BadPod)?;

        let name = match service_account(&value) {
            "" => "default",
            name => name,
        };
        let lookup = self.accounts.lookup(namespace, name);
        let decision = self.decide(&value, namespace, name, lookup.account);
        let Some(plan) = decision.plan else {
            return Ok(unchanged(decision.reason, decision.detail));
        };
        let (operations, mutated) = patch(&value, &plan);
        apply(&operations, &mut document).map_err(|e| bad(&e))?;
        Ok(Admission {
            pod: serde_json::from_value(document).map_err(|e| bad(&e))?,
            mutated,
            mode: Some(plan.mode),
            reason: decision.reason,
            detail: decision.detail,
            patch: operations,
        })
    }

    /// Whether the account has an association the webhook knows.
    pub(crate) fn has_association(&self, namespace: &str, name: &str) -> bool {
        self.identities
            .state(&ServiceAccountRef::new(namespace, name))
            == AssociationState::Visible
    }

    /// The decision for a pod of an account, given what was found for IRSA.
    pub(crate) fn decide(
        &self,
        pod: &Value,
        namespace: &str,
        name: &str,
        irsa: Option<Account>,
    ) -> Decision {
        let service_account = ServiceAccountRef::new(namespace, name);
        let state = self.identities.state(&service_account);
        if state == AssociationState::Visible {
            let common = self.accounts.common(namespace, name);
            return Decision {
                plan: Some(Plan::pod_identity(&self.settings, pod, common, &self.ids)),
                reason: MutationReason::Association,
                detail: None,
            };
        }
        let not_yet = (state == AssociationState::NotPropagated).then(|| {
            format!("the association of {service_account} exists, but the webhook has not been told of it yet")
        });
        let (plan, reason) = match irsa {
            Some(account) => (
                Some(Plan::irsa(&self.settings, pod, account)),
                MutationReason::RoleAnnotation,
            ),
            None if not_yet.is_some() => (None, MutationReason::AssociationNotPropagated),
            None => (None, MutationReason::NoAssociation),
        };
        let detail = not_yet.or_else(|| match plan {
            Some(_) => None,
            None => near_miss(&service_account, &self.identities.all()),
        });
        Decision {
            plan,
            reason,
            detail,
        }
    }
}

/// The pod's service account, as its spec names it.
pub(crate) fn service_account(pod: &Value) -> &str {
    pod.get("spec")
        .map_or("", |spec| spec.text("serviceAccountName"))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use serde_json::json;

    use super::*;
    use crate::{identities::ListedIdentities, settings::AccountDefaults};

    fn mutator(listed: &[(&str, &str)]) -> Mutator {
        let identities = ListedIdentities::default();
        let names = listed
            .iter()
            .map(|(ns, name)| ServiceAccountRef::new(*ns, *name));
        identities.replace(names.collect::<HashSet<_>>());
        Mutator::new(
            MutationSettings::default(),
            Arc::new(identities),
            Arc::new(ServiceAccounts::new(AccountDefaults::default())),
            Ids::seeded(1),
        )
    }

    fn pod(account: &str) -> Pod {
        serde_json::from_value(json!({
            "metadata": {"name": "p"},
            "spec": {"serviceAccountName": account, "containers": [{"name": "main"}]},
        }))
        .unwrap()
    }

    #[test]
    fn an_association_gives_pod_identity() {
        let admission = mutator(&[("demo", "app")])
            .admit(&pod("app"), "demo")
            .unwrap();
        assert!(admission.mutated);
        assert_eq!(admission.mode, Some(Mode::PodIdentity));
        assert_eq!(admission.reason, MutationReason::Association);
        let spec = admission.pod.spec.unwrap();
        let env = spec.containers[0].env.as_ref().unwrap();
        assert_eq!(env[0].name, "AWS_CONTAINER_CREDENTIALS_FULL_URI");
        let volumes = spec.volumes.unwrap();
        let sources = volumes[0]
            .projected
            .as_ref()
            .unwrap()
            .sources
            .as_ref()
            .unwrap();
        let expiration = sources[0]
            .service_account_token
            .as_ref()
            .unwrap()
            .expiration_seconds;
        assert!((JITTERED..=86_400).contains(&expiration.unwrap()));
        let labels = admission.pod.metadata.labels.unwrap();
        assert_eq!(labels["eks.amazonaws.com/pod-identity"], "enabled");
    }

    const JITTERED: i64 = crate::settings::JITTERED_MINIMUM;

    #[test]
    fn a_role_gives_irsa_and_the_reason_says_what_was_near() {
        let mutator = mutator(&[("prod", "app")]);
        let admission = mutator.admit(&pod("app"), "demo").unwrap();
        assert_eq!(admission.reason, MutationReason::NoAssociation);
        assert!(!admission.mutated);
        assert!(admission.detail.unwrap().contains("prod/app"));
        let annotations = BTreeMap::from([(
            "eks.amazonaws.com/role-arn".to_owned(),
            "arn:aws:iam::111122223333:role/reader".to_owned(),
        )]);
        mutator.accounts().set("demo", "app", &annotations);
        let admission = mutator.admit(&pod("app"), "demo").unwrap();
        assert_eq!(admission.mode, Some(Mode::Irsa));
        assert_eq!(admission.reason, MutationReason::RoleAnnotation);
    }

    #[test]
    fn the_skip_label_and_the_default_account() {
        let mutator = mutator(&[("demo", "default")]);
        assert!(mutator.admit(&pod(""), "demo").unwrap().mutated);
        let mut skipped = pod("");
        skipped.metadata.labels = Some(BTreeMap::from([(SKIP_LABEL.to_owned(), String::new())]));
        let admission = mutator.admit(&skipped, "demo").unwrap();
        assert_eq!(admission.reason, MutationReason::SkipLabel);
        assert_eq!(admission.pod, skipped);
    }
}
