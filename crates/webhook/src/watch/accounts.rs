//! The service accounts of a cluster.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
    time::Duration,
};

use emu_core::Clock;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::sync::{mpsc, watch};

use crate::ServiceAccounts;

/// An account by namespace and name.
type Key = (String, String);

/// Single accounts are fetched at this rate a second at most ...
const FETCHES_PER_SECOND: u32 = 10;

/// ... but so many at once.
const FETCH_BURST: u32 = 20;

/// How long one fetch may take.
const FETCH_LIMIT: Duration = Duration::from_secs(1);

/// How to follow a cluster's service accounts.
#[derive(Clone, Debug)]
pub struct Follow {
    /// `--annotation-prefix`: annotations with another prefix are not kept.
    pub annotation_prefix: String,
    /// `--resync-period`: how often all accounts are taken on again; zero for never.
    pub resync: Duration,
    /// Whether single accounts are fetched when asked for.
    pub fetch: bool,
}

/// Follows the service accounts of a cluster for ever. `synced` turns true after the first list.
pub async fn follow_accounts(
    client: Client,
    accounts: Arc<ServiceAccounts>,
    follow: Follow,
    clock: Clock,
    synced: watch::Sender<bool>,
) {
    let fetcher = async {
        if follow.fetch {
            fetch_asked(&client, &accounts, &clock).await;
        } else {
            std::future::pending::<()>().await;
        }
    };
    tokio::select! {
        () = fetcher => {}
        () = watch_all(&client, &accounts, &follow, &clock, synced) => {}
    }
}

async fn watch_all(
    client: &Client,
    accounts: &ServiceAccounts,
    follow: &Follow,
    clock: &Clock,
    synced: watch::Sender<bool>,
) {
    let api: Api<ServiceAccount> = Api::all(client.clone());
    let mut events = watcher(api, watcher::Config::default())
        .default_backoff()
        .map_err(|error| tracing::error!("watching service accounts: {error}"))
        .boxed();
    let prefix = format!("{}/", follow.annotation_prefix);
    let mut known: BTreeMap<Key, BTreeMap<String, String>> = BTreeMap::new();
    let mut listed: HashSet<Key> = HashSet::new();
    let mut timer = clock.timer();
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(Ok(watcher::Event::Apply(account))) => {
                    let (key, annotations) = stripped(account, &prefix);
                    accounts.set(&key.0, &key.1, &annotations);
                    known.insert(key, annotations);
                }
                Some(Ok(watcher::Event::Delete(account))) => {
                    let (key, _) = stripped(account, &prefix);
                    accounts.remove(&key.0, &key.1);
                    known.remove(&key);
                }
                Some(Ok(watcher::Event::Init)) => listed.clear(),
                Some(Ok(watcher::Event::InitApply(account))) => {
                    let (key, annotations) = stripped(account, &prefix);
                    accounts.set(&key.0, &key.1, &annotations);
                    listed.insert(key.clone());
                    known.insert(key, annotations);
                }
                Some(Ok(watcher::Event::InitDone)) => {
                    known.retain(|key, _| {
                        let kept = listed.contains(key);
                        if !kept {
                            accounts.remove(&key.0, &key.1);
                        }
                        kept
                    });
                    synced.send_replace(true);
                }
                Some(Err(())) => {}
                None => return,
            },
            () = timer.sleep(follow.resync), if !follow.resync.is_zero() => {
                for (key, annotations) in &known {
                    accounts.set(&key.0, &key.1, annotations);
                }
            }
        }
        timer.idle();
    }
}

/// What of an account is kept.
fn stripped(account: ServiceAccount, prefix: &str) -> (Key, BTreeMap<String, String>) {
    let metadata = account.metadata;
    let mut annotations = metadata.annotations.unwrap_or_default();
    annotations.retain(|key, _| key.starts_with(prefix));
    let key = (
        metadata.namespace.unwrap_or_default(),
        metadata.name.unwrap_or_default(),
    );
    (key, annotations)
}

/// Fetches the accounts somebody waits for, within the rate.
async fn fetch_asked(client: &Client, accounts: &Arc<ServiceAccounts>, clock: &Clock) {
    let (sender, mut asked) = mpsc::unbounded_channel();
    accounts.fetch_through(sender);
    let interval = Duration::from_secs(1) / FETCHES_PER_SECOND;
    // When the bucket would be full again, as a time: each fetch moves it on by an interval.
    let mut full_at = clock.monotonic();
    let mut timer = clock.timer();
    let mut running = tokio::task::JoinSet::new();
    loop {
        timer.idle();
        let key = tokio::select! {
            key = asked.recv() => match key {
                Some(key) => key,
                None => return,
            },
            Some(_) = running.join_next() => continue,
        };
        full_at = full_at.max(clock.monotonic()) + interval;
        timer
            .sleep_until(full_at.saturating_sub(interval * FETCH_BURST))
            .await;
        running.spawn(fetch(client.clone(), accounts.clone(), key));
    }
}

async fn fetch(client: Client, accounts: Arc<ServiceAccounts>, (namespace, name): Key) {
    let api: Api<ServiceAccount> = Api::namespaced(client, &namespace);
    let fetched = tokio::time::timeout(FETCH_LIMIT, async {
        // An API server that timed out itself is asked again, four times in all, as client-go's default back-off does.
        let mut wait = Duration::from_millis(10);
        for _ in 0..3 {
            match api.get(&name).await {
                Err(kube::Error::Api(status)) if status.reason == "ServerTimeout" => {
                    tokio::time::sleep(wait).await;
                    wait *= 5;
                }
                other => return other,
            }
        }
        api.get(&name).await
    })
    .await;
    match fetched {
        Ok(Ok(account)) => {
            let annotations = account.metadata.annotations.unwrap_or_default();
            accounts.set(&namespace, &name, &annotations);
        }
        Ok(Err(error)) => {
            tracing::error!("fetching SA: {namespace}/{name}, but got error from API: {error}");
        }
        Err(_) => {
            tracing::error!("fetching SA: {namespace}/{name}, but the API did not answer in time");
        }
    }
}
