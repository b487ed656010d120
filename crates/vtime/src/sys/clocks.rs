//! The kernel's clocks and timer descriptors.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// A second in nanoseconds.
pub(crate) const SECOND: i64 = 1_000_000_000;

/// Reads one of the kernel's clocks, in nanoseconds; 0 for a clock that does not exist.
pub(crate) fn kernel_clock(id: i32) -> i64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: clock_gettime writes one timespec.
    unsafe { libc::clock_gettime(id, &raw mut time) };
    time.tv_sec * SECOND + time.tv_nsec
}

/// A timer's state or setting, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TimerValue {
    /// Until (or, absolute, at) which it next fires; 0: not armed.
    pub(crate) value: i64,
    /// Between later ones; 0: fires once.
    pub(crate) interval: i64,
}

/// A descriptor that stands for a process.
pub(crate) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_open takes numbers only and gives a new descriptor, which nobody else owns.
    unsafe {
        let fd = check(libc::syscall(libc::SYS_pidfd_open, pid, 0))?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

/// A copy of another process's descriptor.
pub(crate) fn borrow_descriptor(pidfd: &OwnedFd, number: i32) -> io::Result<OwnedFd> {
    // SAFETY: pidfd_getfd takes numbers only and gives a new descriptor, which nobody else owns.
    unsafe {
        let fd = check(libc::syscall(
            libc::SYS_pidfd_getfd,
            pidfd.as_raw_fd(),
            number,
            0,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd as i32))
    }
}

/// What is left on a timer descriptor.
pub(crate) fn timerfd_left(fd: &OwnedFd) -> io::Result<TimerValue> {
    let mut spec = to_spec(TimerValue {
        value: 0,
        interval: 0,
    });
    // SAFETY: timerfd_gettime writes one itimerspec.
    check(unsafe { libc::timerfd_gettime(fd.as_raw_fd(), &raw mut spec) })?;
    Ok(TimerValue {
        value: spec.it_value.tv_sec * SECOND + spec.it_value.tv_nsec,
        interval: spec.it_interval.tv_sec * SECOND + spec.it_interval.tv_nsec,
    })
}

/// Arms a timer descriptor.
pub(crate) fn timerfd_arm(fd: &OwnedFd, flags: i32, timer: TimerValue) -> io::Result<()> {
    let spec = to_spec(timer);
    // SAFETY: timerfd_settime reads one itimerspec and, with a null pointer, writes nothing.
    check(unsafe {
        libc::timerfd_settime(fd.as_raw_fd(), flags, &raw const spec, std::ptr::null_mut())
    })
    .map(drop)
}

fn to_spec(timer: TimerValue) -> libc::itimerspec {
    let timespec = |ns: i64| libc::timespec {
        tv_sec: ns.div_euclid(SECOND),
        tv_nsec: ns.rem_euclid(SECOND),
    };
    libc::itimerspec {
        it_interval: timespec(timer.interval),
        it_value: timespec(timer.value),
    }
}
