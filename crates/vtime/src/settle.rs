//! Has everything come to rest? Each thread's state and its count of context switches answer that.
//!
//! One look at all threads proves nothing, since the first may run again while the last is looked at. Two looks that
//! find every thread blocked with the same count do: none of them ran between its first look and its second, so at
//! the moment between the two looks all were blocked at once.

use crate::proc;
use crate::report::Settled;
use crate::tracer::Tracer;
use crate::wire::Answer;
use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// The shortest time between two looks.
const PAUSE: Duration = Duration::from_micros(300);
/// A look takes at most this part of the time.
const PART: u32 = 4;

/// Waits until every thread of some processes is blocked, by two looks as above. Those that have ended are at rest.
pub(crate) fn settle_among(processes: &[i32], limit: Duration) -> Settled {
    let since = Instant::now();
    loop {
        let start = Instant::now();
        let running = match look(processes) {
            Ok(first) if look(processes).as_ref() == Ok(&first) => {
                return Settled::Yes {
                    threads: first.len(),
                    micros: since.elapsed().as_micros() as u64,
                    switches: first.values().sum(),
                };
            }
            Ok(_) => String::new(),
            Err(tid) => format!("thread {tid} ({})", proc::name_of(tid)),
        };
        if since.elapsed() >= limit {
            return Settled::No { running };
        }
        std::thread::sleep(PAUSE.max(start.elapsed() * PART));
    }
}

/// The switch counts of all threads of some processes; or one that is not blocked.
fn look(processes: &[i32]) -> Result<BTreeMap<i32, u64>, i32> {
    let mut counts = BTreeMap::new();
    for tid in processes.iter().flat_map(|pid| proc::threads_of(*pid)) {
        let activity = proc::activity(tid);
        if !activity.blocked {
            return Err(tid);
        }
        counts.insert(tid, activity.switches);
    }
    Ok(counts)
}

/// Somebody who waits for everything to come to rest.
pub(crate) struct Settling {
    pub(crate) reply: OwnedFd,
    since: Instant,
    limit: Instant,
    next: Instant,
    /// A thread that was found running: looked at first, as it most likely still runs.
    busy: Option<i32>,
}

impl Settling {
    pub(crate) fn new(reply: OwnedFd, limit: Duration) -> Self {
        let since = Instant::now();
        Self {
            reply,
            since,
            limit: since + limit,
            next: since,
            busy: None,
        }
    }

    /// When to look again.
    pub(crate) fn next(&self) -> Instant {
        self.next
    }

    /// Looks, if it is time to; gives the answer when there is one.
    pub(crate) fn look(&mut self, tracer: &mut Tracer) -> Option<Answer> {
        let start = Instant::now();
        if start < self.next {
            return None;
        }
        let settled = self.settled(tracer);
        let now = Instant::now();
        if let Some(counts) = settled {
            let numbers = [counts.len() as i64, counts.values().sum::<u64>() as i64];
            return Some(self.answer(now, true, numbers, String::new()));
        }
        if now >= self.limit {
            let who = self
                .busy
                .map(|tid| format!("thread {tid} ({})", proc::name_of(tid)))
                .unwrap_or_default();
            return Some(self.answer(now, false, [0; 2], who));
        }
        self.next = (now + PAUSE.max((now - start) * PART)).min(self.limit);
        None
    }

    fn answer(
        &self,
        now: Instant,
        settled: bool,
        [threads, switches]: [i64; 2],
        text: String,
    ) -> Answer {
        let micros = (now - self.since).as_micros() as i64;
        Answer {
            numbers: [i64::from(settled), threads, micros, switches],
            text,
        }
    }

    fn settled(&mut self, tracer: &mut Tracer) -> Option<BTreeMap<i32, u64>> {
        if self
            .busy
            .is_some_and(|tid| tracer.is_able(tid) && !proc::activity(tid).blocked)
        {
            return None;
        }
        let first = self.all_blocked(tracer)?;
        // What has stopped for the tracer is blocked only until it is handled.
        tracer.handle_events();
        let second = self.all_blocked(tracer)?;
        (first == second).then_some(second)
    }

    /// The switch counts of all threads, if all are blocked.
    fn all_blocked(&mut self, tracer: &Tracer) -> Option<BTreeMap<i32, u64>> {
        self.busy = None;
        let mut counts = BTreeMap::new();
        for tid in tracer.able_threads() {
            let activity = proc::activity(tid);
            if !activity.blocked {
                self.busy = Some(tid);
                return None;
            }
            counts.insert(tid, activity.switches);
        }
        Some(counts)
    }
}
