//! Admission: the webhook's decision, and what happens when the webhook does not come to decide.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use emu_core::{Clock, Ids, journal::MutationReason};
use emu_webhook::{
    AccountDefaults, Admission, FeedIdentities, MutationSettings, Mutator, ServiceAccounts,
};
use k8s_openapi::api::core::v1::{Pod, ServiceAccount};

use super::config::SandboxConfig;
use crate::{
    cluster::{ClusterError, Result},
    fault::{WebhookFault, WebhookFaultKind},
};

/// The webhook of a sandbox.
pub(super) struct Webhook {
    mutator: Mutator,
    clock: Clock,
    ids: Ids,
    /// How long a service account takes to become known.
    account_lag: Duration,
    fault: Mutex<Option<(WebhookFault, u32)>>,
}

impl Webhook {
    pub(super) fn new(config: &SandboxConfig) -> Self {
        let settings = MutationSettings {
            region: config.region.clone(),
            ..MutationSettings::default()
        };
        let identities = FeedIdentities::new(Arc::clone(&config.associations), &config.name);
        let accounts = Arc::new(ServiceAccounts::new(AccountDefaults::default()));
        Self {
            mutator: Mutator::new(settings, Arc::new(identities), accounts, config.ids.clone()),
            clock: config.clock.clone(),
            ids: config.ids.clone(),
            account_lag: config.webhook_account_lag.get(),
            fault: Mutex::default(),
        }
    }

    /// Tells it of a service account, after its lag.
    pub(super) fn learn(&self, namespace: &str, name: &str, account: &ServiceAccount) {
        let annotations = account.metadata.annotations.clone().unwrap_or_default();
        let accounts = Arc::clone(self.mutator.accounts());
        if self.account_lag.is_zero() {
            accounts.set(namespace, name, &annotations);
            return;
        }
        let (namespace, name) = (namespace.to_owned(), name.to_owned());
        let (mut timer, lag) = (self.clock.timer(), self.account_lag);
        tokio::spawn(async move {
            timer.sleep(lag).await;
            accounts.set(&namespace, &name, &annotations);
        });
    }

    pub(super) fn forget(&self, namespace: &str, name: &str) {
        self.mutator.accounts().remove(namespace, name);
    }

    pub(super) fn set_fault(&self, fault: Option<WebhookFault>) {
        *self.fault.lock().unwrap_or_else(PoisonError::into_inner) = fault.map(|f| (f, 0));
    }

    /// Admits a pod.
    pub(super) fn admit(&self, pod: &Pod, namespace: &str) -> Result<Admission> {
        if let Some(what) = self.strike(pod) {
            let reason = match what {
                WebhookFaultKind::Skip => MutationReason::WebhookFault,
                WebhookFaultKind::Timeout => MutationReason::WebhookTimeout,
                WebhookFaultKind::Error => MutationReason::WebhookError,
                WebhookFaultKind::Absent => MutationReason::NoWebhook,
            };
            return Ok(Admission {
                pod: pod.clone(),
                mutated: false,
                mode: None,
                reason,
                detail: None,
                patch: Vec::new(),
            });
        }
        self.mutator
            .admit(pod, namespace)
            .map_err(|e| ClusterError::Refused {
                message: e.to_string(),
            })
    }

    fn strike(&self, pod: &Pod) -> Option<WebhookFaultKind> {
        let mut active = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
        let (fault, struck) = active.as_mut()?;
        if fault.times.is_some_and(|t| *struck >= t) {
            return None;
        }
        if let Some(owner) = &fault.owner {
            let owners = pod.metadata.owner_references.iter().flatten();
            if !owners.map(|o| &o.name).any(|name| name == owner) {
                return None;
            }
        }
        let share = (fault.share.clamp(0.0, 1.0) * 1e6) as u64;
        if self.ids.below(1_000_000) >= share {
            return None;
        }
        *struck += 1;
        Some(fault.what)
    }
}
