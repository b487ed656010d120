//! The parent's side: forks the child that runs the steps, and takes what it sends.
#![allow(unsafe_code)]

use std::{
    io,
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd, RawFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use super::{
    SpaceError,
    child::{self, ControlBuffer, MOST_FDS, Report},
    steps::Step,
};

/// How long the child may take before it is given up.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs the steps in a child and gives the descriptors they made, in order. Blocks for some milliseconds.
pub(super) fn run(steps: &[Step]) -> Result<Vec<OwnedFd>, SpaceError> {
    let broken = |source| SpaceError {
        what: "start a helper process".into(),
        source,
    };
    let (ours, theirs) = UnixStream::pair().map_err(broken)?;
    ours.set_read_timeout(Some(LIMIT)).map_err(broken)?;
    // SAFETY: the child only calls `child::run`, which makes nothing but system calls and never returns.
    let pid = unsafe { libc::fork() };
    match pid {
        0 => child::run(steps, theirs.as_raw_fd()),
        1.. => {}
        _ => return Err(broken(io::Error::last_os_error())),
    }
    drop(theirs);
    let received = receive(&ours);
    // SAFETY: `pid` is our child and has not been waited for; the status is a local.
    unsafe {
        if received.is_err() {
            libc::kill(pid, libc::SIGKILL);
        }
        let mut status = 0;
        while libc::waitpid(pid, &raw mut status, 0) < 0
            && io::Error::last_os_error().kind() == io::ErrorKind::Interrupted
        {}
    }
    let (report, fds) = received.map_err(broken)?;
    if report.errno == 0 {
        return Ok(fds);
    }
    Err(SpaceError {
        what: steps
            .get(report.step as usize)
            .map_or_else(String::new, ToString::to_string),
        source: io::Error::from_raw_os_error(report.errno),
    })
}

fn receive(socket: &UnixStream) -> io::Result<(Report, Vec<OwnedFd>)> {
    let mut report = Report::default();
    let mut buffer = ControlBuffer([0; 16 + 4 * MOST_FDS]);
    // SAFETY: the message points at locals with their true lengths; descriptors in a received SCM_RIGHTS message are
    // new and ours.
    unsafe {
        let mut iov = libc::iovec {
            iov_base: (&raw mut report).cast(),
            iov_len: size_of::<Report>(),
        };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut iov;
        message.msg_iovlen = 1;
        message.msg_control = buffer.0.as_mut_ptr().cast();
        message.msg_controllen = buffer.0.len() as _;
        let got = loop {
            let got = libc::recvmsg(socket.as_raw_fd(), &raw mut message, libc::MSG_CMSG_CLOEXEC);
            let error = io::Error::last_os_error();
            if got >= 0 || error.kind() != io::ErrorKind::Interrupted {
                break got;
            }
        };
        if got < 0 {
            return Err(io::Error::last_os_error());
        }
        let mut fds = Vec::new();
        let mut header = libc::CMSG_FIRSTHDR(&raw const message);
        while !header.is_null() {
            if (*header).cmsg_level == libc::SOL_SOCKET && (*header).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*header).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(header).cast::<RawFd>();
                for i in 0..bytes / size_of::<RawFd>() {
                    fds.push(OwnedFd::from_raw_fd(data.add(i).read_unaligned()));
                }
            }
            header = libc::CMSG_NXTHDR(&raw const message, header);
        }
        if got as usize != size_of::<Report>() {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "it ended without a word",
            ));
        }
        Ok((report, fds))
    }
}
