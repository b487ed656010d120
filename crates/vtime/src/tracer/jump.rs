//! A jump: stop every thread, move the clocks and all that hangs on them, let every thread go on.

use super::stops::broken_off;
use super::{STALE_CALLS, Thread, Tracer, Wait};
use crate::proc;
use crate::stub;
use crate::sys::{self, Registers, Status};
use std::collections::HashSet;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long stopping may take; a thread in an uninterruptible call of the kernel stops only when that ends.
const STOP_LIMIT: Duration = Duration::from_secs(10);
/// How often to look whether a thread that does not stop has ended.
const LOOK_AGAIN: Duration = Duration::from_millis(1);

/// What a jump did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Threads that were stopped for it.
    pub(crate) threads: usize,
    /// Timed waits and timers that were given their new time.
    pub(crate) waits: usize,
}

/// Not every thread could be stopped.
#[derive(Debug)]
pub(crate) struct StopError(pub(crate) Vec<i32>);

impl Tracer {
    /// Stops every thread. On success all are held until [`Tracer::go_on`].
    pub(crate) fn stop_all(&mut self, events: &OwnedFd) -> Result<usize, StopError> {
        self.stop(events, |_| true)
    }

    /// Stops the threads of some processes. On success they are held until [`Tracer::go_on`], and so is every other
    /// thread that has stopped by itself meanwhile.
    pub(crate) fn stop(
        &mut self,
        events: &OwnedFd,
        of: impl Fn(i32) -> bool,
    ) -> Result<usize, StopError> {
        let mut running = HashSet::new();
        let able = |t: &&Thread| !t.vforking && !t.dead && of(t.process);
        for thread in self.threads.values().filter(able) {
            if sys::interrupt(thread.tid).is_ok() {
                running.insert(thread.tid);
            }
        }
        let limit = Instant::now() + STOP_LIMIT;
        loop {
            // Any thread, not the one asked for: an exec waits for its dying siblings to be waited for.
            while let Some((tid, status)) = sys::next_event() {
                self.hold(tid, status, &mut running);
            }
            if running.is_empty() {
                break;
            }
            if sys::wait_readable(&[events.as_fd()], Some(LOOK_AGAIN))[0] {
                sys::drain(events);
                continue;
            }
            running.retain(|tid| {
                let dead = proc::is_dead(*tid);
                if let Some(thread) = self.threads.get_mut(tid) {
                    thread.dead = dead;
                }
                !dead
            });
            if Instant::now() > limit {
                self.go_on();
                return Err(StopError(running.into_iter().collect()));
            }
        }
        Ok(self.threads.values().filter(|t| t.held.is_some()).count())
    }

    fn hold(&mut self, tid: i32, status: Status, running: &mut HashSet<i32>) {
        running.remove(&tid);
        if status.ended() {
            return self.forget(tid);
        }
        if status.event() == libc::PTRACE_EVENT_EXEC {
            self.drop_siblings(tid);
            running.retain(|tid| self.threads.contains_key(tid));
        }
        if let Some(child) = self.expect_child(tid, status) {
            running.insert(child);
        }
        let mut thread = self.take(tid);
        thread.held = Some(status);
        self.threads.insert(tid, thread);
    }

    /// Moves the clocks while every thread is held.
    pub(crate) fn move_clocks(&mut self, wall: i64, monotonic: i64) -> Moved {
        self.wall += wall;
        self.monotonic += monotonic;
        let mut waits = if self.timerfds {
            self.move_timerfds(wall, monotonic)
        } else {
            0
        };

        let held: Vec<(i32, Status)> = self
            .threads
            .values()
            .filter_map(|t| Some((t.tid, t.held?)))
            .collect();
        let mut stale = HashSet::new();
        for &(tid, status) in &held {
            // At an exec the old stub is gone and the new one not there yet.
            if status.event() == libc::PTRACE_EVENT_EXEC {
                continue;
            }
            let mut thread = self.take(tid);
            let written = self.processes.get(&thread.process).map(|p| p.written);
            if written.is_some_and(|written| written != (self.wall, self.monotonic)) {
                self.write_offsets(&thread);
            }
            if status.is_interrupt() && !thread.fresh {
                waits += self.pay(&thread);
            }
            if !thread.fresh {
                match self.after_move(&mut thread, monotonic) {
                    Was::Waiting { moved } => waits += usize::from(moved),
                    Was::Running => {
                        if monotonic <= 0 {
                            self.threads.insert(tid, thread);
                            continue;
                        }
                        let before = if thread.stale > 0 { thread.stale_by } else { 0 };
                        thread.stale = STALE_CALLS;
                        thread.stale_by = before + monotonic;
                        if stale.insert(thread.process) {
                            self.write_watch(&thread, true);
                        }
                    }
                }
            }
            self.threads.insert(tid, thread);
        }
        self.forget_ended();
        Moved {
            threads: held.len(),
            waits,
        }
    }

    /// Lets every held thread go on, each from the stop it was held in.
    pub(crate) fn go_on(&mut self) {
        let held: Vec<(i32, Status)> = self
            .threads
            .values_mut()
            .filter_map(|t| Some((t.tid, t.held.take()?)))
            .collect();
        for (tid, status) in held {
            // An earlier one of these may have ended it.
            if self.threads.contains_key(&tid) {
                self.handle(tid, status);
            }
        }
    }

    fn after_move(&mut self, thread: &mut Thread, monotonic: i64) -> Was {
        let Ok(mut regs) = sys::registers(thread.tid) else {
            return Was::Waiting { moved: false };
        };
        self.mend_torn_read(thread, &mut regs);
        let broken = regs.orig_rax as i64 >= 0 && broken_off(regs.rax as i64);
        if self.is_about_to_read(thread, &regs) {
            (thread.stale, thread.stale_by) = (0, 0);
            return Was::Waiting { moved: false };
        }
        match thread.wait {
            _ if broken => Was::Waiting {
                moved: self.take_out_of_wait(thread, regs, monotonic),
            },
            // Between a jump and its re-issue another jump came.
            Wait::Again(_) => Was::Waiting { moved: false },
            _ => Was::Running,
        }
    }

    /// Whether a thread is in the middle of a clock read that will add the new offset: it knows of the jump.
    fn is_about_to_read(&self, thread: &Thread, regs: &Registers) -> bool {
        let Some(stub) = self
            .processes
            .get(&thread.process)
            .and_then(|p| p.stub.as_ref())
        else {
            return false;
        };
        let at = regs.rip.wrapping_sub(stub.address);
        stub.vdso.contains(&regs.rip)
            && !stub::marks()
                .read
                .iter()
                .any(|&(from, to)| (from..to).contains(&at))
    }

    /// A thread stopped between the two loads of an offset would mix the old with the new one.
    fn mend_torn_read(&self, thread: &Thread, regs: &mut Registers) {
        let Some(stub) = self
            .processes
            .get(&thread.process)
            .and_then(|p| p.stub.as_ref())
        else {
            return;
        };
        for (second, first) in stub::marks().torn {
            if regs.rip == stub.address + second {
                regs.rip = stub.address + first;
                let _ = sys::set_registers(thread.tid, regs);
            }
        }
    }
}

/// What a thread did when it was stopped.
enum Was {
    Waiting { moved: bool },
    Running,
}
