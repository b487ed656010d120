//! Stops in the course of a program: the filter's, those at system calls, and signals.

use super::memory::{split, to_bytes};
use super::{Borrowed, Thread, Tracer, Wait};
use crate::proc;
use crate::stub;
use crate::sys::{self, Registers, SECOND};
use crate::waits::{self, Clock, Kind, Timed};

/// `SYS_restart_syscall`: the kernel goes on with a wait that a stop broke off.
pub(super) const RESTART: i64 = 219;
/// How long, in nanoseconds, a program may be watched because a thread of it neither reads the clock nor waits.
const WATCH_LIMIT: i64 = SECOND / 20;

pub(super) const EINTR: i64 = -4;
const ERESTARTNOHAND: i64 = -514;
const ERESTART_RESTARTBLOCK: i64 = -516;

/// Whether a system call was broken off with this result.
pub(super) fn broken_off(result: i64) -> bool {
    matches!(
        result,
        -512 | -513 | ERESTARTNOHAND | ERESTART_RESTARTBLOCK | EINTR
    )
}

impl Tracer {
    /// What is added to the kernel's clock of this id; CPU-time clocks stay as they are.
    pub(super) fn offset_of(&self, clock: i32) -> i64 {
        match clock {
            0 | 5 | 8 | 11 => self.wall,
            1 | 4 | 6 | 7 | 9 => self.monotonic,
            _ => 0,
        }
    }

    pub(super) fn clock_id(&self, thread: &Thread, clock: Clock) -> i32 {
        match clock {
            Clock::Id(id) => id,
            Clock::TimerFd(fd) => proc::timerfd_info(thread.tid, fd).map_or(-1, |info| info.clock),
            Clock::Timer(id) => proc::posix_timers(thread.process)
                .iter()
                .find(|t| t.0 == id)
                .map_or(-1, |t| t.1),
        }
    }

    /// Now, on the virtual monotonic clock.
    pub(super) fn now(&self) -> i64 {
        sys::kernel_clock(libc::CLOCK_MONOTONIC) + self.monotonic
    }

    /// The filter stopped a call that holds a point in time, reads a clock, or makes a timer.
    pub(super) fn at_seccomp(&mut self, thread: &mut Thread) {
        let Ok(mut regs) = sys::registers(thread.tid) else {
            return;
        };
        let nr = regs.orig_rax as i64;
        let Some(process) = self.processes.get_mut(&thread.process) else {
            return;
        };
        match nr {
            libc::SYS_clock_gettime | libc::SYS_gettimeofday | libc::SYS_time => {
                return self.at_clock_read(thread, &mut regs);
            }
            libc::SYS_timerfd_create => self.timerfds = true,
            libc::SYS_timer_create => process.timers = true,
            libc::SYS_alarm | libc::SYS_setitimer => process.itimer = true,
            libc::SYS_timer_settime if regs.rsi & 1 != 0 => {
                process.absolute_timers.insert(regs.rdi as i32);
            }
            libc::SYS_timer_settime => {
                process.absolute_timers.remove(&(regs.rdi as i32));
            }
            _ => {}
        }
        let Some(timed) = waits::classify(nr, &sys::arguments(&regs)) else {
            return;
        };
        if matches!(timed.kind, Kind::Absolute | Kind::AbsoluteTimer) {
            self.fresh_again(thread);
            self.translate(thread, &mut regs, timed);
        }
    }

    /// Replaces a point in virtual time by the kernel's.
    fn translate(&mut self, thread: &mut Thread, regs: &mut Registers, timed: Timed) {
        let offset = self.offset_of(self.clock_id(thread, timed.clock));
        if offset == 0 {
            return;
        }
        let timer = timed.kind == Kind::AbsoluteTimer;
        let at = if timer { 2 } else { 0 };
        let mut words = [0i64; 4];
        let mut bytes = [0u8; 32];
        let len = if timer { 32 } else { 16 };
        if sys::peek(
            thread.tid,
            sys::arguments(regs)[timed.arg],
            &mut bytes[..len],
        )
        .is_err()
        {
            return; // the kernel will say EFAULT
        }
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = chunk.try_into().map(i64::from_ne_bytes).unwrap_or_default();
        }
        let disarms = timer && words[2] == 0 && words[3] == 0;
        let invalid = words[at] < 0 || !(0..SECOND).contains(&words[at + 1]);
        if disarms || invalid {
            return;
        }
        let deadline = words[at]
            .saturating_mul(SECOND)
            .saturating_add(words[at + 1]);
        let kernels = split(deadline.saturating_sub(offset).max(1));
        words[at..at + 2].copy_from_slice(&kernels);
        self.lend(thread, regs, timed, &to_bytes(words)[..len]);
    }

    /// Points the argument to bytes of ours until the call ends.
    fn lend(
        &mut self,
        thread: &mut Thread,
        regs: &mut Registers,
        timed: Timed,
        bytes: &[u8],
    ) -> Option<Borrowed> {
        let (ours, slot) = self.place(thread, regs.rsp, bytes)?;
        let borrowed = self.substitute(thread, regs, timed, ours, slot)?;
        thread.wait = Wait::Translated(borrowed);
        Some(borrowed)
    }

    pub(super) fn substitute(
        &mut self,
        thread: &Thread,
        regs: &mut Registers,
        timed: Timed,
        ours: u64,
        slot: Option<usize>,
    ) -> Option<Borrowed> {
        let original = sys::arguments(regs)[timed.arg];
        let borrowed = Borrowed {
            arg: timed.arg,
            original,
            ours,
            ip: regs.rip,
            slot,
            writes_back: timed.writes_back,
        };
        sys::set_argument(regs, timed.arg, ours);
        if sys::set_registers(thread.tid, regs).is_err() {
            self.free_slot(thread.process, slot);
            return None;
        }
        Some(borrowed)
    }

    /// A clock read by system call: the stub telling of one, the vDSO's own fallback, or the program's.
    fn at_clock_read(&mut self, thread: &mut Thread, regs: &mut Registers) {
        let Some(stub) = self
            .processes
            .get(&thread.process)
            .and_then(|p| p.stub.as_ref())
        else {
            return;
        };
        let told = regs.rip == stub.address + stub::marks().told;
        let fallback = stub.vdso.contains(&regs.rip);
        self.fresh_again(thread);
        if told {
            regs.rax = 0;
            regs.orig_rax = u64::MAX;
            let _ = sys::set_registers(thread.tid, regs);
            return;
        }
        if fallback {
            return; // the stub adds the offset
        }
        let nr = regs.orig_rax as i64;
        let clock = if nr == libc::SYS_clock_gettime {
            regs.rdi as i32
        } else {
            libc::CLOCK_REALTIME
        };
        let mut words = split(sys::kernel_clock(clock) + self.offset_of(clock));
        let (into, len) = match nr {
            libc::SYS_clock_gettime => (regs.rsi, 16),
            libc::SYS_gettimeofday => {
                words[1] /= 1000;
                (regs.rdi, 16)
            }
            _ => (regs.rdi, 8),
        };
        let written = into == 0 && nr != libc::SYS_clock_gettime
            || sys::write_as_program(thread.tid, into, &to_bytes(words)[..len]).is_ok();
        if nr == libc::SYS_gettimeofday && regs.rsi != 0 {
            let _ = sys::write_as_program(thread.tid, regs.rsi, &[0; 8]);
        }
        regs.rax = match (written, nr) {
            (false, _) => -i64::from(libc::EFAULT) as u64,
            (true, libc::SYS_time) => words[0] as u64,
            (true, _) => 0,
        };
        regs.orig_rax = u64::MAX; // the call itself is skipped
        let _ = sys::set_registers(thread.tid, regs);
    }

    /// A call begins or ends in a thread that is followed call by call.
    pub(super) fn at_syscall(&mut self, thread: &mut Thread) {
        let (Ok(entry), Ok(mut regs)) = (
            sys::at_syscall_entry(thread.tid),
            sys::registers(thread.tid),
        ) else {
            return;
        };
        match (entry, thread.wait) {
            (true, Wait::Again(again)) if again.is(&regs) => {
                self.issue_again(thread, &mut regs, again);
            }
            (true, Wait::Again(_)) => {
                // A signal handler came in between; the program was told of the interruption and goes its own way.
                thread.wait = Wait::Untouched;
                self.at_stale_call(thread, &mut regs);
            }
            (true, Wait::Untouched) => self.at_stale_call(thread, &mut regs),
            // Broken off by an interruption of ours that came late, or by a signal: then `at_signal` comes next.
            (false, _) if regs.rax as i64 == EINTR && regs.orig_rax as i64 >= 0 => {
                self.take_out_of_wait(thread, regs, 0);
            }
            (false, Wait::Translated(borrowed)) if borrowed.ip == regs.rip => {
                self.give_back(thread, &mut regs, borrowed);
                thread.wait = Wait::Untouched;
                restart_from_arguments(&mut regs);
                let _ = sys::set_registers(thread.tid, &regs);
            }
            (false, Wait::Resumed(again, borrowed)) if borrowed.ip == regs.rip => {
                self.give_back(thread, &mut regs, borrowed);
                thread.wait = if broken_off(regs.rax as i64) {
                    Wait::Again(again)
                } else {
                    Wait::Untouched
                };
                restart_from_arguments(&mut regs);
                let _ = sys::set_registers(thread.tid, &regs);
            }
            _ => {}
        }
    }

    /// Puts the program's own argument back, and what the kernel wrote into ours to where it belongs.
    pub(super) fn give_back(&mut self, thread: &Thread, regs: &mut Registers, borrowed: Borrowed) {
        let mut rest = [0; 16];
        if borrowed.writes_back && sys::peek(thread.tid, borrowed.ours, &mut rest).is_ok() {
            let _ = sys::write_as_program(thread.tid, borrowed.original, &rest);
        }
        sys::set_argument(regs, borrowed.arg, borrowed.original);
        self.free_slot(thread.process, borrowed.slot);
    }

    /// A thread knows of the last jump; when all of its process do, their clock reads are no longer reported.
    pub(super) fn fresh_again(&mut self, thread: &mut Thread) {
        thread.stale = 0;
        thread.stale_by = 0;
        let Some(since) = self.processes.get(&thread.process).and_then(|p| p.watched) else {
            return;
        };
        let expired = since_then(since) > WATCH_LIMIT;
        let mut others = self
            .threads
            .values_mut()
            .filter(|t| t.process == thread.process && t.stale > 0);
        if expired {
            others.for_each(|t| (t.stale, t.stale_by) = (0, 0));
        } else if others.next().is_some() {
            return;
        }
        self.write_watch(thread, false);
    }

    /// A signal is about to be delivered. If the program has a handler for it, a call that was to be issued again is
    /// put back as it was broken off, so that the program learns of the interruption as it always would.
    pub(super) fn at_signal(&mut self, thread: &mut Thread, signal: i32) {
        let Ok(mut regs) = sys::registers(thread.tid) else {
            return;
        };
        let broken = thread
            .broken
            .take()
            .filter(|b| regs.orig_rax == u64::MAX && regs.rip == b.ip - 2);
        let Some(broken) = broken else {
            return self.remember_wait(thread);
        };
        let bit = 1u64 << (signal - 1).clamp(0, 63);
        if proc::caught_signals(thread.tid) & bit == 0 {
            thread.broken = Some(broken);
            return;
        }
        if let Wait::Again(again) = thread.wait {
            self.leave_rest(thread, again);
        }
        thread.wait = Wait::Untouched;
        (regs.rip, regs.rax, regs.orig_rax) = (broken.ip, broken.result, broken.nr);
        let _ = sys::set_registers(thread.tid, &regs);
    }

    /// A stop that lets the kernel go on with a broken-off wait under another number: remembers which it was.
    pub(super) fn remember_wait(&mut self, thread: &mut Thread) {
        if let Ok(regs) = sys::registers(thread.tid)
            && regs.rax as i64 == ERESTART_RESTARTBLOCK
            && regs.orig_rax as i64 != RESTART
        {
            thread.restarted = Some(regs.orig_rax as i64);
        }
    }

    /// An interruption that was asked for while the thread was stopped already. Most calls the kernel begins again by
    /// itself; those that would tell the program are begun again here.
    pub(super) fn at_late_interrupt(&mut self, thread: &mut Thread) {
        self.pay(thread);
        self.remember_wait(thread);
        if let Ok(regs) = sys::registers(thread.tid)
            && regs.orig_rax as i64 >= 0
            && regs.rax as i64 == EINTR
        {
            self.take_out_of_wait(thread, regs, 0);
        }
    }
}

/// Nanoseconds of real time since a reading of the kernel's monotonic clock.
pub(super) fn since_then(reading: i64) -> i64 {
    sys::kernel_clock(libc::CLOCK_MONOTONIC) - reading
}

/// The kernel would go on with the point in time it was given first: have it begin from the arguments instead.
fn restart_from_arguments(regs: &mut Registers) {
    if regs.rax as i64 == ERESTART_RESTARTBLOCK {
        regs.rax = ERESTARTNOHAND as u64;
    }
}
