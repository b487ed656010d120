//! What a new program does between fork and exec to come under the tracer.

use super::{check, receive, send, socket_pair};
use crate::wire::{JOIN, Request};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

/// Has `command` join the group behind `door` when it is spawned, with `filter` installed.
pub(crate) fn run_in_child(
    command: &mut Command,
    door: Arc<OwnedFd>,
    filter: Arc<[libc::sock_filter]>,
    tracer: u32,
) {
    let hook = move || {
        join(door.as_raw_fd(), tracer)?;
        install(&filter)
    };
    // SAFETY: the hook runs in a fork of a program with many threads, so it may only do what is async-signal-safe:
    // system calls on memory that is on its stack or was allocated before. `io::Error` from an errno allocates nothing.
    unsafe { command.pre_exec(hook) };
}

/// Tells the tracer who we are and waits until it holds us.
fn join(door: i32, tracer: u32) -> io::Result<()> {
    // SAFETY: no memory is involved. Where Yama asks for it, this allows the tracer (not our ancestor) to attach;
    // elsewhere it fails, which does not matter.
    unsafe { libc::prctl(libc::PR_SET_PTRACER, tracer as libc::c_ulong, 0, 0, 0) };
    // The tracer learns who we are from this pair: our own number means nothing outside of a process namespace.
    let (ours, theirs) = socket_pair()?;
    send(
        door,
        &Request::new(JOIN, [0; 3]).to_bytes(),
        Some(theirs.as_raw_fd()),
    )?;
    drop(theirs);
    let mut reply = [0u8; 8];
    match receive(ours.as_raw_fd(), &mut reply)? {
        (8, _) => match i64::from_ne_bytes(reply) {
            0 => Ok(()),
            errno => Err(io::Error::from_raw_os_error(errno as i32)),
        },
        _ => Err(io::Error::from_raw_os_error(libc::ESRCH)),
    }
}

/// Installs the filter; an ordinary user must give up set-uid programs for it.
fn install(filter: &[libc::sock_filter]) -> io::Result<()> {
    let program = libc::sock_fprog {
        len: filter.len() as u16,
        filter: filter.as_ptr().cast_mut(),
    };
    // SAFETY: the kernel reads `len` instructions and keeps its own copy.
    let set = || unsafe {
        check(libc::syscall(
            libc::SYS_seccomp,
            libc::SECCOMP_SET_MODE_FILTER,
            0,
            &raw const program,
        ))
    };
    if set().is_ok() {
        return Ok(());
    }
    // SAFETY: no memory is involved.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) })?;
    set().map(drop)
}
