//! Pods that are no more, as the journal tells: their tokens are good no longer, though they have not expired.

use std::{
    collections::HashSet,
    sync::{Mutex, PoisonError},
};

use emu_core::{Event, Journal};

/// What has been read of the journal so far.
#[derive(Debug, Default)]
pub(crate) struct GonePods(Mutex<Read>);

#[derive(Debug, Default)]
struct Read {
    seq: u64,
    uids: HashSet<String>,
}

impl GonePods {
    /// Whether the pod with this uid was deleted. Each entry of the journal is read once.
    pub(super) fn has(&self, journal: &Journal, uid: &str) -> bool {
        let mut read = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in journal.since(read.seq) {
            read.seq = entry.seq;
            if let Event::PodDeleted { pod } = &entry.event {
                read.uids.insert(pod.uid.clone());
            }
        }
        read.uids.contains(uid)
    }
}

#[cfg(test)]
mod tests {
    use emu_core::{Clock, journal::PodRef};

    use super::*;

    #[test]
    fn follows_the_journal() {
        let journal = Journal::new(Clock::new(), 10);
        let gone = GonePods::default();
        assert!(!gone.has(&journal, "u1"));
        journal.record(Event::PodDeleted {
            pod: PodRef {
                cluster: "demo".into(),
                namespace: "shop".into(),
                name: "api-0".into(),
                uid: "u1".into(),
            },
        });
        assert!(gone.has(&journal, "u1"));
        assert!(!gone.has(&journal, "u2"));
    }
}
