//! Where the events are kept and how they are waited for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::Event;
use crate::Clock;

/// An event with its place in the journal, its time and its cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The place in the journal, from 1, without gaps.
    pub seq: u64,
    /// When, by the emulator's clock.
    pub at: Timestamp,
    /// The entry that led to this one, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cause: Option<u64>,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

/// The journal; clones are the same journal.
#[derive(Clone, Debug)]
pub struct Journal(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    capacity: usize,
    entries: Mutex<Entries>,
    last: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Entries {
    kept: VecDeque<Arc<Entry>>,
    last: u64,
}

impl Journal {
    /// An empty journal that keeps the newest `capacity` entries.
    pub fn new(clock: Clock, capacity: usize) -> Self {
        Self(Arc::new(Inner {
            clock,
            capacity: capacity.max(1),
            entries: Mutex::default(),
            last: watch::Sender::new(0),
        }))
    }

    /// Writes an event down and gives its place.
    pub fn record(&self, event: Event) -> u64 {
        self.record_caused(None, event)
    }

    /// Writes an event down together with the place of what led to it.
    pub fn record_caused(&self, cause: Option<u64>, event: Event) -> u64 {
        let mut entries = self.lock();
        entries.last += 1;
        let seq = entries.last;
        if entries.kept.len() == self.0.capacity {
            entries.kept.pop_front();
        }
        entries.kept.push_back(Arc::new(Entry {
            seq,
            at: self.0.clock.now(),
            cause,
            event,
        }));
        drop(entries);
        self.0.last.send_replace(seq);
        seq
    }

    /// The place of the newest entry; 0 in an empty journal.
    pub fn last(&self) -> u64 {
        self.lock().last
    }

    /// All kept entries after `seq`, oldest first.
    pub fn since(&self, seq: u64) -> Vec<Arc<Entry>> {
        let entries = self.lock();
        let start = entries.kept.partition_point(|entry| entry.seq <= seq);
        entries.kept.iter().skip(start).cloned().collect()
    }

    /// The first entry after `seq` that `wanted` accepts, waiting for it for at most `limit` of real time.
    pub async fn wait(
        &self,
        seq: u64,
        limit: Duration,
        mut wanted: impl FnMut(&Entry) -> bool,
    ) -> Option<Arc<Entry>> {
        let mut last = self.0.last.subscribe();
        let mut seen = seq;
        let search = async {
            loop {
                last.mark_unchanged();
                for entry in self.since(seen) {
                    seen = entry.seq;
                    if wanted(&entry) {
                        return entry;
                    }
                }
                if last.changed().await.is_err() {
                    return std::future::pending().await;
                }
            }
        };
        tokio::time::timeout(limit, search).await.ok()
    }

    /// Resolves whenever something is written; for readers that follow along.
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.last.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, Entries> {
        self.0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(n: usize) -> Event {
        Event::StepStarted {
            step: n,
            title: String::new(),
        }
    }

    #[test]
    fn keeps_the_newest() {
        let journal = Journal::new(Clock::new(), 3);
        for n in 0..5 {
            journal.record(event(n));
        }
        let seqs: Vec<u64> = journal.since(0).iter().map(|e| e.seq).collect();
        assert_eq!(seqs, [3, 4, 5]);
        assert_eq!(journal.since(4).len(), 1);
    }

    #[tokio::test]
    async fn waits_for_what_comes_later() {
        let journal = Journal::new(Clock::new(), 100);
        let later = journal.clone();
        tokio::spawn(async move {
            tokio::task::yield_now().await;
            later.record(event(7));
        });
        let found = journal
            .wait(0, Duration::from_secs(5), |e| e.event == event(7))
            .await;
        assert_eq!(found.unwrap().seq, 1);
        let none = journal.wait(1, Duration::from_millis(1), |_| true).await;
        assert!(none.is_none());
    }

    #[test]
    fn an_entry_is_one_flat_object() {
        let journal = Journal::new(Clock::new(), 3);
        journal.record(event(1));
        let value = serde_json::to_value(&*journal.since(0)[0]).unwrap();
        assert_eq!(value["type"], "stepStarted");
        assert_eq!(value["seq"], 1);
        let back: Entry = serde_json::from_value(value).unwrap();
        assert_eq!(back.event, event(1));
    }
}
