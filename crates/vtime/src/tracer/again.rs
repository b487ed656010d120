//! Waits that are issued again: broken off by a stop, they begin anew with what is left, by the same instruction.

use super::memory::{split, to_bytes};
use super::stops::{EINTR, RESTART, since_then};
use super::{Again, Borrowed, Broken, Thread, Tracer, Wait};
use crate::sys::{self, Registers, SECOND};
use crate::waits::{self, Kind, Timed};

/// How long after a jump, in nanoseconds of real time, the length of a wait may have been reckoned before it.
const STALE_LIMIT: i64 = SECOND;

impl Tracer {
    /// A stop broke off a wait: has the same instruction issue it again, so that the program sees no interruption.
    /// Gives whether it was a timed wait.
    pub(super) fn take_out_of_wait(
        &mut self,
        thread: &mut Thread,
        mut regs: Registers,
        monotonic: i64,
    ) -> bool {
        let broken = Broken {
            nr: regs.orig_rax,
            result: regs.rax,
            ip: regs.rip,
        };
        let (result, mut nr) = (regs.rax as i64, regs.orig_rax as i64);
        let known = match thread.wait {
            Wait::Translated(borrowed) => {
                self.give_back(thread, &mut regs, borrowed);
                None
            }
            Wait::Resumed(again, borrowed) => {
                self.give_back(thread, &mut regs, borrowed);
                Some(again.deadline)
            }
            Wait::Again(again) if again.nr == nr => Some(again.deadline),
            Wait::Untouched | Wait::Again(_) => None,
        };
        thread.wait = Wait::Untouched;
        if nr == RESTART {
            match thread.restarted {
                Some(original) => nr = original,
                None => {
                    regs.rax = EINTR as u64;
                    regs.orig_rax = u64::MAX;
                    let _ = sys::set_registers(thread.tid, &regs);
                    return true;
                }
            }
        }
        let args = sys::arguments(&regs);
        let timed = waits::classify(nr, &args);
        // A close that was interrupted has closed.
        if timed.is_none() && (result != EINTR || nr == libc::SYS_close) {
            // The kernel begins it again by itself.
            let _ = sys::set_registers(thread.tid, &regs);
            return false;
        }
        if let Some(timed) = timed
            && !matches!(timed.kind, Kind::Absolute | Kind::AbsoluteTimer)
        {
            let rest = timed
                .rest
                .filter(|&n| args[n] != 0)
                .map(|n| Timed { arg: n, ..timed });
            let left = length_of(thread.tid, rest.unwrap_or(timed), &args);
            let deadline = known.or_else(|| Some(self.now() - monotonic + left?));
            if let Some(deadline) = deadline {
                thread.wait = Wait::Again(Again {
                    nr,
                    ip: regs.rip,
                    sp: regs.rsp,
                    args,
                    deadline,
                });
            }
        }
        thread.broken = Some(broken);
        regs.rip -= 2;
        regs.rax = nr as u64;
        regs.orig_rax = u64::MAX;
        let _ = sys::set_registers(thread.tid, &regs);
        self.log(|| {
            format!(
                "thread {} waits again in call {nr}, virtual now {:?}",
                thread.tid,
                split(self.now())
            )
        });
        timed.is_some()
    }

    /// A relative wait that a jump broke off begins again, with what is left.
    pub(super) fn issue_again(&mut self, thread: &mut Thread, regs: &mut Registers, again: Again) {
        thread.wait = Wait::Untouched;
        let Some(timed) = waits::classify(again.nr, &again.args) else {
            return;
        };
        let left = (again.deadline - self.now()).max(0);
        if let Some(borrowed) = self.shorten(thread, regs, timed, left) {
            thread.wait = Wait::Resumed(again, borrowed);
        }
    }

    fn shorten(
        &mut self,
        thread: &Thread,
        regs: &mut Registers,
        timed: Timed,
        left: i64,
    ) -> Option<Borrowed> {
        let [seconds, nanos] = split(left);
        let words = match timed.kind {
            Kind::Millis => {
                let millis = left.saturating_add(999_999) / 1_000_000;
                return self.substitute(
                    thread,
                    regs,
                    timed,
                    millis.min(i64::from(i32::MAX)) as u64,
                    None,
                );
            }
            Kind::RelativeMicros => {
                let [seconds, nanos] = split(left.saturating_add(999));
                [seconds, nanos / 1000]
            }
            _ => [seconds, nanos],
        };
        let (ours, slot) = self.place(thread, regs.rsp, &to_bytes(words))?;
        self.substitute(thread, regs, timed, ours, slot)
    }

    /// A thread that ran during a jump, and has not read the clock since, begins a call. If it is a relative wait, its
    /// length was reckoned before the jump, so it counts as begun before it.
    pub(super) fn at_stale_call(&mut self, thread: &mut Thread, regs: &mut Registers) {
        if thread.stale == 0 {
            return;
        }
        let (nr, args) = (regs.orig_rax as i64, sys::arguments(regs));
        let watched = self.processes.get(&thread.process).and_then(|p| p.watched);
        let long_ago = watched.is_none_or(|since| since_then(since) > STALE_LIMIT);
        if long_ago || waits::may_inform(nr, &args) {
            return self.fresh_again(thread);
        }
        let timed = waits::classify(nr, &args)
            .filter(|timed| !matches!(timed.kind, Kind::Absolute | Kind::AbsoluteTimer));
        let length = timed
            .and_then(|timed| length_of(thread.tid, timed, &args))
            .unwrap_or(0);
        let (Some(timed), true) = (timed, length > 0) else {
            thread.stale -= 1;
            if thread.stale == 0 {
                self.fresh_again(thread);
            }
            return;
        };
        let left = (length - thread.stale_by).max(0);
        self.log(|| {
            format!(
                "thread {} goes into wait {nr} of {length} ns, reckoned before the jump",
                thread.tid
            )
        });
        self.fresh_again(thread);
        let again = Again {
            nr,
            ip: regs.rip,
            sp: regs.rsp,
            args,
            deadline: self.now() + left,
        };
        if let Some(borrowed) = self.shorten(thread, regs, timed, left) {
            thread.wait = Wait::Resumed(again, borrowed);
        }
    }

    /// Writes what is left of a wait to where the kernel wrote what was left before the jump.
    pub(super) fn leave_rest(&self, thread: &Thread, again: Again) {
        let Some(timed) = waits::classify(again.nr, &again.args) else {
            return;
        };
        let Some(at) = timed.rest.or(timed.writes_back.then_some(timed.arg)) else {
            return;
        };
        let mut words = split((again.deadline - self.now()).max(0));
        if timed.kind == Kind::RelativeMicros {
            words[1] /= 1000;
        }
        if again.args[at] != 0 {
            let _ = sys::write_as_program(thread.tid, again.args[at], &to_bytes(words));
        }
    }
}

impl Again {
    pub(super) fn is(&self, regs: &Registers) -> bool {
        regs.orig_rax as i64 == self.nr
            && regs.rip == self.ip
            && regs.rsp == self.sp
            && sys::arguments(regs) == self.args
    }
}

/// How long a relative wait is to last, in nanoseconds.
pub(super) fn length_of(tid: i32, timed: Timed, args: &[u64; 6]) -> Option<i64> {
    let time = |at: u64, unit: i64| {
        let mut bytes = [0; 16];
        sys::peek(tid, at, &mut bytes).ok()?;
        let word = |n: usize| {
            bytes[n..n + 8]
                .try_into()
                .map(i64::from_ne_bytes)
                .unwrap_or_default()
        };
        Some(
            word(0)
                .saturating_mul(SECOND)
                .saturating_add(word(8).saturating_mul(unit)),
        )
    };
    let at = args[timed.arg];
    match timed.kind {
        Kind::Millis => Some(i64::from(at as i32) * 1_000_000),
        Kind::Relative => time(at, 1),
        Kind::RelativeMicros => time(at, 1000),
        Kind::Absolute | Kind::AbsoluteTimer => None,
    }
}
