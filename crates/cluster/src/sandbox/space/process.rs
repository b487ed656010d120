//! A handle to a process that cannot come to mean another one.
#![allow(unsafe_code)]

use std::{
    io,
    os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
    time::Instant,
};

/// A process, whoever started it.
pub(crate) struct ProcessHandle(OwnedFd);

impl ProcessHandle {
    /// The process with this number now.
    pub(crate) fn open(pid: i32) -> io::Result<Self> {
        // SAFETY: no pointers; a descriptor that is returned is new and ours.
        unsafe {
            let fd = libc::syscall(libc::SYS_pidfd_open, pid, 0);
            if fd < 0 {
                return Err(io::Error::last_os_error());
            }
            Ok(Self(OwnedFd::from_raw_fd(fd as RawFd)))
        }
    }

    /// Ends it at once, if it has not ended.
    pub(crate) fn kill(&self) {
        // SAFETY: a null pointer asks for no further information.
        unsafe {
            libc::syscall(
                libc::SYS_pidfd_send_signal,
                self.0.as_raw_fd(),
                libc::SIGKILL,
                std::ptr::null::<libc::siginfo_t>(),
                0,
            );
        }
    }

    /// Blocks until it has ended or the deadline has come.
    pub(crate) fn wait_until(&self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        let mut poll = libc::pollfd {
            fd: self.0.as_raw_fd(),
            events: libc::POLLIN,
            revents: 0,
        };
        // SAFETY: one descriptor, in a local that lives through the call.
        unsafe {
            libc::poll(&raw mut poll, 1, left.as_millis() as libc::c_int);
        }
    }
}
