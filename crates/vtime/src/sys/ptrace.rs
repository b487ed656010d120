//! `ptrace`, `waitpid` and the memory of traced programs.

use super::check;
use std::io;
use std::mem::size_of;

/// The registers of a stopped thread.
pub(crate) type Registers = libc::user_regs_struct;

fn request(what: libc::c_uint, tid: i32, addr: u64, data: u64) -> io::Result<i64> {
    // SAFETY: the requests made through here take numbers only, or addresses in the traced program.
    check(unsafe { libc::ptrace(what, tid, addr, data) })
}

/// Begins to trace a process without stopping it.
pub(crate) fn seize(pid: i32) -> io::Result<()> {
    let options = libc::PTRACE_O_TRACEEXEC
        | libc::PTRACE_O_TRACESYSGOOD
        | libc::PTRACE_O_TRACEFORK
        | libc::PTRACE_O_TRACEVFORK
        | libc::PTRACE_O_TRACEVFORKDONE
        | libc::PTRACE_O_TRACECLONE
        | libc::PTRACE_O_TRACESECCOMP
        | libc::PTRACE_O_EXITKILL;
    request(libc::PTRACE_SEIZE, pid, 0, options as u64).map(drop)
}

/// Asks a thread to stop.
pub(crate) fn interrupt(tid: i32) -> io::Result<()> {
    request(libc::PTRACE_INTERRUPT, tid, 0, 0).map(drop)
}

/// Lets a stopped program stay stopped until it is continued by `SIGCONT`.
pub(crate) fn listen(tid: i32) -> io::Result<()> {
    request(libc::PTRACE_LISTEN, tid, 0, 0).map(drop)
}

/// Lets a thread run; `to_syscall`: until its next system call begins or ends.
pub(crate) fn resume(tid: i32, signal: i32, to_syscall: bool) -> io::Result<()> {
    let what = if to_syscall {
        libc::PTRACE_SYSCALL
    } else {
        libc::PTRACE_CONT
    };
    request(what, tid, 0, signal as u64).map(drop)
}

/// Lets a thread run one instruction.
pub(crate) fn step(tid: i32) -> io::Result<()> {
    request(libc::PTRACE_SINGLESTEP, tid, 0, 0).map(drop)
}

/// Reads the registers of a stopped thread.
pub(crate) fn registers(tid: i32) -> io::Result<Registers> {
    // SAFETY: a struct of integers, for which all zeros is a value.
    let mut regs: Registers = unsafe { std::mem::zeroed() };
    // SAFETY: PTRACE_GETREGS fills one `user_regs_struct`.
    check(unsafe { libc::ptrace(libc::PTRACE_GETREGS, tid, 0, &raw mut regs) })?;
    Ok(regs)
}

/// Writes the registers of a stopped thread.
pub(crate) fn set_registers(tid: i32, regs: &Registers) -> io::Result<()> {
    // SAFETY: PTRACE_SETREGS reads one `user_regs_struct`.
    check(unsafe { libc::ptrace(libc::PTRACE_SETREGS, tid, 0, std::ptr::from_ref(regs)) }).map(drop)
}

/// The six argument registers of a system call.
pub(crate) fn arguments(regs: &Registers) -> [u64; 6] {
    [regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9]
}

/// Sets one argument register.
pub(crate) fn set_argument(regs: &mut Registers, n: usize, value: u64) {
    match n {
        0 => regs.rdi = value,
        1 => regs.rsi = value,
        2 => regs.rdx = value,
        3 => regs.r10 = value,
        4 => regs.r8 = value,
        _ => regs.r9 = value,
    }
}

/// The signals a stopped thread blocks, as bits.
pub(crate) fn signal_mask(tid: i32) -> io::Result<u64> {
    let mut mask = 0u64;
    // SAFETY: PTRACE_GETSIGMASK writes `addr` = 8 bytes.
    check(unsafe { libc::ptrace(libc::PTRACE_GETSIGMASK, tid, 8usize, &raw mut mask) })?;
    Ok(mask)
}

/// Sets the signals a stopped thread blocks.
pub(crate) fn set_signal_mask(tid: i32, mask: u64) -> io::Result<()> {
    // SAFETY: PTRACE_SETSIGMASK reads `addr` = 8 bytes.
    check(unsafe { libc::ptrace(libc::PTRACE_SETSIGMASK, tid, 8usize, &raw const mask) }).map(drop)
}

/// What the kernel adds to an event: for a fork, the child's id.
pub(crate) fn event_message(tid: i32) -> io::Result<u64> {
    let mut message: libc::c_ulong = 0;
    // SAFETY: PTRACE_GETEVENTMSG writes one unsigned long.
    check(unsafe { libc::ptrace(libc::PTRACE_GETEVENTMSG, tid, 0, &raw mut message) })?;
    Ok(message)
}

/// Whether a thread in a system call stop is at its beginning.
pub(crate) fn at_syscall_entry(tid: i32) -> io::Result<bool> {
    let mut info = [0u8; 88];
    // SAFETY: PTRACE_GET_SYSCALL_INFO writes at most `addr` bytes.
    check(unsafe {
        libc::ptrace(
            libc::PTRACE_GET_SYSCALL_INFO,
            tid,
            info.len(),
            info.as_mut_ptr(),
        )
    })?;
    Ok(info[0] == libc::PTRACE_SYSCALL_INFO_ENTRY)
}

/// Writes words into a traced program through a stopped thread of it, into read-only code too. `bytes` is a whole
/// number of words.
///
/// Not `process_vm_writev`, which respects the page's protection, and not `/proc/PID/mem`, which kernels restrict.
pub(crate) fn poke(tid: i32, addr: u64, bytes: &[u8]) -> io::Result<()> {
    debug_assert!(bytes.len().is_multiple_of(8));
    for (i, word) in bytes.chunks_exact(8).enumerate() {
        let word = word.try_into().map(u64::from_ne_bytes).unwrap_or_default();
        request(libc::PTRACE_POKEDATA, tid, addr + 8 * i as u64, word)?;
    }
    Ok(())
}

/// Reads memory of another program.
pub(crate) fn peek(tid: i32, addr: u64, into: &mut [u8]) -> io::Result<()> {
    let local = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    let remote = libc::iovec {
        iov_base: addr as *mut libc::c_void,
        iov_len: into.len(),
    };
    // SAFETY: `local` is the whole of `into`; `remote` is only an address for the kernel, in the other program.
    let n =
        check(
            unsafe { libc::process_vm_readv(tid, &raw const local, 1, &raw const remote, 1, 0) }
                as i64,
        )?;
    if n == into.len() as i64 {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// Writes memory of another program as the program itself could.
pub(crate) fn write_as_program(tid: i32, addr: u64, bytes: &[u8]) -> io::Result<()> {
    let local = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let remote = libc::iovec {
        iov_base: addr as *mut libc::c_void,
        iov_len: bytes.len(),
    };
    // SAFETY: `local` is the whole of `bytes` and only read; `remote` is only an address, in the other program.
    let n =
        check(
            unsafe { libc::process_vm_writev(tid, &raw const local, 1, &raw const remote, 1, 0) }
                as i64,
        )?;
    if n == bytes.len() as i64 {
        Ok(())
    } else {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// The next event of any traced thread, if there is one now.
pub(crate) fn next_event() -> Option<(i32, Status)> {
    wait(-1, libc::__WALL | libc::WNOHANG)
}

/// The next event of one thread; waits for it.
pub(crate) fn wait_for(tid: i32) -> Option<Status> {
    wait(tid, libc::__WALL).map(|(_, status)| status)
}

fn wait(tid: i32, options: i32) -> Option<(i32, Status)> {
    let mut status = 0;
    loop {
        // SAFETY: waitpid writes one int.
        match check(unsafe { libc::waitpid(tid, &raw mut status, options) }) {
            Ok(0) => return None,
            Ok(tid) => return Some((tid as i32, Status(status))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return None,
        }
    }
}

/// What `waitpid` says of a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Status(pub(crate) i32);

impl Status {
    /// It ended.
    pub(crate) fn ended(self) -> bool {
        libc::WIFEXITED(self.0) || libc::WIFSIGNALED(self.0)
    }
    /// The signal that a stop shows.
    pub(crate) fn signal(self) -> i32 {
        libc::WSTOPSIG(self.0)
    }
    /// The `PTRACE_EVENT_*` of a stop, 0 for none.
    pub(crate) fn event(self) -> i32 {
        self.0 >> 16
    }
    /// A system call begins or ends.
    pub(crate) fn is_syscall(self) -> bool {
        self.event() == 0 && self.signal() == libc::SIGTRAP | 0x80
    }
    /// A stop asked for by `PTRACE_INTERRUPT` (or a new thread's first).
    pub(crate) fn is_interrupt(self) -> bool {
        self.event() == libc::PTRACE_EVENT_STOP && self.signal() == libc::SIGTRAP
    }
    /// The program was stopped by a signal such as `SIGSTOP`.
    pub(crate) fn is_group_stop(self) -> bool {
        self.event() == libc::PTRACE_EVENT_STOP && self.signal() != libc::SIGTRAP
    }
}

/// Sends a signal.
pub(crate) fn kill(pid: i32, signal: i32) -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::kill(pid, signal) }).map(drop)
}

/// Forks a child of this single-threaded process that only waits to be killed, to try tracing on.
///
/// Only the tracer process calls this: it has one thread, so the fork is a whole one.
pub(crate) fn idle_child() -> io::Result<i32> {
    // SAFETY: fork in a process with one thread; the child only sleeps until it is killed.
    match check(unsafe { libc::fork() })? {
        0 => loop {
            // SAFETY: no memory is involved.
            unsafe { libc::pause() };
        },
        pid => Ok(pid as i32),
    }
}

/// Whether two of our descriptors are the same open file; `None` where the kernel cannot tell.
pub(crate) fn same_file(a: i32, b: i32) -> Option<bool> {
    const KCMP_FILE: i32 = 0;
    let pid = std::process::id();
    // SAFETY: kcmp takes numbers only.
    check(unsafe { libc::syscall(libc::SYS_kcmp, pid, pid, KCMP_FILE, a, b) })
        .ok()
        .map(|order| order == 0)
}

const _: () = assert!(size_of::<Registers>() == 27 * 8);
