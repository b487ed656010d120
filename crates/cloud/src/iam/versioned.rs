//! A value that changes, seen by those who learn of changes late.

use std::sync::Arc;

use emu_core::Timestamp;

/// The present value of something, and those it had while the present one has not reached everybody.
#[derive(Clone, Debug)]
pub(super) struct Versioned<T> {
    current: Arc<T>,
    since: Timestamp,
    past: Vec<(Timestamp, Arc<T>)>,
}

impl<T> Versioned<T> {
    pub(super) fn new(value: T, now: Timestamp) -> Self {
        Self {
            current: Arc::new(value),
            since: now,
            past: Vec::new(),
        }
    }

    pub(super) fn current(&self) -> &Arc<T> {
        &self.current
    }

    /// Replaces the value. `horizon` is the instant up to which the latest reader knows.
    pub(super) fn replace(&mut self, value: T, now: Timestamp, horizon: Timestamp) {
        let before = std::mem::replace(&mut self.current, Arc::new(value));
        self.past
            .push((std::mem::replace(&mut self.since, now), before));
        // Of those the latest reader has left behind only the newest is still its present.
        let known = self
            .past
            .iter()
            .filter(|(since, _)| *since <= horizon)
            .count();
        if self.since <= horizon {
            self.past.clear();
        } else if known > 1 {
            self.past.drain(..known - 1);
        }
    }

    /// The value as it was at an instant; the first one if it is younger than that.
    pub(super) fn at(&self, instant: Timestamp) -> &Arc<T> {
        if self.since <= instant {
            return &self.current;
        }
        let newest = self.past.iter().rev().find(|(since, _)| *since <= instant);
        newest
            .or_else(|| self.past.first())
            .map_or(&self.current, |(_, value)| value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn readers_lag_behind() {
        let mut value = Versioned::new("a", at(0));
        value.replace("b", at(10), at(5));
        value.replace("c", at(12), at(7));
        assert_eq!(**value.at(at(0)), "a");
        assert_eq!(**value.at(at(11)), "b");
        assert_eq!(**value.at(at(12)), "c");
        assert_eq!(**value.at(at(-5)), "a");
        value.replace("d", at(100), at(95));
        assert_eq!(**value.at(at(95)), "c");
        assert_eq!(value.past.len(), 1);
        value.replace("e", at(101), at(101));
        assert!(value.past.is_empty());
    }
}
