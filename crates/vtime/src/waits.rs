//! The table of timed waits: which system call waits, where its time is, and on which clock. Pure.

use crate::filter::SYS_FUTEX_WAIT;

/// How a system call expresses its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Milliseconds in the register itself, from now.
    Millis,
    /// A `timespec`, from now.
    Relative,
    /// A `timeval`, from now.
    RelativeMicros,
    /// A `timespec`, a point in time.
    Absolute,
    /// An `itimerspec`, a point in time; the call itself does not wait.
    AbsoluteTimer,
}

/// On which clock a point in time lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Clock {
    /// A clock id.
    Id(i32),
    /// That of a timer descriptor.
    TimerFd(i32),
    /// That of a POSIX timer.
    Timer(i32),
}

/// One timed system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Timed {
    pub(crate) kind: Kind,
    /// Which argument holds the time.
    pub(crate) arg: usize,
    pub(crate) clock: Clock,
    /// Which argument points to where the kernel leaves the rest of an interrupted sleep (0 when the program gave none).
    pub(crate) rest: Option<usize>,
    /// The kernel writes the rest back into the argument itself.
    pub(crate) writes_back: bool,
}

/// `io_pgetevents(2)`, which `libc` does not name for this target.
const SYS_IO_PGETEVENTS: i64 = 333;

const WALL: Clock = Clock::Id(libc::CLOCK_REALTIME);
const MONOTONIC: Clock = Clock::Id(libc::CLOCK_MONOTONIC);

fn relative(arg: usize) -> Timed {
    Timed {
        kind: Kind::Relative,
        arg,
        clock: MONOTONIC,
        rest: None,
        writes_back: false,
    }
}
fn absolute(arg: usize, clock: Clock) -> Timed {
    Timed {
        kind: Kind::Absolute,
        arg,
        clock,
        rest: None,
        writes_back: false,
    }
}

/// What system call `nr` with these arguments waits for, if it has a time limit.
pub(crate) fn classify(nr: i64, args: &[u64; 6]) -> Option<Timed> {
    let int = |n: usize| args[n] as i32;
    let given = |timed: Timed| (args[timed.arg] != 0).then_some(timed);
    let millis = |arg: usize| {
        let timed = Timed {
            kind: Kind::Millis,
            ..relative(arg)
        };
        (int(arg) >= 0).then_some(timed)
    };
    match nr {
        libc::SYS_nanosleep => Some(Timed {
            rest: Some(1),
            ..relative(0)
        }),
        libc::SYS_clock_nanosleep if args[1] & 1 != 0 => Some(absolute(2, Clock::Id(int(0)))),
        // A relative sleep on the wall clock is not moved by setting it.
        libc::SYS_clock_nanosleep => Some(Timed {
            rest: Some(3),
            ..relative(2)
        }),
        libc::SYS_poll => millis(2),
        libc::SYS_epoll_wait | libc::SYS_epoll_pwait => millis(3),
        libc::SYS_epoll_pwait2 => given(relative(3)),
        libc::SYS_ppoll => given(Timed {
            writes_back: true,
            ..relative(2)
        }),
        libc::SYS_pselect6 => given(Timed {
            writes_back: true,
            ..relative(4)
        }),
        libc::SYS_select => given(Timed {
            kind: Kind::RelativeMicros,
            writes_back: true,
            ..relative(4)
        }),
        libc::SYS_rt_sigtimedwait => given(relative(2)),
        libc::SYS_semtimedop => given(relative(3)),
        libc::SYS_io_getevents | SYS_IO_PGETEVENTS => given(relative(4)),
        libc::SYS_mq_timedsend | libc::SYS_mq_timedreceive => given(absolute(4, WALL)),
        libc::SYS_futex => {
            let clock = if args[1] & 256 != 0 { WALL } else { MONOTONIC };
            match args[1] & 0x7f {
                0 => given(relative(3)),
                9 | 11 | 13 => given(absolute(3, clock)),
                6 => given(absolute(3, WALL)),
                _ => None,
            }
        }
        libc::SYS_futex_waitv => given(absolute(3, Clock::Id(int(4)))),
        SYS_FUTEX_WAIT => given(absolute(4, Clock::Id(int(5)))),
        libc::SYS_timerfd_settime | libc::SYS_timer_settime if args[1] & 1 != 0 => {
            let clock = if nr == libc::SYS_timer_settime {
                Clock::Timer(int(0))
            } else {
                Clock::TimerFd(int(0))
            };
            given(Timed {
                kind: Kind::AbsoluteTimer,
                ..absolute(2, clock)
            })
        }
        _ => None,
    }
}

/// Whether a call without a time limit may bring news from another program, so that whatever its caller does next may
/// be meant for the time after a jump.
pub(crate) fn may_inform(nr: i64, args: &[u64; 6]) -> bool {
    match nr {
        libc::SYS_read
        | libc::SYS_readv
        | libc::SYS_recvfrom
        | libc::SYS_recvmsg
        | libc::SYS_recvmmsg => true,
        libc::SYS_accept | libc::SYS_accept4 | libc::SYS_wait4 | libc::SYS_waitid => true,
        libc::SYS_pause | libc::SYS_rt_sigsuspend | libc::SYS_msgrcv => true,
        libc::SYS_poll | libc::SYS_ppoll | libc::SYS_select | libc::SYS_pselect6 => {
            classify(nr, args).is_none()
        }
        libc::SYS_epoll_wait | libc::SYS_epoll_pwait | libc::SYS_epoll_pwait2 => {
            classify(nr, args).is_none()
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_without_a_limit_are_not_timed() {
        let forever = -1i32 as u32 as u64;
        assert_eq!(classify(libc::SYS_poll, &[0, 0, forever, 0, 0, 0]), None);
        assert_eq!(
            classify(libc::SYS_epoll_wait, &[0, 0, 0, forever, 0, 0]),
            None
        );
        assert_eq!(classify(libc::SYS_futex, &[0, 0, 0, 0, 0, 0]), None);
        assert_eq!(classify(libc::SYS_select, &[0; 6]), None);
        assert_eq!(classify(libc::SYS_read, &[1; 6]), None);
        assert_eq!(
            classify(libc::SYS_futex, &[1, 1, 1, 1, 1, 1]),
            None,
            "FUTEX_WAKE"
        );
    }

    #[test]
    fn news_comes_by_calls_without_a_limit() {
        let forever = -1i32 as u32 as u64;
        assert!(may_inform(libc::SYS_read, &[0; 6]));
        assert!(may_inform(libc::SYS_epoll_wait, &[0, 0, 0, forever, 0, 0]));
        assert!(!may_inform(libc::SYS_epoll_wait, &[0, 0, 0, 1000, 0, 0]));
        assert!(
            !may_inform(libc::SYS_futex, &[0; 6]),
            "locks are taken on the way to a wait"
        );
    }

    #[test]
    fn clocks_of_absolute_waits() {
        let futex = |op| classify(libc::SYS_futex, &[0, op, 0, 8, 0, 0]).unwrap();
        assert_eq!((futex(9).kind, futex(9).clock), (Kind::Absolute, MONOTONIC));
        assert_eq!(
            (futex(9 | 256).kind, futex(9 | 256).clock),
            (Kind::Absolute, WALL)
        );
        assert_eq!(futex(6).clock, WALL);
        assert_eq!(futex(128).kind, Kind::Relative);
        let sleep = classify(libc::SYS_clock_nanosleep, &[7, 1, 8, 0, 0, 0]).unwrap();
        assert_eq!((sleep.kind, sleep.clock), (Kind::Absolute, Clock::Id(7)));
        let timer = classify(libc::SYS_timerfd_settime, &[5, 1, 8, 0, 0, 0]).unwrap();
        assert_eq!(
            (timer.kind, timer.clock),
            (Kind::AbsoluteTimer, Clock::TimerFd(5))
        );
        assert_eq!(classify(libc::SYS_timer_settime, &[5, 0, 8, 0, 0, 0]), None);
    }
}
