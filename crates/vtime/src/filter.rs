//! The seccomp filter: which system calls stop for the tracer. Everything else runs at full speed.
//!
//! A stop costs microseconds, so only calls whose arguments hold a point in virtual time are named: absolute waits,
//! absolute timers, clock reads that go past the vDSO, and the calls that create a timer at all (so that a jump need
//! not look for timers in programs that have none).

use libc::sock_filter;

const LD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const AND: u16 = (libc::BPF_ALU | libc::BPF_AND | libc::BPF_K) as u16;
const JEQ: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const JGT: u16 = (libc::BPF_JMP | libc::BPF_JGT | libc::BPF_K) as u16;
const JSET: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RET: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const AUDIT_ARCH_X86_64: u32 = 0xc000_003e;
const ARCH_AT: u32 = 4;
/// `futex_wait(2)`, since Linux 6.7.
pub(crate) const SYS_FUTEX_WAIT: i64 = 455;

const fn op(code: u16, k: u32) -> sock_filter {
    sock_filter {
        code,
        jt: 0,
        jf: 0,
        k,
    }
}
const fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}
const ALLOW: sock_filter = op(RET, libc::SECCOMP_RET_ALLOW);
const TRACE: sock_filter = op(RET, libc::SECCOMP_RET_TRACE);

/// Loads the lower half of an argument.
const fn arg(n: u32) -> sock_filter {
    op(LD, 16 + 8 * n)
}
/// Stops unless the 64-bit argument is 0.
const fn unless_null(n: u32) -> [sock_filter; 6] {
    [
        arg(n),
        jump(JEQ, 0, 0, 3),
        op(LD, 16 + 8 * n + 4),
        jump(JEQ, 0, 0, 1),
        ALLOW,
        TRACE,
    ]
}

/// The program, for `SECCOMP_SET_MODE_FILTER`.
pub(crate) fn program() -> Vec<sock_filter> {
    // 32-bit calls keep the real clock.
    let mut program = vec![
        op(LD, ARCH_AT),
        jump(JEQ, AUDIT_ARCH_X86_64, 1, 0),
        ALLOW,
        op(LD, 0),
    ];
    let mut rule = |nr: i64, body: &[sock_filter]| {
        program.push(jump(JEQ, nr as u32, 0, body.len() as u8));
        program.extend_from_slice(body);
    };
    // futex: LOCK_PI 6, WAIT_BITSET 9, WAIT_REQUEUE_PI 11, LOCK_PI2 13, with a timeout.
    let mut futex = vec![
        arg(1),
        op(AND, 0x7f),
        jump(JEQ, 9, 4, 0),
        jump(JEQ, 6, 3, 0),
        jump(JEQ, 13, 2, 0),
    ];
    futex.extend([jump(JEQ, 11, 1, 0), ALLOW]);
    futex.extend(unless_null(3));
    rule(libc::SYS_futex, &futex);
    // Clocks up to 11, but not the CPU-time clocks 2 and 3 nor the unused 10.
    let clock = [
        arg(0),
        jump(JGT, 11, 4, 0),
        jump(JEQ, 2, 3, 0),
        jump(JEQ, 3, 2, 0),
        jump(JEQ, 10, 1, 0),
        TRACE,
        ALLOW,
    ];
    rule(libc::SYS_clock_gettime, &clock);
    let absolute = [arg(1), jump(JSET, 1, 0, 1), TRACE, ALLOW];
    rule(libc::SYS_clock_nanosleep, &absolute);
    rule(libc::SYS_timerfd_settime, &absolute);
    let real_itimer = [arg(0), jump(JEQ, 0, 0, 1), TRACE, ALLOW];
    rule(libc::SYS_setitimer, &real_itimer);
    for nr in [
        libc::SYS_futex_waitv,
        SYS_FUTEX_WAIT,
        libc::SYS_gettimeofday,
        libc::SYS_time,
    ] {
        rule(nr, &[TRACE]);
    }
    for nr in [
        libc::SYS_timerfd_create,
        libc::SYS_timer_create,
        libc::SYS_timer_settime,
        libc::SYS_alarm,
    ] {
        rule(nr, &[TRACE]);
    }
    for nr in [libc::SYS_mq_timedsend, libc::SYS_mq_timedreceive] {
        rule(nr, &unless_null(4));
    }
    program.push(ALLOW);
    program
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A BPF interpreter for the instructions used above.
    fn run(program: &[sock_filter], nr: i64, args: [u64; 6]) -> u32 {
        let mut data = [0u8; 64];
        data[..4].copy_from_slice(&(nr as u32).to_le_bytes());
        data[4..8].copy_from_slice(&AUDIT_ARCH_X86_64.to_le_bytes());
        for (i, arg) in args.iter().enumerate() {
            data[16 + 8 * i..24 + 8 * i].copy_from_slice(&arg.to_le_bytes());
        }
        let (mut a, mut pc) = (0u32, 0usize);
        loop {
            let i = program[pc];
            pc += 1;
            let taken = match i.code {
                LD => {
                    let at = i.k as usize;
                    a = u32::from_le_bytes(data[at..at + 4].try_into().unwrap());
                    continue;
                }
                AND => {
                    a &= i.k;
                    continue;
                }
                RET => return i.k,
                JEQ => a == i.k,
                JGT => a > i.k,
                JSET => a & i.k != 0,
                other => panic!("instruction {other:#x}"),
            };
            pc += usize::from(if taken { i.jt } else { i.jf });
        }
    }

    #[test]
    fn only_points_in_time_stop() {
        let program = program();
        let traced = |nr, args| run(&program, nr, args) == libc::SECCOMP_RET_TRACE;
        let timeout = 0x7fff_0000_1000;
        for op in [6, 9, 11, 13, 9 | 128, 9 | 128 | 256] {
            assert!(
                traced(libc::SYS_futex, [0, op, 0, timeout, 0, 0]),
                "futex {op}"
            );
            assert!(
                !traced(libc::SYS_futex, [0, op, 0, 0, 0, 0]),
                "futex {op} without a timeout"
            );
        }
        assert!(
            traced(libc::SYS_futex, [0, 9, 0, 1 << 32, 0, 0]),
            "only the upper half is set"
        );
        for op in [0, 1, 128, 129, 10] {
            assert!(
                !traced(libc::SYS_futex, [0, op, 0, timeout, 0, 0]),
                "futex {op}"
            );
        }
        for clock in [0, 1, 4, 5, 6, 7, 8, 9, 11] {
            assert!(traced(libc::SYS_clock_gettime, [clock; 6]), "clock {clock}");
        }
        for clock in [2, 3, 10, 12, -6i64 as u64] {
            assert!(
                !traced(libc::SYS_clock_gettime, [clock; 6]),
                "clock {clock}"
            );
        }
        assert!(traced(libc::SYS_clock_nanosleep, [1, 1, 0, 0, 0, 0]));
        assert!(!traced(libc::SYS_clock_nanosleep, [1, 0, 0, 0, 0, 0]));
        assert!(traced(libc::SYS_timerfd_settime, [3, 3, 0, 0, 0, 0]));
        assert!(!traced(libc::SYS_timerfd_settime, [3, 0, 0, 0, 0, 0]));
        assert!(traced(libc::SYS_setitimer, [0; 6]));
        assert!(!traced(libc::SYS_setitimer, [1; 6]));
        assert!(traced(libc::SYS_mq_timedreceive, [0, 0, 0, 0, timeout, 0]));
        assert!(!traced(libc::SYS_mq_timedreceive, [0; 6]));
        for nr in [
            libc::SYS_read,
            libc::SYS_epoll_wait,
            libc::SYS_nanosleep,
            libc::SYS_poll,
        ] {
            assert!(!traced(nr, [1; 6]), "{nr}");
        }
        assert!(traced(libc::SYS_time, [0; 6]) && traced(SYS_FUTEX_WAIT, [0; 6]));
    }
}
