//! How the tracer process comes to life: the embedding program is started a second time, and this constructor, which
//! runs before its `main`, takes over.

use super::check;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

/// The variable that tells the constructor to take over.
pub(crate) const MARK: &str = "EMU_VTIME_TRACER";

extern "C" fn take_over() {
    if std::env::var_os(MARK).is_some_and(|v| v == "1") && super::is_door(0) {
        let code = std::panic::catch_unwind(crate::helper::run).unwrap_or(101);
        // SAFETY: ends the process without running the embedding program's own exit code.
        unsafe { libc::_exit(code) };
    }
}

/// Runs before `main` in each program that links this crate; without the mark it does nothing.
// SAFETY: `.init_array` holds pointers to functions that take nothing they need and return nothing.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = take_over;

/// Keeps the constructor in programs that can start a tracer.
pub(crate) fn keep_constructor() {
    std::hint::black_box(&CONSTRUCTOR);
}

/// Takes the descriptor that the parent gave us as standard input.
pub(crate) fn take_door() -> io::Result<OwnedFd> {
    // SAFETY: dup gives a new descriptor, which nobody else owns.
    unsafe {
        let fd = check(libc::fcntl(0, libc::F_DUPFD_CLOEXEC, 3))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// Closes what the embedding program left open for its children: it may wait for the other ends to be closed.
pub(crate) fn close_inherited() {
    // SAFETY: called before this process has opened anything of its own; only the numbers above stderr are closed.
    unsafe { libc::close_range(3, libc::c_uint::MAX, 0) };
}

/// Makes this process a session of its own, so that no terminal signal reaches it.
pub(crate) fn new_session() {
    // SAFETY: no memory is involved; fails harmlessly when it is one already.
    unsafe { libc::setsid() };
}

/// Blocks every signal of this (single-threaded) process and gives a descriptor that shows `SIGCHLD`.
pub(crate) fn child_events() -> io::Result<OwnedFd> {
    // SAFETY: the sets are filled by the calls before they are read; signalfd gives a descriptor of ours.
    unsafe {
        let mut set: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut set);
        check(libc::sigprocmask(
            libc::SIG_SETMASK,
            &raw const set,
            std::ptr::null_mut(),
        ))?;
        libc::sigemptyset(&raw mut set);
        libc::sigaddset(&raw mut set, libc::SIGCHLD);
        let fd = check(libc::signalfd(
            -1,
            &raw const set,
            libc::SFD_CLOEXEC | libc::SFD_NONBLOCK,
        ))?;
        Ok(OwnedFd::from_raw_fd(fd as RawFd))
    }
}

/// Empties the descriptor of `child_events`.
pub(crate) fn drain(fd: &OwnedFd) {
    let mut buffer = [0u8; 512];
    // SAFETY: read writes at most the buffer's length.
    while unsafe { libc::read(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len()) } > 0 {}
}
