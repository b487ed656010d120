//! The SDK's standard retry mode.

use std::{
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    time::Duration,
};

use rand::Rng as _;

const CAPACITY: u32 = 500;
/// What one retry costs.
pub(super) const COST: u32 = 5;
/// What one retry costs after a timeout.
pub(super) const TIMEOUT_COST: u32 = 10;
const MAX_BACKOFF: Duration = Duration::from_secs(20);

/// The tokens that retries are paid with; one bucket a client.
#[derive(Debug)]
pub(super) struct RetryTokens(AtomicU32);

impl Default for RetryTokens {
    fn default() -> Self {
        Self(AtomicU32::new(CAPACITY))
    }
}

impl RetryTokens {
    /// Takes tokens.
    ///
    /// # Errors
    /// The number left, if they are not enough.
    pub(super) fn take(&self, cost: u32) -> Result<(), u32> {
        self.0
            .fetch_update(SeqCst, SeqCst, |left| left.checked_sub(cost))
            .map(|_| ())
    }

    /// Gives tokens back, up to the capacity.
    pub(super) fn refund(&self, tokens: u32) {
        let _ = self
            .0
            .fetch_update(SeqCst, SeqCst, |left| Some((left + tokens).min(CAPACITY)));
    }
}

/// The pause after attempt `attempt`: random, less than 2 to the power of `attempt` seconds.
pub(super) fn backoff(attempt: u32) -> Duration {
    if attempt > 4 {
        return MAX_BACKOFF;
    }
    Duration::from_secs_f64(rand::rng().random::<f64>() * f64::from(1u32 << attempt))
}

/// Codes that are retried whatever the status.
pub(super) fn is_retryable_code(code: &str) -> bool {
    matches!(
        code,
        "RequestTimeout"
            | "RequestTimeoutException"
            | "Throttling"
            | "ThrottlingException"
            | "ThrottledException"
            | "RequestThrottledException"
            | "TooManyRequestsException"
            | "ProvisionedThroughputExceededException"
            | "TransactionInProgressException"
            | "RequestLimitExceeded"
            | "BandwidthLimitExceeded"
            | "LimitExceededException"
            | "RequestThrottled"
            | "SlowDown"
            | "PriorRequestNotComplete"
            | "EC2ThrottledException"
            // A wrong clock may be right at the next attempt.
            | "RequestExpired"
            | "RequestInTheFuture"
            | "RequestTimeTooSkewed"
    )
}

/// Statuses that are retried whatever the code.
pub(super) fn is_retryable_status(status: u16) -> bool {
    matches!(status, 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_run_out_and_come_back() {
        let tokens = RetryTokens::default();
        for _ in 0..100 {
            tokens.take(COST).unwrap();
        }
        assert_eq!(tokens.take(COST), Err(0));
        tokens.refund(1_000);
        assert_eq!(tokens.take(CAPACITY), Ok(()));
    }

    #[test]
    fn pauses_grow_and_stay_below_the_limit() {
        for attempt in 1..10 {
            assert!(backoff(attempt) <= MAX_BACKOFF.min(Duration::from_secs(1 << attempt)));
        }
    }
}
