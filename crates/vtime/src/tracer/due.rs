//! What held threads wait for: read, and left as it is.

use super::again::length_of;
use super::stops::{RESTART, broken_off};
use super::{Thread, Tracer, Wait};
use crate::sys::{self, SECOND};
use crate::waits::{self, Kind};

/// How long a thread has yet to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) process: i32,
    pub(crate) thread: i32,
    /// Nanoseconds; never negative.
    pub(crate) left: i64,
}

impl Tracer {
    /// The held threads that are in a wait with a time limit.
    pub(crate) fn due(&self) -> Vec<Due> {
        let held = self.threads.values().filter(|t| t.held.is_some());
        held.filter_map(|thread| {
            Some(Due {
                process: thread.process,
                thread: thread.tid,
                left: self.left_of(thread)?.max(0),
            })
        })
        .collect()
    }

    fn left_of(&self, thread: &Thread) -> Option<i64> {
        let regs = sys::registers(thread.tid).ok()?;
        let mut args = sys::arguments(&regs);
        match thread.wait {
            Wait::Resumed(again, _) | Wait::Again(again) => {
                return Some(again.deadline - self.now());
            }
            Wait::Translated(borrowed) => args[borrowed.arg] = borrowed.original,
            Wait::Untouched => {}
        }
        let broken = regs.orig_rax as i64 >= 0 && broken_off(regs.rax as i64);
        let nr = match regs.orig_rax as i64 {
            RESTART => thread.restarted?,
            nr => nr,
        };
        let timed = waits::classify(nr, &args).filter(|_| broken)?;
        if timed.kind != Kind::Absolute {
            return length_of(thread.tid, timed, &args);
        }
        let mut bytes = [0; 16];
        sys::peek(thread.tid, args[timed.arg], &mut bytes).ok()?;
        let (seconds, nanos) = bytes.split_at(8);
        let word = |bytes: &[u8]| bytes.try_into().map(i64::from_ne_bytes).ok();
        let deadline = word(seconds)?
            .saturating_mul(SECOND)
            .saturating_add(word(nanos)?);
        let clock = self.clock_id(thread, timed.clock);
        Some(deadline.saturating_sub(sys::kernel_clock(clock) + self.offset_of(clock)))
    }
}
