//! Token buckets, as `golang.org/x/time/rate` keeps them: full at first, refilled by the clock.

use std::{
    sync::atomic::{AtomicU64, Ordering::SeqCst},
    time::Duration,
};

/// A bucket. One word: the time, in nanoseconds, at which it would be full again.
#[derive(Debug)]
pub(crate) struct Bucket {
    full_at: AtomicU64,
    /// Nanoseconds a token takes.
    token: u64,
    burst: u64,
}

impl Bucket {
    pub(crate) fn new(per_second: u64, burst: u64) -> Self {
        Self {
            full_at: AtomicU64::new(0),
            token: 1_000_000_000 / per_second.max(1),
            burst,
        }
    }

    /// Takes a token if there is one. `now` must not go back.
    pub(crate) fn allow(&self, now: Duration) -> bool {
        self.reserve(now, Duration::ZERO).is_some()
    }

    /// Takes a token that is there within `patience` and says how long to wait for it.
    pub(crate) fn reserve(&self, now: Duration, patience: Duration) -> Option<Duration> {
        let now = now.as_nanos() as u64;
        let capacity = self.token * self.burst;
        let mut wait = 0;
        self.full_at
            .fetch_update(SeqCst, SeqCst, |full_at| {
                let next = full_at.max(now) + self.token;
                wait = (next - now).saturating_sub(capacity);
                (wait <= patience.as_nanos() as u64).then_some(next)
            })
            .ok()
            .map(|_| Duration::from_nanos(wait))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bursts_then_refills() {
        let bucket = Bucket::new(2, 2);
        let at = Duration::from_millis;
        assert!(bucket.allow(at(0)) && bucket.allow(at(0)) && !bucket.allow(at(0)));
        assert!(!bucket.allow(at(499)) && bucket.allow(at(500)));
        assert_eq!(bucket.reserve(at(500), at(499)), None);
        assert_eq!(bucket.reserve(at(500), at(1_000)), Some(at(500)));
    }
}
