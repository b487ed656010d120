//! From a validated request to credentials: out of the cache, out of a request under way, or out of EKS Auth.

use std::{
    sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};

use emu_core::Timestamp;

use super::Lru;
use crate::{
    eks_auth::{Ask, EksAuth, FetchError, Fetched},
    go::time::{Rfc3339Nano, duration, sub},
    jwt::Times,
    local_validation::LocalValidation,
    log::{Fields, Level, Log},
    metrics::{Counter, Metrics},
    profile::Profile,
    rate::Bucket,
    texts,
};

/// Credentials with less time left are not given out.
pub(super) const MIN_TTL: i64 = 15_000_000_000;
/// How often, and how long each time, a request waits for another one with the same token.
const RETRIES: u32 = 9;
const WAIT: Duration = Duration::from_millis(200);

/// Credentials as they are given out, and where they came from.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The token they were last asked for with.
    pub(crate) token: Arc<str>,
    /// When that token holds.
    pub(crate) times: Times,
    /// The reply's body.
    pub(crate) body: Arc<[u8]>,
    pub(crate) access_key_id: String,
    /// Nanoseconds since 1970.
    pub(crate) expiration: i128,
    /// Nanoseconds since 1970 after which they are renewed.
    pub(super) refresh_at: i128,
    /// Nanoseconds since 1970 after which the entry is gone.
    pub(super) gone_at: i128,
    /// What the log says of the request that fetched them.
    pub(super) fields: Fields,
}

/// Credentials, and how they were come by.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) entry: Arc<Entry>,
    pub(crate) cached: bool,
}

/// The way to credentials for one address.
pub(crate) struct Retriever {
    pub(crate) auth: EksAuth,
    pub(crate) profile: Profile,
    pub(super) renewal: Duration,
    pub(super) limiter: Bucket,
    pub(crate) metrics: Metrics,
    pub(crate) log: Log,
    pub(crate) local: Option<Arc<LocalValidation>>,
    /// By token (0.1) or by pod (0.2); nothing if the cache is off.
    pub(super) entries: Option<RwLock<Lru<Arc<str>, Arc<Entry>>>>,
    /// The tokens that EKS Auth is being asked about.
    active: Mutex<Lru<Arc<str>, ()>>,
}

impl Retriever {
    #[expect(
        clippy::too_many_arguments,
        reason = "made in one place, from the agent's settings"
    )]
    pub(crate) fn new(
        auth: EksAuth,
        profile: Profile,
        renewal: Duration,
        size: usize,
        qps: i64,
        metrics: Metrics,
        log: Log,
        local: Option<Arc<LocalValidation>>,
    ) -> Self {
        let qps = if qps <= 0 { 3 } else { qps as u64 };
        let on = !renewal.is_zero() && size > 0;
        Self {
            auth,
            profile,
            renewal,
            limiter: Bucket::new(qps, qps),
            metrics,
            log,
            local,
            entries: on.then(|| RwLock::new(Lru::new(size))),
            active: Mutex::new(Lru::new(size.max(1))),
        }
    }

    /// Whether there is a cache.
    pub(crate) fn caches(&self) -> bool {
        self.entries.is_some()
    }

    /// How many credentials are cached.
    pub(crate) fn len(&self) -> usize {
        self.read().map_or(0, |entries| entries.len())
    }

    pub(super) fn now(&self) -> Timestamp {
        self.auth.clock.now()
    }

    pub(super) fn read(&self) -> Option<RwLockReadGuard<'_, Lru<Arc<str>, Arc<Entry>>>> {
        self.entries
            .as_ref()
            .map(|entries| entries.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn write(&self) -> Option<RwLockWriteGuard<'_, Lru<Arc<str>, Arc<Entry>>>> {
        self.entries
            .as_ref()
            .map(|entries| entries.write().unwrap_or_else(PoisonError::into_inner))
    }

    /// The entry of exactly this token, if it is of use now. Never waits and allocates nothing.
    pub(crate) fn cached(&self, token: &str, now: Timestamp) -> Option<Arc<Entry>> {
        if self.profile == Profile::V0_2 {
            // The key is the pod, which only the claims tell.
            return None;
        }
        let entry = Arc::clone(self.read()?.get(token)?);
        let nanos = now.as_nanosecond();
        (nanos <= entry.gone_at && sub(entry.expiration, now) > MIN_TTL).then_some(entry)
    }

    /// Credentials for a token that has passed validation.
    pub(crate) async fn get(
        &self,
        token: &str,
        times: Times,
        pod_uid: Option<Result<String, String>>,
        fields: &Fields,
        ask: &mut Ask<'_>,
    ) -> Result<Outcome, Refused> {
        let log = &self.log;
        let token: Arc<str> = token.into();
        if self.entries.is_none() {
            let entry = self.fetch(token, times, fields, ask).await?;
            return Ok(Outcome {
                entry: Arc::new(entry),
                cached: false,
            });
        }
        let key: Arc<str> = match (self.profile, pod_uid) {
            (Profile::V0_2, Some(Ok(uid))) => uid.into(),
            (Profile::V0_2, Some(Err(reason))) => {
                return Err(Refused::Invalid(format!("{}{reason}", texts::NO_POD_UID)));
            }
            _ => Arc::clone(&token),
        };
        for attempt in 0..=RETRIES {
            match self.look_up(&key, &token, fields).await {
                LookUp::Hit(entry) => {
                    return Ok(Outcome {
                        entry,
                        cached: true,
                    });
                }
                LookUp::TooShort if self.profile == Profile::V0_1 => break,
                LookUp::TooShort | LookUp::Miss => {}
            }
            if !self.is_active(&token) {
                break;
            }
            if attempt > 0 {
                log.write(
                    Level::Info,
                    fields,
                    format_args!("Waiting for active request with {attempt} tries"),
                );
            }
            if attempt < RETRIES {
                ask.timer.sleep(WAIT).await;
                ask.timer.idle();
            }
        }
        if self.is_active(&token) {
            log.write(
                Level::Warning,
                fields,
                format_args!("Failed to complete active request in {RETRIES} tries"),
            );
        }
        let _active = self.activate(&token);
        self.metrics
            .count(Counter::CacheState, "state=\"miss\"".into());
        let entry = self.fetch_and_store(key, token, times, fields, ask).await?;
        Ok(Outcome {
            entry,
            cached: false,
        })
    }

    async fn look_up(&self, key: &str, token: &Arc<str>, fields: &Fields) -> LookUp {
        let now = self.now();
        let found = self.read().and_then(|entries| entries.get(key).cloned());
        let Some(entry) = found.filter(|entry| now.as_nanosecond() <= entry.gone_at) else {
            return LookUp::Miss;
        };
        if sub(entry.expiration, now) <= MIN_TTL {
            self.log.write(
                Level::Info,
                fields,
                "Identified that entry in cache contains credentials with small ttl or invalid ttl, will be deleted",
            );
            self.remove(key);
            return LookUp::TooShort;
        }
        if self.profile == Profile::V0_1 || entry.token == *token {
            return LookUp::Hit(entry);
        }
        let outcome = match &self.local {
            None => "skipped",
            Some(local) => match local.validate(token, now).await {
                Ok(()) => "success",
                Err(reason) => {
                    let line = format_args!(
                        "Local token validation failed: {reason}, falling back to delegate"
                    );
                    self.log.write(Level::Info, fields, line);
                    "failure"
                }
            },
        };
        self.metrics
            .count(Counter::LocalValidation, format!("result=\"{outcome}\""));
        if outcome != "success" {
            return LookUp::Miss;
        }
        let renamed = Arc::new(Entry {
            token: Arc::clone(token),
            times: entry.times,
            body: Arc::clone(&entry.body),
            access_key_id: entry.access_key_id.clone(),
            expiration: entry.expiration,
            refresh_at: entry.refresh_at,
            gone_at: entry.gone_at,
            fields: entry.fields.clone(),
        });
        if let Some(slot) = self
            .write()
            .as_mut()
            .and_then(|entries| entries.get_mut(key))
        {
            *slot = Arc::clone(&renamed);
        }
        LookUp::Hit(renamed)
    }

    pub(super) fn remove(&self, key: &str) {
        let removed = self.write().and_then(|mut entries| entries.remove(key));
        if let Some(entry) = removed {
            self.evicted(&entry);
        }
    }

    pub(super) fn evicted(&self, entry: &Entry) {
        self.log
            .write(Level::Info, &entry.fields, "Credentials evicted");
        self.metrics
            .count(Counter::CacheState, "state=\"evicted\"".into());
    }

    pub(super) fn store(&self, key: Arc<str>, entry: Arc<Entry>) {
        let evicted = self.write().and_then(|mut entries| entries.set(key, entry));
        if let Some((_, entry)) = evicted {
            self.evicted(&entry);
        }
    }

    fn is_active(&self, token: &str) -> bool {
        self.active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(token)
            .is_some()
    }

    fn activate(&self, token: &Arc<str>) -> Active<'_> {
        let mut active = self.active.lock().unwrap_or_else(PoisonError::into_inner);
        if active.get(token).is_none() {
            active.set(Arc::clone(token), ());
        }
        Active {
            retriever: self,
            token: Arc::clone(token),
        }
    }

    pub(super) async fn fetch_and_store(
        &self,
        key: Arc<str>,
        token: Arc<str>,
        times: Times,
        fields: &Fields,
        ask: &mut Ask<'_>,
    ) -> Result<Arc<Entry>, FetchError> {
        let mut entry = self
            .fetch(token, times, fields, ask)
            .await
            .map_err(|error| error.context(texts::TO_CACHE))?;
        let now = self.now();
        let left = sub(entry.expiration, now);
        if left <= MIN_TTL {
            return Err(FetchError::Plain(texts::expires_soon(left as f64 / 1e9)));
        }
        let refresh = left.min(i64::try_from(self.renewal.as_nanos()).unwrap_or(i64::MAX));
        entry.refresh_at = now.as_nanosecond() + i128::from(refresh);
        entry.gone_at = now.as_nanosecond() + i128::from(left);
        let mut with_ttl = fields.clone();
        with_ttl.push(("refreshTtl", refresh.to_string()));
        self.log
            .write(Level::Info, &with_ttl, "Storing creds in cache");
        let entry = Arc::new(entry);
        self.store(key, Arc::clone(&entry));
        Ok(entry)
    }

    async fn fetch(
        &self,
        token: Arc<str>,
        times: Times,
        fields: &Fields,
        ask: &mut Ask<'_>,
    ) -> Result<Entry, FetchError> {
        self.log
            .write(Level::Info, fields, "Calling EKS Auth to fetch credentials");
        let started = std::time::Instant::now();
        let fetched = self.auth.assume(&token, ask).await?;
        let rendered = render(&fetched, ask.call.request_id.as_deref())?;
        if self.log.enabled(Level::Info) {
            let mut more = fields.clone();
            more.push(("request_time_ms", started.elapsed().as_millis().to_string()));
            more.push(("fetched_role_arn", rendered.role_arn.clone()));
            more.push(("fetched_role_id", rendered.role_id.clone()));
            self.log.write(
                Level::Info,
                &more,
                "Successfully fetched credentials from EKS Auth",
            );
        }
        let rendered = rendered.finish()?;
        let mut fields = fields.clone();
        fields.push(("association-id", rendered.association_id));
        Ok(Entry {
            token,
            times,
            body: rendered.body.into(),
            access_key_id: rendered.access_key_id,
            expiration: rendered.expiration,
            refresh_at: 0,
            gone_at: 0,
            fields,
        })
    }
}

/// How long something lasts, for a log line.
pub(super) fn in_words(nanos: i64) -> String {
    duration(nanos)
}

enum LookUp {
    Hit(Arc<Entry>),
    TooShort,
    Miss,
}

/// Why a request was refused on the way.
#[derive(Debug)]
pub(crate) enum Refused {
    /// 400, and this text.
    Invalid(String),
    /// By EKS Auth, or on the way there.
    Fetch(FetchError),
}

impl From<FetchError> for Refused {
    fn from(error: FetchError) -> Self {
        Self::Fetch(error)
    }
}

struct Active<'a> {
    retriever: &'a Retriever,
    token: Arc<str>,
}

impl Drop for Active<'_> {
    fn drop(&mut self) {
        self.retriever
            .active
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&self.token);
    }
}

/// An answer with credentials and role, half looked at.
struct Half<'a> {
    fetched: &'a Fetched,
    role_arn: String,
    role_id: String,
}

struct Rendered {
    body: Vec<u8>,
    access_key_id: String,
    expiration: i128,
    association_id: String,
}

fn render<'a>(fetched: &'a Fetched, request_id: Option<&str>) -> Result<Half<'a>, FetchError> {
    let (Some(role), Some(_)) = (&fetched.assumed_role, &fetched.credentials) else {
        return Err(FetchError::Plain(texts::incomplete(fetched, request_id)));
    };
    let panic = || FetchError::Panic(texts::NIL_POINTER);
    Ok(Half {
        fetched,
        role_arn: role.arn.clone().ok_or_else(panic)?,
        role_id: role.id.clone().ok_or_else(panic)?,
    })
}

impl Half<'_> {
    /// Go takes the members one after the other and panics at the first that is missing, but parses the ARN before.
    fn finish(self) -> Result<Rendered, FetchError> {
        let account = account_of(&self.role_arn).map_err(|reason| {
            FetchError::Plain(format!("unable to parse arn from assumed role: {reason}"))
        })?;
        let panic = || FetchError::Panic(texts::NIL_POINTER);
        let raw = self.fetched.credentials.as_ref().ok_or_else(panic)?;
        let get = |member: &Option<String>| member.clone().ok_or_else(panic);
        let (access_key_id, secret, session) = (
            get(&raw.access_key_id)?,
            get(&raw.secret_access_key)?,
            get(&raw.session_token)?,
        );
        let expiration = raw.expiration.ok_or_else(panic)?;
        let association_id = self
            .fetched
            .association_id
            .clone()
            .flatten()
            .ok_or_else(panic)?;
        let mut body = b"{".to_vec();
        for (name, value) in [
            ("AccessKeyId", &*access_key_id),
            ("SecretAccessKey", &*secret),
            ("Token", &*session),
            ("AccountId", account),
        ] {
            if !value.is_empty() {
                body.extend_from_slice(format!("\"{name}\":").as_bytes());
                crate::go::json::push_string(&mut body, value);
                body.push(b',');
            }
        }
        body.extend_from_slice(
            format!("\"Expiration\":\"{}\"}}", Rfc3339Nano(expiration)).as_bytes(),
        );
        Ok(Rendered {
            body,
            access_key_id,
            expiration,
            association_id,
        })
    }
}

/// Go's `arn.Parse`, of which only the account is needed.
fn account_of(arn: &str) -> Result<&str, &'static str> {
    if !arn.starts_with("arn:") {
        return Err("arn: invalid prefix");
    }
    let sections: Vec<&str> = arn.splitn(6, ':').collect();
    match sections[..] {
        [_, _, _, _, account, _] => Ok(account),
        _ => Err("arn: not enough sections"),
    }
}
