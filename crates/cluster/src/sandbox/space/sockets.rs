//! Listening sockets that can refuse, or swallow, what comes.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, BorrowedFd},
};

fn check(result: libc::c_int) -> io::Result<()> {
    if result < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}

/// Makes a bound socket accept connections.
pub(crate) fn start_listening(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers.
    check(unsafe { libc::listen(socket.as_raw_fd(), 1024) })
}

/// Makes a listening socket refuse connections. It stays bound and can listen again.
pub(crate) fn refuse_connections(socket: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: no pointers.
    match check(unsafe { libc::shutdown(socket.as_raw_fd(), libc::SHUT_RD) }) {
        Err(e) if e.raw_os_error() == Some(libc::ENOTCONN) => Ok(()),
        other => other,
    }
}

/// Makes a socket's packets vanish (a packet filter that keeps nothing), or come through again.
pub(crate) fn set_blackhole(socket: BorrowedFd<'_>, on: bool) -> io::Result<()> {
    let mut nothing = [libc::sock_filter {
        code: (libc::BPF_RET | libc::BPF_K) as u16,
        jt: 0,
        jf: 0,
        k: 0,
    }];
    let program = libc::sock_fprog {
        len: 1,
        filter: nothing.as_mut_ptr(),
    };
    let option = if on {
        libc::SO_ATTACH_FILTER
    } else {
        libc::SO_DETACH_FILTER
    };
    // SAFETY: the kernel copies the program, which lives through the call.
    let result = check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            option,
            (&raw const program).cast(),
            size_of_val(&program) as libc::socklen_t,
        )
    });
    match result {
        // There was no filter to take off.
        Err(e) if !on && e.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        other => other,
    }
}
