//! What the webhook knows of service accounts: their annotations, and the entries of the ConfigMap.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use serde::Serialize;
use tokio::sync::{mpsc, watch};

use crate::{
    go::{parse_bool, parse_int},
    settings::{AccountDefaults, DEFAULT_TOKEN_EXPIRATION, at_least_minimum},
};

/// The settings of one service account, from its annotations or from the ConfigMap.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct Account {
    /// The role for IRSA; empty if there is none.
    #[serde(rename = "RoleARN")]
    pub role_arn: String,
    /// The audience of IRSA tokens.
    pub audience: String,
    /// Whether containers get `AWS_STS_REGIONAL_ENDPOINTS=regional`.
    #[serde(rename = "UseRegionalSTS")]
    pub use_regional_sts: bool,
    /// The lifetime of tokens, in seconds.
    pub token_expiration: i64,
}

/// What a look-up for IRSA gave.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lookup {
    /// Whether the account is known at all.
    pub found: bool,
    /// Its settings, if it has a role.
    pub account: Option<Account>,
}

/// An account by namespace and name.
type Key = (String, String);

#[derive(Debug, Default)]
struct Known {
    accounts: HashMap<Key, Account>,
    config_map: HashMap<Key, Account>,
    awaited: HashMap<Key, watch::Sender<bool>>,
    fetches: Option<mpsc::UnboundedSender<Key>>,
    seen_any: bool,
}

/// The service accounts known now. Fed by a watch on a cluster, or by whoever plays one.
#[derive(Debug)]
pub struct ServiceAccounts {
    defaults: AccountDefaults,
    known: RwLock<Known>,
}

impl ServiceAccounts {
    /// No accounts yet.
    pub fn new(defaults: AccountDefaults) -> Self {
        Self {
            defaults,
            known: RwLock::default(),
        }
    }

    /// Takes an account's annotations on; also wakes whoever waits for it.
    pub fn set(&self, namespace: &str, name: &str, annotations: &BTreeMap<String, String>) {
        let account = self.defaults.account(annotations);
        let key = (namespace.to_owned(), name.to_owned());
        let mut known = self.write();
        known.seen_any = true;
        if let Some(waiters) = known.awaited.remove(&key) {
            waiters.send_replace(true);
        }
        known.accounts.insert(key, account);
    }

    /// Forgets an account.
    pub fn remove(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.write().accounts.remove(&key);
    }

    /// Takes an entry of the ConfigMap on; a lifetime of 0 stands for the default.
    pub(crate) fn set_mapped(&self, namespace: &str, name: &str, mut account: Account) {
        if account.token_expiration == 0 {
            account.token_expiration = self.defaults.token_expiration;
        }
        let key = (namespace.to_owned(), name.to_owned());
        self.write().config_map.insert(key, account);
    }

    /// Forgets an entry of the ConfigMap.
    pub(crate) fn remove_mapped(&self, namespace: &str, name: &str) {
        let key = (namespace.to_owned(), name.to_owned());
        self.write().config_map.remove(&key);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        let mut known = self.write();
        known.accounts.clear();
        known.config_map.clear();
    }

    /// Whether any account was ever seen.
    pub(crate) fn seen_any(&self) -> bool {
        self.read().seen_any
    }

    /// The accounts known from annotations, as `/debug/alpha/cache` shows them.
    pub(crate) fn dump(&self) -> String {
        let known = self.read();
        let sorted: BTreeMap<String, &Account> = known
            .accounts
            .iter()
            .map(|((namespace, name), account)| (format!("{namespace}/{name}"), account))
            .collect();
        let mut out = Vec::new();
        let formatter = serde_json::ser::PrettyFormatter::with_indent(b" ");
        let mut serializer = serde_json::Serializer::with_formatter(&mut out, formatter);
        match sorted.serialize(&mut serializer) {
            Ok(()) => String::from_utf8_lossy(&out).into_owned(),
            Err(_) => String::new(),
        }
    }

    /// The IRSA settings of an account: its annotations if they name a role, else the ConfigMap's entry for it, else the
    /// ConfigMap's entry for its name in any namespace.
    pub fn lookup(&self, namespace: &str, name: &str) -> Lookup {
        let known = self.read();
        let annotated = known.accounts.get(&(namespace.to_owned(), name.to_owned()));
        if let Some(account) = annotated.filter(|account| !account.role_arn.is_empty()) {
            return Lookup {
                found: true,
                account: Some(account.clone()),
            };
        }
        let mapped = known
            .mapped(namespace, name)
            .or_else(|| known.mapped("*", name));
        Lookup {
            found: annotated.is_some() || mapped.is_some(),
            account: mapped
                .filter(|account| !account.role_arn.is_empty())
                .cloned(),
        }
    }

    /// What Pod Identity takes from an account: regional STS and the lifetime. Any account that exists hides the
    /// ConfigMap's entry; without both, the original's constants apply, whatever the flags say.
    pub fn common(&self, namespace: &str, name: &str) -> (bool, i64) {
        let known = self.read();
        known
            .accounts
            .get(&(namespace.to_owned(), name.to_owned()))
            .or_else(|| known.mapped(namespace, name))
            .map_or((false, DEFAULT_TOKEN_EXPIRATION), |account| {
                (account.use_regional_sts, account.token_expiration)
            })
    }

    /// Where requests to fetch single accounts go.
    pub(crate) fn fetch_through(&self, fetches: mpsc::UnboundedSender<Key>) {
        self.write().fetches = Some(fetches);
    }

    /// Something that turns true when the account becomes known; `None` if it is. The first to wait for an account has
    /// it fetched; whoever comes later waits with the first, also after a fetch that found nothing.
    pub(crate) fn await_account(
        &self,
        namespace: &str,
        name: &str,
    ) -> Option<watch::Receiver<bool>> {
        let key = (namespace.to_owned(), name.to_owned());
        let mut known = self.write();
        if known.accounts.contains_key(&key) {
            return None;
        }
        if let Some(waiters) = known.awaited.get(&key) {
            return Some(waiters.subscribe());
        }
        let (sender, receiver) = watch::channel(false);
        if let Some(fetches) = &known.fetches {
            // The fetcher is gone only when the server stops.
            let _ = fetches.send(key.clone());
        }
        known.awaited.insert(key, sender);
        Some(receiver)
    }

    fn read(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn mapped(&self, namespace: &str, name: &str) -> Option<&Account> {
        self.config_map
            .get(&(namespace.to_owned(), name.to_owned()))
    }
}

impl AccountDefaults {
    /// The settings an account's annotations make of the defaults.
    fn account(&self, annotations: &BTreeMap<String, String>) -> Account {
        let annotation =
            |name: &str| annotations.get(&format!("{}/{name}", self.annotation_prefix));
        let mut account = Account {
            role_arn: String::new(),
            audience: self.audience.clone(),
            use_regional_sts: self.regional_sts,
            token_expiration: self.token_expiration,
        };
        if let Some(arn) = annotation("role-arn") {
            account.role_arn = self.role_arn(arn);
        }
        if let Some(audience) = annotation("audience") {
            audience.clone_into(&mut account.audience);
        }
        if let Some(regional) =
            annotation("sts-regional-endpoints").and_then(|text| parse_bool(text))
        {
            account.use_regional_sts = regional;
        }
        if let Some(seconds) = annotation("token-expiration").and_then(|text| parse_int(text)) {
            account.token_expiration = at_least_minimum(seconds);
        }
        account
    }

    fn role_arn(&self, annotation: &str) -> String {
        let arn = match &self.compose_role_arn {
            Some(home) if !annotation.contains("arn:") => {
                format!(
                    "arn:{}:iam::{}:role/{annotation}",
                    home.partition, home.account
                )
            }
            _ => annotation.to_owned(),
        };
        if !looks_like_role_arn(&arn) {
            tracing::warn!("arn is invalid: {arn}");
        }
        arn
    }
}

/// `^arn:aws[a-z0-9-]*:iam::\d{12}:role\/[\w-\/.@+=,]+$`
fn looks_like_role_arn(arn: &str) -> bool {
    let Some((partition, rest)) = arn
        .strip_prefix("arn:aws")
        .and_then(|rest| rest.split_once(":iam::"))
    else {
        return false;
    };
    let Some((account, role)) = rest.split_once(":role/") else {
        return false;
    };
    partition
        .bytes()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
        && account.len() == 12
        && account.bytes().all(|c| c.is_ascii_digit())
        && !role.is_empty()
        && role
            .bytes()
            .all(|c| c.is_ascii_alphanumeric() || b"_-/.@+=,".contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn annotations(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs
            .iter()
            .map(|(key, value)| (format!("eks.amazonaws.com/{key}"), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn annotations_win_over_the_config_map() {
        let accounts = ServiceAccounts::new(AccountDefaults::default());
        let mapped = |role: &str| Account {
            role_arn: role.into(),
            ..Account::default()
        };
        accounts.set_mapped("*", "app", mapped("any"));
        let role =
            |accounts: &ServiceAccounts| accounts.lookup("demo", "app").account.map(|a| a.role_arn);
        assert_eq!(role(&accounts).as_deref(), Some("any"));
        accounts.set_mapped("demo", "app", mapped("exact"));
        assert_eq!(role(&accounts).as_deref(), Some("exact"));
        accounts.set("demo", "app", &annotations(&[("role-arn", "own")]));
        assert_eq!(role(&accounts).as_deref(), Some("own"));
        accounts.set("demo", "app", &annotations(&[]));
        assert_eq!(role(&accounts).as_deref(), Some("exact"));
        assert_eq!(accounts.lookup("demo", "none"), Lookup::default());
    }

    #[test]
    fn annotations_fall_back_to_the_flags() {
        let defaults = AccountDefaults {
            regional_sts: true,
            token_expiration: 7200,
            ..AccountDefaults::default()
        };
        let read = |pairs: &[(&str, &str)]| defaults.account(&annotations(pairs));
        assert!(read(&[]).use_regional_sts);
        assert!(read(&[("sts-regional-endpoints", "")]).use_regional_sts);
        assert!(!read(&[("sts-regional-endpoints", "F")]).use_regional_sts);
        assert_eq!(read(&[("token-expiration", "0")]).token_expiration, 600);
        assert_eq!(read(&[("token-expiration", "1h")]).token_expiration, 7200);
        assert_eq!(read(&[("audience", "")]).audience, "");
    }

    #[test]
    fn what_looks_like_a_role() {
        assert!(looks_like_role_arn(
            "arn:aws-us-gov:iam::111122223333:role/path/reader"
        ));
        assert!(!looks_like_role_arn("arn:aws:iam::12345:user/bob"));
    }

    #[tokio::test]
    async fn all_who_wait_are_woken() {
        let accounts = ServiceAccounts::new(AccountDefaults::default());
        let (sender, mut fetches) = mpsc::unbounded_channel();
        accounts.fetch_through(sender);
        let waiters: Vec<_> = (0..10)
            .map(|_| accounts.await_account("demo", "late").unwrap())
            .collect();
        assert_eq!(fetches.recv().await, Some(("demo".into(), "late".into())));
        accounts.set("demo", "late", &annotations(&[]));
        for mut waiter in waiters {
            assert!(waiter.wait_for(|known| *known).await.is_ok());
        }
        assert!(fetches.try_recv().is_err(), "one fetch for all");
        assert!(accounts.await_account("demo", "late").is_none());
    }
}
