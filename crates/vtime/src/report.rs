//! What a group says of its clocks and programs.

use std::time::Duration;

/// How far virtual time is ahead of real time, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offset {
    /// Of the wall clock (`CLOCK_REALTIME` and its kin); negative when it was set back.
    pub wall: i64,
    /// Of the monotonic clock (`CLOCK_MONOTONIC` and its kin); never negative.
    pub monotonic: i64,
}

/// What a jump did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// Threads that were stopped for it.
    pub threads: usize,
    /// Timed waits and timers that were given their new time; those in system calls that the kernel restarts by
    /// itself are not counted.
    pub waits_moved: usize,
    /// How long it took, in microseconds of real time, from the request to the last thread going on; the time the
    /// embedding program took in between included.
    pub micros: u64,
}

/// Everything is stopped and about to move.
#[derive(Debug, Clone, Copy)]
pub struct Commit {
    /// The clocks before.
    pub before: Offset,
    /// The clocks after.
    pub after: Offset,
}

/// Whether a group came to rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Settled {
    /// Every thread was blocked at one and the same moment.
    Yes {
        /// How many threads there were.
        threads: usize,
        /// Microseconds of real time that it took.
        micros: u64,
        /// How often these threads have been switched to and from, together: if it is the same later, none has run.
        switches: u64,
    },
    /// The time given was over while something ran.
    No {
        /// A thread that ran.
        running: String,
    },
}

impl Settled {
    /// Whether it came to rest.
    pub fn is_settled(&self) -> bool {
        matches!(self, Self::Yes { .. })
    }
}

/// A thread of a group that waits for something or for a time to pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due {
    /// Its process.
    pub process: i32,
    /// Its own id.
    pub thread: i32,
    /// What is left of that time.
    pub left: Duration,
}

/// A process of a group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: i32,
    /// How many threads it has.
    pub threads: usize,
    /// Its name as the kernel knows it: at most 15 bytes.
    pub name: String,
}
