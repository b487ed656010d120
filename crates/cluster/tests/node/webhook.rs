//! Amazon's own webhook on a real node, where `EMU_REAL_WEBHOOK` names its program.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use emu_cluster::{
    Cluster, PodName, WebhookFault, WebhookFaultKind,
    kubernetes::WebhookKind,
    node::{ClusterConfig, NodeCluster},
    sandbox::Emulator,
};
use emu_core::{
    AssociationFeed, AssociationState, Clock, Event, Journal, ServiceAccountRef,
    journal::MutationReason,
};
use k8s_openapi::api::{
    admissionregistration::v1::MutatingWebhookConfiguration,
    core::v1::{Pod, ServiceAccount},
};
use kube::{Api, ResourceExt, api::PostParams};
use serde_json::json;

use crate::{
    Outcome, block_on, config,
    whole::{Keys, check, credentials, pod, stand_in},
};

/// Associations that come and go.
#[derive(Default)]
struct Feed(Mutex<Vec<ServiceAccountRef>>);

impl Feed {
    fn set(&self, accounts: &[&str]) {
        let all = accounts
            .iter()
            .map(|name| ServiceAccountRef::new("shop", *name));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = all.collect();
    }
}

impl AssociationFeed for Feed {
    fn visible(&self, _cluster: &str) -> Vec<ServiceAccountRef> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn state(&self, cluster: &str, account: &ServiceAccountRef) -> AssociationState {
        match self.visible(cluster).contains(account) {
            true => AssociationState::Visible,
            false => AssociationState::Absent,
        }
    }
}

pub(crate) fn amazons_webhook_decides() -> Outcome {
    let Some(program) = std::env::var_os("EMU_REAL_WEBHOOK") else {
        eprintln!("skipped: EMU_REAL_WEBHOOK names no webhook");
        return Ok(());
    };
    block_on(async {
        let root = tempfile::tempdir()?;
        let mut node = config()?;
        node.run_root = root.path().to_owned();
        let clock = Clock::new();
        let journal = Journal::new(clock.clone(), 10_000);
        let feed = Arc::new(Feed::default());
        feed.set(&["api"]);
        let associations = Arc::clone(&feed) as _;
        let emulator = Emulator::at(stand_in()?);
        let (events, keys) = (journal.clone(), Arc::new(Keys));
        let mut config =
            ClusterConfig::new(node, "demo", clock, events, associations, emulator, keys);
        config.webhook_kind = WebhookKind::Program(program.into());
        config.region = "eu-central-1".into();
        let began = Instant::now();
        let cluster = NodeCluster::start(config).await?;
        println!("cluster      {:.2} s", began.elapsed().as_secs_f64());
        for name in ["api", "other"] {
            let account: ServiceAccount =
                serde_json::from_value(json!({"metadata": {"namespace": "shop", "name": name}}))?;
            cluster.apply_service_account(account).await?;
        }
        it_is_amazons(&cluster).await?;
        associations_come_and_go(&cluster, &feed, &journal).await?;
        pods_of_others(&cluster, &feed, &journal).await?;
        faults(&cluster, &feed, &journal).await?;
        cluster.teardown().await?;
        Ok(())
    })?
}

/// Whom the API server calls.
async fn it_is_amazons(cluster: &NodeCluster) -> Outcome {
    let api: Api<MutatingWebhookConfiguration> = Api::all(cluster.node().client());
    let registered = api.get("iam-for-pods.amazonaws.com").await?;
    let webhooks = registered.webhooks.unwrap_or_default();
    let urls: Vec<_> = webhooks
        .iter()
        .map(|one| one.client_config.url.as_deref())
        .collect();
    check(urls == [Some("https://127.0.0.1:9444/mutate")], urls)
}

/// How often, and how, a pod was said to be admitted.
fn admitted(journal: &Journal, name: &str) -> Vec<(bool, MutationReason)> {
    let of_pod = |event: &Event| match event {
        Event::PodAdmitted {
            pod,
            mutated,
            reason,
            ..
        } if pod.name == name => Some((*mutated, *reason)),
        _ => None,
    };
    let entries = journal.since(0);
    entries
        .iter()
        .filter_map(|entry| of_pod(&entry.event))
        .collect()
}

async fn associations_come_and_go(
    cluster: &NodeCluster,
    feed: &Feed,
    journal: &Journal,
) -> Outcome {
    let name = PodName::new("shop", "app");
    let stored = cluster.create_pod(pod("app", "api")?, None).await?;
    // Only Amazon's label, and the region that it was given.
    let label = stored.labels().get("eks.amazonaws.com/pod-identity");
    check(label.map(String::as_str) == Some("enabled"), label)?;
    let text = serde_json::to_string(&stored)?;
    check(
        text.contains(r#""name":"AWS_REGION","value":"eu-central-1""#),
        &text,
    )?;
    let answer = credentials(cluster, &name, 10).await?;
    check(answer.status == 200, &answer)?;
    let said = admitted(journal, "app");
    check(said == [(true, MutationReason::Association)], said)?;

    feed.set(&["other"]);
    let stored = cluster.recreate_pod(&name).await?;
    check(!is_mutated(&stored), &stored)?;
    let said = admitted(journal, "app");
    check(said[1..] == [(false, MutationReason::NoAssociation)], said)?;
    feed.set(&["api", "other"]);
    let stored = cluster.recreate_pod(&name).await?;
    check(is_mutated(&stored), &stored)
}

fn is_mutated(pod: &Pod) -> bool {
    pod.labels().contains_key("eks.amazonaws.com/pod-identity")
}

/// Pods that nobody announces: it learns of associations all the same, and what it did is written down.
async fn pods_of_others(cluster: &NodeCluster, feed: &Feed, journal: &Journal) -> Outcome {
    feed.set(&["api"]);
    let api: Api<Pod> = Api::namespaced(cluster.node().client(), "shop");
    let unknown: Pod = serde_json::from_value(json!({
        "metadata": {"name": "theirs"},
        "spec": {"serviceAccountName": "other", "containers": [{"name": "app", "image": "none"}]},
    }))?;
    let dry = PostParams {
        dry_run: true,
        field_manager: None,
    };
    for wanted in [false, true] {
        feed.set(if wanted { &["api", "other"] } else { &["api"] });
        let began = Instant::now();
        while is_mutated(&api.create(&dry, &unknown).await?) != wanted {
            check(began.elapsed() < Duration::from_secs(10), "it is told")?;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        println!("told         {:.2} s", began.elapsed().as_secs_f64());
    }
    let mut written = journal.subscribe();
    api.create(&PostParams::default(), &unknown).await?;
    let limit = Duration::from_secs(10);
    while admitted(journal, "theirs") != [(true, MutationReason::Association)] {
        tokio::time::timeout(limit, written.changed()).await??;
    }
    Ok(())
}

async fn faults(cluster: &NodeCluster, feed: &Feed, journal: &Journal) -> Outcome {
    feed.set(&["api"]);
    for (what, why) in [
        (WebhookFaultKind::Error, MutationReason::WebhookError),
        (WebhookFaultKind::Absent, MutationReason::NoWebhook),
    ] {
        let fault = WebhookFault {
            what,
            share: 1.0,
            times: None,
            owner: None,
        };
        cluster.set_webhook_fault(Some(fault)).await?;
        let name = format!("plain-{why:?}").to_lowercase();
        let stored = cluster.create_pod(pod(&name, "api")?, None).await?;
        check(!is_mutated(&stored), &stored)?;
        let said = admitted(journal, &name);
        check(said == [(false, why)], said)?;
        cluster.set_webhook_fault(None).await?;
        let stored = cluster.recreate_pod(&PodName::new("shop", &name)).await?;
        check(is_mutated(&stored), &stored)?;
    }
    Ok(())
}
