//! Sockets that pass descriptors, and waiting on several at once.

use super::check;
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Two connected ends that keep messages whole.
pub(crate) fn socket_pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let mut fds = [0; 2];
    // SAFETY: socketpair writes two descriptors, which nobody else owns.
    unsafe {
        check(libc::socketpair(
            libc::AF_UNIX,
            libc::SOCK_SEQPACKET | libc::SOCK_CLOEXEC,
            0,
            fds.as_mut_ptr(),
        ))?;
        Ok((OwnedFd::from_raw_fd(fds[0]), OwnedFd::from_raw_fd(fds[1])))
    }
}

/// Whether a descriptor is a socket as `socket_pair` makes them.
pub(crate) fn is_door(fd: RawFd) -> bool {
    let (mut kind, mut len) = (0i32, size_of::<i32>() as u32);
    // SAFETY: getsockopt writes at most `len` bytes into `kind`.
    let done = unsafe {
        libc::getsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_TYPE,
            (&raw mut kind).cast(),
            &raw mut len,
        )
    };
    done == 0 && kind == libc::SOCK_SEQPACKET
}

/// The process that made the other end's pair, by its number here, whatever number it has in its own namespace.
pub(crate) fn maker_of(socket: RawFd) -> io::Result<i32> {
    let mut made = libc::ucred {
        pid: 0,
        uid: 0,
        gid: 0,
    };
    let mut len = size_of::<libc::ucred>() as u32;
    // SAFETY: getsockopt writes at most `len` bytes into `made`.
    unsafe {
        check(libc::getsockopt(
            socket,
            libc::SOL_SOCKET,
            libc::SO_PEERCRED,
            (&raw mut made).cast(),
            &raw mut len,
        ))?;
    }
    Ok(made.pid)
}

/// Room for one descriptor's control message, aligned as the kernel wants it.
#[repr(C, align(8))]
struct Control([u8; 24]);

/// Sends one message, with a descriptor if there is one. Async-signal-safe: allocates nothing, takes no lock.
pub(crate) fn send(socket: RawFd, bytes: &[u8], passed: Option<RawFd>) -> io::Result<()> {
    let mut control = Control([0; 24]);
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    // SAFETY: a msghdr of zeros is an empty one; what is filled in outlives the call. CMSG_FIRSTHDR points into
    // `control`, which has room for exactly one descriptor (CMSG_SPACE(4) = 24).
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        if let Some(fd) = passed {
            message.msg_control = (&raw mut control).cast();
            message.msg_controllen = size_of::<Control>();
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as usize;
            libc::CMSG_DATA(header).cast::<RawFd>().write_unaligned(fd);
        }
        check(libc::sendmsg(socket, &raw const message, libc::MSG_NOSIGNAL) as i64).map(drop)
    }
}

/// Receives one message and the descriptor that came with it. No bytes: the other end is closed.
pub(crate) fn receive(socket: RawFd, into: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    let mut control = Control([0; 24]);
    let mut part = libc::iovec {
        iov_base: into.as_mut_ptr().cast(),
        iov_len: into.len(),
    };
    // SAFETY: as in `send`; the kernel writes at most the given lengths, and a descriptor that it put into the
    // control message is new and ours.
    unsafe {
        let mut message: libc::msghdr = zeroed();
        message.msg_iov = &raw mut part;
        message.msg_iovlen = 1;
        message.msg_control = (&raw mut control).cast();
        message.msg_controllen = size_of::<Control>();
        let n = loop {
            match check(libc::recvmsg(socket, &raw mut message, libc::MSG_CMSG_CLOEXEC) as i64) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                other => break other?,
            }
        };
        let header = libc::CMSG_FIRSTHDR(&raw const message);
        let passed = (!header.is_null() && (*header).cmsg_type == libc::SCM_RIGHTS).then(|| {
            OwnedFd::from_raw_fd(libc::CMSG_DATA(header).cast::<RawFd>().read_unaligned())
        });
        Ok((n as usize, passed))
    }
}

/// Waits until one of the descriptors can be read or `millis` have passed (-1: no limit); says which can.
pub(crate) fn wait_readable(
    fds: &[BorrowedFd<'_>],
    timeout: Option<std::time::Duration>,
) -> Vec<bool> {
    let poll = |fd: &BorrowedFd<'_>| libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLIN,
        revents: 0,
    };
    let mut polled: Vec<_> = fds.iter().map(poll).collect();
    let limit = timeout.map(|t| libc::timespec {
        tv_sec: t.as_secs() as i64,
        tv_nsec: i64::from(t.subsec_nanos()),
    });
    let limit = limit.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: ppoll reads and writes exactly the pollfds given and reads the timespec, if any.
    unsafe {
        libc::ppoll(
            polled.as_mut_ptr(),
            polled.len() as libc::nfds_t,
            limit,
            std::ptr::null(),
        )
    };
    polled.iter().map(|p| p.revents != 0).collect()
}
