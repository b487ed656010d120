//! The ConfigMap `pod-identity-webhook`: `--watch-config-map`.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use emu_core::Clock;
use futures::{StreamExt as _, TryStreamExt as _};
use k8s_openapi::api::core::v1::ConfigMap;
use kube::{
    Api, Client,
    runtime::{WatchStreamExt as _, watcher},
};
use tokio::sync::watch;

use crate::{
    ServiceAccounts,
    accounts::Account,
    go::{Keys, Value, decode_as, schema},
};

/// The ConfigMap's name.
const NAME: &str = "pod-identity-webhook";

/// A ConfigMap that makes the original crash: a key without a slash, or a `null` entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigMapCrash {
    /// A key without a slash.
    #[error(
        "runtime error: index out of range [1] with length 1 (ConfigMap key {0:?} has no slash)"
    )]
    NoSlash(String),
    /// An entry that is `null`.
    #[error(
        "runtime error: invalid memory address or nil pointer dereference (ConfigMap entry {0:?} is null)"
    )]
    NullEntry(String),
}

/// Follows the ConfigMap of a namespace. Ends only with what would crash the original; deleting the ConfigMap clears
/// nothing, and text that is not JSON is only logged.
pub async fn follow_config_map(
    client: Client,
    namespace: &str,
    accounts: Arc<ServiceAccounts>,
    resync: Duration,
    clock: Clock,
    synced: watch::Sender<bool>,
) -> ConfigMapCrash {
    let api: Api<ConfigMap> = Api::namespaced(client, namespace);
    let mut events = watcher(api, watcher::Config::default())
        .default_backoff()
        .map_err(|error| tracing::error!("watching ConfigMaps: {error}"))
        .boxed();
    let mut known: Option<String> = None;
    let mut timer = clock.timer();
    loop {
        let next = tokio::select! {
            event = events.next() => match event {
                Some(Ok(watcher::Event::Apply(map) | watcher::Event::InitApply(map))) => config(map),
                Some(Ok(watcher::Event::Delete(map))) => {
                    if config(map).is_some() {
                        known = None;
                    }
                    None
                }
                Some(Ok(watcher::Event::InitDone)) => {
                    synced.send_replace(true);
                    None
                }
                Some(Ok(watcher::Event::Init) | Err(())) => None,
                None => std::future::pending().await,
            },
            () = timer.sleep(resync), if !resync.is_zero() => known.clone(),
        };
        timer.idle();
        let Some(config) = next else { continue };
        match populate(&accounts, known.as_deref(), &config) {
            Ok(()) => {}
            Err(Trouble::Logged(message)) => tracing::error!("{message}"),
            Err(Trouble::Crash(crash)) => return crash,
        }
        known = Some(config);
    }
}

/// The text of the ConfigMap if it is the one.
fn config(map: ConfigMap) -> Option<String> {
    (map.metadata.name.as_deref() == Some(NAME)).then(|| {
        let mut data: BTreeMap<String, String> = map.data.unwrap_or_default();
        data.remove("config").unwrap_or_default()
    })
}

enum Trouble {
    Logged(String),
    Crash(ConfigMapCrash),
}

/// Takes the new text's entries on and forgets those only the old one had.
fn populate(accounts: &ServiceAccounts, old: Option<&str>, new: &str) -> Result<(), Trouble> {
    let entries = parse(new)
        .map_err(|e| Trouble::Logged(format!("failed to unmarshal new config {new:?}: {e}")))?;
    for (key, entry) in &entries {
        let (Value::Pointer(Some(entry)), Some((namespace, name))) = (entry, split(key)) else {
            return Err(Trouble::Crash(if matches!(entry, Value::Pointer(None)) {
                ConfigMapCrash::NullEntry(key.clone())
            } else {
                ConfigMapCrash::NoSlash(key.clone())
            }));
        };
        accounts.set_mapped(namespace, name, account(entry));
    }
    let Some(old) = old else { return Ok(()) };
    let before = parse(old)
        .map_err(|e| Trouble::Logged(format!("failed to unmarshal old config {old:?}: {e}")))?;
    for key in before.keys().filter(|key| !entries.contains_key(*key)) {
        let (namespace, name) =
            split(key).ok_or_else(|| Trouble::Crash(ConfigMapCrash::NoSlash(key.clone())))?;
        accounts.remove_mapped(namespace, name);
    }
    Ok(())
}

fn parse(text: &str) -> Result<BTreeMap<String, Value>, String> {
    let (value, result) = decode_as(text.as_bytes(), &schema().entries, Keys::AnyCase);
    result?;
    match value {
        Value::Map(Some(entries)) => Ok(entries),
        _ => Ok(BTreeMap::new()),
    }
}

/// The first two parts of a key; what follows a second slash is ignored.
fn split(key: &str) -> Option<(&str, &str)> {
    let (namespace, rest) = key.split_once('/')?;
    Some((namespace, rest.split('/').next().unwrap_or(rest)))
}

fn account(entry: &Value) -> Account {
    Account {
        role_arn: entry.text("RoleARN").to_owned(),
        audience: entry.text("Audience").to_owned(),
        use_regional_sts: matches!(entry.get("UseRegionalSTS"), Some(Value::Bool(true))),
        token_expiration: match entry.get("TokenExpiration") {
            Some(Value::Int(seconds)) => *seconds,
            _ => 0,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::AccountDefaults;

    fn role(accounts: &ServiceAccounts, name: &str) -> Option<String> {
        accounts
            .lookup("demo", name)
            .account
            .map(|account| account.role_arn)
    }

    #[test]
    fn entries_come_and_go() {
        let accounts = ServiceAccounts::new(AccountDefaults::default());
        let first =
            r#"{"demo/a": {"rolearn": "A", "tokenExpiration": 60}, "*/b/x": {"RoleARN": "B"}}"#;
        assert!(populate(&accounts, None, first).is_ok());
        assert_eq!(role(&accounts, "a").as_deref(), Some("A"));
        assert_eq!(role(&accounts, "b").as_deref(), Some("B"));
        assert_eq!(accounts.common("demo", "a"), (false, 60));
        assert!(matches!(
            populate(&accounts, Some(first), "hello"),
            Err(Trouble::Logged(_))
        ));
        assert_eq!(role(&accounts, "a").as_deref(), Some("A"));
        assert!(populate(&accounts, Some(first), "null").is_ok());
        assert_eq!(role(&accounts, "a"), None);
    }

    #[test]
    fn what_crashes_the_original() {
        let accounts = ServiceAccounts::new(AccountDefaults::default());
        let crash = |text| match populate(&accounts, None, text) {
            Err(Trouble::Crash(crash)) => Some(crash),
            _ => None,
        };
        assert_eq!(
            crash(r#"{"app": {}}"#),
            Some(ConfigMapCrash::NoSlash("app".into()))
        );
        assert_eq!(
            crash(r#"{"demo/app": null}"#),
            Some(ConfigMapCrash::NullEntry("demo/app".into()))
        );
    }
}
