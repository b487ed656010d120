//! Timers: those behind descriptors are borrowed and set from here, those of a process by calls made in its name.

use super::memory::{split, to_bytes};
use super::{Thread, Tracer};
use crate::proc;
use crate::sys::{self, SECOND, TimerValue};
use std::cell::Cell;
use std::os::fd::{AsRawFd, OwnedFd};

const TFD_TIMER_ABSTIME: i32 = 1;

/// The point on the kernel's clock at which a timer fires that has `left` to go and has fired `missed` times unheard;
/// in the past when it is due, by whole intervals where there are any, so that the kernel counts what was missed.
fn fires_at(now: i64, left: i64, interval: i64, missed: i64) -> i64 {
    let at = now + left - missed.saturating_mul(interval);
    if at >= 1 || interval == 0 {
        at.max(1)
    } else {
        at + (1 - at + interval - 1) / interval * interval
    }
}

impl Tracer {
    /// Moves what is left on every timer descriptor, each open file once. Gives how many were moved.
    pub(super) fn move_timerfds(&mut self, wall: i64, monotonic: i64) -> usize {
        let mut borrowed: Vec<OwnedFd> = Vec::new();
        for (pid, _) in self.processes() {
            let numbers = proc::timerfds(pid);
            if numbers.is_empty() {
                continue;
            }
            let Ok(pidfd) = sys::pidfd(pid) else {
                continue; // it has ended
            };
            for number in numbers {
                let fd = match sys::borrow_descriptor(&pidfd, number) {
                    Ok(fd) => fd,
                    Err(error) if error.raw_os_error() == Some(libc::EPERM) => {
                        eprintln!(
                            "vtime: a timer of process {pid} keeps real time: pidfd_getfd is not permitted here"
                        );
                        continue;
                    }
                    Err(_) => continue, // closed, or ended
                };
                let same = |other: &OwnedFd| {
                    sys::same_file(other.as_raw_fd(), fd.as_raw_fd()) == Some(true)
                };
                if !borrowed.iter().any(same) {
                    borrowed.push(fd);
                }
            }
        }
        borrowed
            .iter()
            .filter(|fd| move_timerfd(fd, wall, monotonic))
            .count()
    }

    /// Whether a process's own timers have not followed the clocks yet.
    pub(super) fn owes(&self, process: i32) -> bool {
        self.processes
            .get(&process)
            .is_some_and(|p| p.owed != (0, 0))
    }

    /// Has a process's own timers follow the clocks, through a thread of it that is stopped outside of any call.
    /// Gives how many moved.
    pub(super) fn pay(&mut self, thread: &Thread) -> usize {
        let Some(process) = self
            .processes
            .get_mut(&thread.process)
            .filter(|p| p.owed != (0, 0))
        else {
            return 0;
        };
        let (wall, monotonic) = std::mem::take(&mut process.owed);
        let Some(syscall) = process.stub.as_ref().and_then(|s| s.syscall) else {
            return 0;
        };
        let Some(lent) = Lent::of(thread.tid, syscall) else {
            return 0;
        };
        let mut moved = 0;
        if process.itimer {
            moved += usize::from(lent.move_itimer(monotonic));
        }
        if process.timers {
            for (id, clock) in proc::posix_timers(thread.process) {
                // A relative timer is not moved by setting the wall clock.
                let by = match clock {
                    0 | 8 | 11 if process.absolute_timers.contains(&id) => wall,
                    0 | 1 | 7 | 8 | 9 | 11 => monotonic,
                    _ => continue,
                };
                moved += usize::from(lent.move_timer(id, clock, by));
            }
        }
        if lent.ended.get() {
            self.ended.push(thread.tid);
        }
        moved
    }
}

fn move_timerfd(fd: &OwnedFd, wall: i64, monotonic: i64) -> bool {
    let own = std::process::id() as i32;
    let (Ok(timer), Some(info)) = (
        sys::timerfd_left(fd),
        proc::timerfd_info(own, fd.as_raw_fd()),
    ) else {
        return false;
    };
    let on_wall = matches!(info.clock, 0 | 8);
    let absolute = info.flags & TFD_TIMER_ABSTIME != 0;
    let by = if on_wall && absolute { wall } else { monotonic };
    if timer.value == 0 || by == 0 {
        return false;
    }
    // A relative timer on the wall clock stays relative: the flag tells the two apart at the next move.
    let (flags, value) = if on_wall && !absolute {
        (0, (timer.value - by).max(1))
    } else {
        let now = sys::kernel_clock(info.clock);
        let flags = if on_wall {
            info.flags
        } else {
            TFD_TIMER_ABSTIME
        };
        (
            flags,
            fires_at(now, timer.value - by, timer.interval, info.ticks),
        )
    };
    sys::timerfd_arm(
        fd,
        flags,
        TimerValue {
            value,
            interval: timer.interval,
        },
    )
    .is_ok()
}

/// A thread that lends itself: memory below its stack, and calls in its name.
struct Lent {
    tid: i32,
    syscall: u64,
    memory: u64,
    saved: [u8; 32],
    /// It was killed meanwhile.
    ended: Cell<bool>,
}

impl Lent {
    fn of(tid: i32, syscall: u64) -> Option<Self> {
        let memory = (sys::registers(tid).ok()?.rsp - 256) & !15;
        let mut saved = [0; 32];
        sys::peek(tid, memory, &mut saved).ok()?;
        Some(Self {
            tid,
            syscall,
            memory,
            saved,
            ended: Cell::new(false),
        })
    }

    /// Runs one system call; gives its result.
    fn call(&self, nr: i64, args: [u64; 4]) -> Option<i64> {
        let tid = self.tid;
        let before = sys::registers(tid).ok()?;
        let mask = sys::signal_mask(tid).ok()?;
        sys::set_signal_mask(tid, u64::MAX).ok()?; // no signal may come in between
        let mut regs = before;
        (regs.rip, regs.rax, regs.orig_rax) = (self.syscall, nr as u64, u64::MAX);
        (regs.rdi, regs.rsi, regs.rdx, regs.r10) = (args[0], args[1], args[2], args[3]);
        sys::set_registers(tid, &regs).ok()?;
        let mut stopped = false;
        let result = loop {
            sys::step(tid).ok()?;
            let status = sys::wait_for(tid)?;
            if status.ended() {
                self.ended.set(true);
                return None;
            }
            // The one signal that nobody can block: kept for later.
            stopped |= status.event() == 0 && status.signal() == libc::SIGSTOP;
            // The filter stops at some of these calls, and an interruption may come late: step on.
            if status.event() == 0 && status.signal() == libc::SIGTRAP {
                break sys::registers(tid).ok()?.rax as i64;
            }
        };
        sys::set_registers(tid, &before).ok()?;
        sys::set_signal_mask(tid, mask).ok()?;
        if stopped {
            let _ = sys::kill(tid, libc::SIGSTOP);
        }
        Some(result)
    }

    fn read(&self) -> Option<[i64; 4]> {
        let mut bytes = [0; 32];
        sys::peek(self.tid, self.memory, &mut bytes).ok()?;
        let mut words = [0; 4];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = i64::from_ne_bytes(chunk.try_into().ok()?);
        }
        Some(words)
    }

    fn write(&self, words: [i64; 4]) -> Option<()> {
        sys::poke(self.tid, self.memory, &to_bytes(words)).ok()
    }

    /// `alarm` and `setitimer`: interval and value, as `timeval`s.
    fn move_itimer(&self, by: i64) -> bool {
        let moved = || {
            (self.call(libc::SYS_getitimer, [0, self.memory, 0, 0])? == 0).then_some(())?;
            let [interval_s, interval_us, s, us] = self.read()?;
            let left = s * SECOND + us * 1000;
            (left != 0).then_some(())?;
            let [s, ns] = split((left - by).max(1000));
            self.write([interval_s, interval_us, s, ns / 1000])?;
            (self.call(libc::SYS_setitimer, [0, self.memory, 0, 0])? == 0).then_some(())
        };
        moved().is_some()
    }

    /// A POSIX timer: interval and value, as `timespec`s.
    fn move_timer(&self, id: i32, clock: i32, by: i64) -> bool {
        let moved = || {
            (self.call(libc::SYS_timer_gettime, [id as u64, self.memory, 0, 0])? == 0)
                .then_some(())?;
            let [interval_s, interval_ns, s, ns] = self.read()?;
            let left = s * SECOND + ns;
            (left != 0 && by != 0).then_some(())?;
            let now = sys::kernel_clock(clock);
            let [s, ns] = split(fires_at(
                now,
                left - by,
                interval_s * SECOND + interval_ns,
                0,
            ));
            self.write([interval_s, interval_ns, s, ns])?;
            (self.call(libc::SYS_timer_settime, [id as u64, 1, self.memory, 0])? == 0).then_some(())
        };
        moved().is_some()
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        let _ = sys::poke(self.tid, self.memory, &self.saved);
    }
}

#[cfg(test)]
mod tests {
    use super::fires_at;

    #[test]
    fn a_due_timer_fires_at_once_and_keeps_its_phase() {
        assert_eq!(fires_at(100, 50, 0, 0), 150);
        assert_eq!(fires_at(100, -500, 0, 0), 1);
        assert_eq!(fires_at(1000, -250, 100, 0), 750);
        assert_eq!(
            fires_at(1000, 40, 100, 2),
            840,
            "two expirations not read yet"
        );
        assert_eq!(
            fires_at(1000, -5040, 100, 0),
            60,
            "as far back as the clock reaches"
        );
        assert_eq!(fires_at(1000, -1000, 100, 0), 100);
    }
}
