//! Token buckets for each account of a service, on the emulator's clock.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use emu_core::settings::{Settings, Throttle};

use crate::services::Service;

#[derive(Debug)]
struct Bucket {
    tokens: f64,
    filled: Duration,
}

/// The buckets in use.
#[derive(Debug, Default)]
pub(crate) struct Throttles(Mutex<HashMap<(Service, String), Bucket>>);

impl Throttles {
    /// Takes a token; `false` if there is none. Services without a rate in the settings never run out.
    pub(crate) fn admit(
        &self,
        settings: &Settings,
        service: Service,
        account: &str,
        now: Duration,
    ) -> bool {
        let rate = match service {
            Service::EksAuth => settings.throttles.eks_auth,
            Service::Sts => settings.throttles.sts,
            _ => None,
        };
        let Some(Throttle { rate, burst }) = rate else {
            return true;
        };
        let mut buckets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bucket = buckets
            .entry((service, account.to_owned()))
            .or_insert(Bucket {
                tokens: f64::from(burst),
                filled: now,
            });
        let gained = now.saturating_sub(bucket.filled).as_secs_f64() * rate.max(0.0);
        bucket.tokens = (bucket.tokens + gained).min(f64::from(burst));
        bucket.filled = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }

    /// Fills all buckets.
    pub(crate) fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_empties_and_fills_by_the_clock() {
        let mut settings = Settings::default();
        settings.throttles.sts = Some(Throttle {
            rate: 2.0,
            burst: 3,
        });
        let throttles = Throttles::default();
        let admit = |account: &str, millis: u64| {
            throttles.admit(
                &settings,
                Service::Sts,
                account,
                Duration::from_millis(millis),
            )
        };
        assert_eq!(
            [0, 0, 0, 0].map(|at| admit("1", at)),
            [true, true, true, false]
        );
        assert!(admit("2", 0));
        assert!(!admit("1", 400));
        assert!(admit("1", 600));
        assert!(throttles.admit(&settings, Service::Iam, "1", Duration::ZERO));
    }
}
