//! The sweep that renews entries before they expire and throws out what has.

use std::{sync::Arc, time::Duration};

use emu_core::Timer;
use rand::Rng as _;

use super::retriever::{Entry, MIN_TTL, Retriever, in_words};
use crate::{
    eks_auth::{Ask, FetchError},
    go::time::sub,
    http::Cancel,
    log::{Fields, Level},
    metrics::Counter,
};

/// How often the sweep runs.
const INTERVAL: Duration = Duration::from_secs(60);
/// The least time until a failed renewal is tried again; as much again is added at random.
const RETRY: i64 = 60_000_000_000;
/// A renewal may take this long.
const LIMIT: Duration = Duration::from_secs(60);

impl Retriever {
    /// Sweeps for ever. Ends only if a renewal panics, with what the panic said.
    pub(crate) async fn sweep(self: Arc<Self>) -> &'static str {
        let mut timer = self.auth.clock.timer();
        let mut due = self.auth.clock.monotonic();
        loop {
            due += INTERVAL;
            timer.sleep_until(due).await;
            if let Err(reason) = self.sweep_once(&mut timer).await {
                return reason;
            }
            // A ticker drops what it could not deliver.
            let now = self.auth.clock.monotonic();
            while due + INTERVAL <= now {
                due += INTERVAL;
            }
        }
    }

    async fn sweep_once(&self, timer: &mut Timer) -> Result<(), &'static str> {
        let began = self.now().as_nanosecond();
        let due: Vec<(Arc<str>, Arc<Entry>)> = self
            .read()
            .map(|entries| {
                let due = entries.iter().filter(|(_, entry)| began > entry.refresh_at);
                due.map(|(key, entry)| (Arc::clone(key), Arc::clone(entry)))
                    .collect()
            })
            .unwrap_or_default();
        for (key, entry) in due {
            self.renew(key, entry, timer).await?;
        }
        let gone: Vec<Arc<Entry>> = self
            .write()
            .map(|mut entries| {
                let keys: Vec<Arc<str>> = entries
                    .iter()
                    .filter(|(_, entry)| began > entry.gone_at)
                    .map(|(key, _)| Arc::clone(key))
                    .collect();
                keys.iter().filter_map(|key| entries.remove(key)).collect()
            })
            .unwrap_or_default();
        for entry in gone {
            self.evicted(&entry);
        }
        Ok(())
    }

    async fn renew(
        &self,
        key: Arc<str>,
        entry: Arc<Entry>,
        timer: &mut Timer,
    ) -> Result<(), &'static str> {
        let mut fields = entry.fields.clone();
        fields.push(("from", "renewal-thread".into()));
        let clock = &self.auth.clock;
        if self.limiter.allow(clock.monotonic()) {
            // The real one takes a second token, too, and waits for it.
            let Some(wait) = self.limiter.reserve(clock.monotonic(), LIMIT) else {
                self.log.write(
                    Level::Error,
                    &fields,
                    "Problem waiting, will schedule refresh to next sweep",
                );
                return Ok(());
            };
            if !wait.is_zero() {
                timer.sleep(wait).await;
            }
            let cancel = Cancel::default();
            let mut ask = Ask {
                cancel: &cancel,
                limit: Some(LIMIT),
                timer,
                call: <_>::default(),
            };
            let token = Arc::clone(&entry.token);
            let renewed = self
                .fetch_and_store(Arc::clone(&key), token, entry.times, &fields, &mut ask)
                .await;
            match renewed {
                Ok(_) => {
                    self.metrics
                        .count(Counter::CacheState, "state=\"hit\"".into());
                    return Ok(());
                }
                Err(FetchError::Panic(reason)) => return Err(reason),
                Err(error) => {
                    let (code, irrecoverable) = error.irrecoverable();
                    let kind = if irrecoverable {
                        "NonRecoverable"
                    } else {
                        "Recoverable"
                    };
                    self.metrics.count(
                        Counter::CacheErrors,
                        format!("code=\"{code}\",type=\"{kind}\""),
                    );
                    let text = error.text();
                    if irrecoverable {
                        let line = format_args!(
                            "Removing credentials from cache, got non recoverable error: {text}"
                        );
                        self.log.write(Level::Info, &fields, line);
                        self.remove(&key);
                        return Ok(());
                    }
                    let line = format_args!(
                        "Could not renew, will try to keep existing creds. Error is recoverable: {text}"
                    );
                    self.log.write(Level::Info, &fields, line);
                }
            }
        } else {
            self.log.write(
                Level::Info,
                &fields,
                "Rate limited! Will try to keep creds locally",
            );
        }
        self.keep(key, &entry, &fields);
        Ok(())
    }

    /// Keeps what is still good and tries again in one to two minutes.
    fn keep(&self, key: Arc<str>, entry: &Entry, fields: &Fields) {
        let now = self.now();
        let left = sub(entry.expiration, now);
        if left <= MIN_TTL {
            self.log.write(
                Level::Info,
                fields,
                "Evicting credentials since they are too old",
            );
            return;
        }
        let refresh = left.min(RETRY + rand::rng().random_range(0..RETRY));
        if self.log.enabled(Level::Info) {
            let mut with_ttl = fields.clone();
            with_ttl.push(("ttl", refresh.to_string()));
            let seconds = left as f64 / 1e9;
            let line = format_args!(
                "Credentials still valid for at least {seconds:.2}s, keeping them will try again after ttl expires"
            );
            self.log.write(Level::Info, &with_ttl, line);
            tracing::debug!(again_in = in_words(refresh), "credentials kept");
        }
        let kept = Entry {
            token: Arc::clone(&entry.token),
            times: entry.times,
            body: Arc::clone(&entry.body),
            access_key_id: entry.access_key_id.clone(),
            expiration: entry.expiration,
            refresh_at: now.as_nanosecond() + i128::from(refresh),
            gone_at: now.as_nanosecond() + i128::from(left),
            fields: entry.fields.clone(),
        };
        self.store(key, Arc::new(kept));
    }
}
