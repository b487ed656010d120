//! The child: runs the steps, sends what it made, ends. Everything here is called between `fork` and `_exit` in a
//! process that may have had many threads: system calls only, no memory, no locks, no panics.
#![allow(unsafe_code)]

use std::{net::SocketAddr, os::fd::RawFd, ptr};

use libc::{c_int, c_void};

use super::steps::Step;

/// The most descriptors a plan may hand out (the kernel's limit for one message is 253).
pub(super) const MOST_FDS: usize = 64;

type Outcome = Result<(), c_int>;

/// What the child says: which step failed (as a number) and the error; 0 for no error.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(super) struct Report {
    pub(super) step: u32,
    pub(super) errno: i32,
}

struct Made {
    fds: [RawFd; MOST_FDS],
    count: usize,
}

impl Made {
    fn push(&mut self, fd: RawFd) -> Outcome {
        let slot = self.fds.get_mut(self.count).ok_or(libc::EMFILE)?;
        *slot = fd;
        self.count += 1;
        Ok(())
    }
}

/// Runs the steps and ends the process.
pub(super) fn run(steps: &[Step], control: RawFd) -> ! {
    let mut made = Made {
        fds: [-1; MOST_FDS],
        count: 0,
    };
    let mut report = Report::default();
    for (number, step) in steps.iter().enumerate() {
        if let Err(errno) = take(step, &mut made) {
            report = Report {
                step: number as u32,
                errno,
            };
            made.count = 0;
            break;
        }
    }
    send(control, &report, &made);
    // SAFETY: `_exit` ends the process without running anything of the parent's.
    unsafe { libc::_exit(0) }
}

fn errno() -> c_int {
    // SAFETY: the location of this thread's errno is always valid.
    unsafe { *libc::__errno_location() }
}

fn check(result: c_int) -> Result<c_int, c_int> {
    if result < 0 { Err(errno()) } else { Ok(result) }
}

fn take(step: &Step, made: &mut Made) -> Outcome {
    // SAFETY: every pointer comes from a CString, a Vec or a local that outlives the call, with its true
    // length; descriptors are ours.
    unsafe {
        match step {
            Step::Unshare(flags) => check(libc::unshare(*flags)).map(drop),
            Step::Enter(fd, kind) => check(libc::setns(*fd, *kind)).map(drop),
            Step::Write(path, bytes) => {
                let fd = check(libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC))?;
                let wrote = libc::write(fd, bytes.as_ptr().cast::<c_void>(), bytes.len());
                let outcome = if wrote < 0 { Err(errno()) } else { Ok(()) };
                libc::close(fd);
                outcome
            }
            Step::Netlink(message) => netlink(message),
            Step::Bind(address) => {
                let fd = socket(address.is_ipv6())?;
                bind(fd, address)?;
                made.push(fd)
            }
            Step::Socket { ipv6 } => made.push(socket(*ipv6)?),
            Step::Namespace(path) => made.push(check(libc::open(
                path.as_ptr(),
                libc::O_RDONLY | libc::O_CLOEXEC,
            ))?),
            Step::OpenAs(path, number) => {
                let fd = check(libc::open(path.as_ptr(), libc::O_PATH | libc::O_CLOEXEC))?;
                check(libc::dup3(fd, *number, libc::O_CLOEXEC))?;
                libc::close(fd);
                Ok(())
            }
            Step::Private => mount(
                c"none".as_ptr(),
                c"/".as_ptr(),
                ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
            ),
            Step::Tmpfs(at) => mount(
                c"tmpfs".as_ptr(),
                at.as_ptr(),
                c"tmpfs".as_ptr(),
                libc::MS_NOSUID | libc::MS_NODEV,
            ),
            Step::Directory(at) => unless_there(check(libc::mkdir(at.as_ptr(), 0o755))),
            Step::File(at) => {
                let flags = libc::O_CREAT | libc::O_WRONLY | libc::O_CLOEXEC;
                let fd = check(libc::open(at.as_ptr(), flags, 0o644))?;
                libc::close(fd);
                Ok(())
            }
            Step::Link { to, at } => unless_there(check(libc::symlink(to.as_ptr(), at.as_ptr()))),
            Step::Show {
                source,
                target,
                read_only,
                optional,
            } => {
                let shown = mount(
                    source.as_ptr(),
                    target.as_ptr(),
                    ptr::null(),
                    libc::MS_BIND | libc::MS_REC,
                );
                match shown {
                    Err(_) if *optional => Ok(()),
                    Ok(()) if *read_only => make_read_only(target.as_ptr()),
                    other => other,
                }
            }
        }
    }
}

fn unless_there(result: Result<c_int, c_int>) -> Outcome {
    match result {
        Ok(_) | Err(libc::EEXIST) => Ok(()),
        Err(errno) => Err(errno),
    }
}

unsafe fn mount(
    source: *const libc::c_char,
    target: *const libc::c_char,
    kind: *const libc::c_char,
    flags: libc::c_ulong,
) -> Outcome {
    // SAFETY: the caller passes C strings; no data is passed.
    check(unsafe { libc::mount(source, target, kind, flags, ptr::null()) }).map(drop)
}

unsafe fn make_read_only(target: *const libc::c_char) -> Outcome {
    // SAFETY: the caller passes a C string; `statvfs` fills the local.
    unsafe {
        let mut stat: libc::statvfs = std::mem::zeroed();
        check(libc::statvfs(target, &raw mut stat))?;
        // In a user namespace the flags of the mount below are locked: they must be named again.
        let kept = [
            (libc::ST_NOSUID, libc::MS_NOSUID),
            (libc::ST_NODEV, libc::MS_NODEV),
            (libc::ST_NOEXEC, libc::MS_NOEXEC),
            (libc::ST_NOATIME, libc::MS_NOATIME),
            (libc::ST_NODIRATIME, libc::MS_NODIRATIME),
            (libc::ST_RELATIME, libc::MS_RELATIME),
        ];
        let mut flags = libc::MS_REMOUNT | libc::MS_BIND | libc::MS_RDONLY;
        for (seen, flag) in kept {
            if stat.f_flag & seen != 0 {
                flags |= flag;
            }
        }
        mount(ptr::null(), target, ptr::null(), flags)
    }
}

fn socket(ipv6: bool) -> Result<RawFd, c_int> {
    let family = if ipv6 { libc::AF_INET6 } else { libc::AF_INET };
    let kind = libc::SOCK_STREAM | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK;
    // SAFETY: no pointers.
    check(unsafe { libc::socket(family, kind, 0) })
}

fn bind(fd: RawFd, address: &SocketAddr) -> Outcome {
    let one: c_int = 1;
    let size = size_of::<c_int>() as libc::socklen_t;
    // SAFETY: `one` and the addresses live through the calls and the sizes are theirs.
    unsafe {
        let on = (&raw const one).cast::<c_void>();
        check(libc::setsockopt(
            fd,
            libc::SOL_SOCKET,
            libc::SO_REUSEADDR,
            on,
            size,
        ))?;
        match address {
            SocketAddr::V4(v4) => {
                let mut raw: libc::sockaddr_in = std::mem::zeroed();
                raw.sin_family = libc::AF_INET as libc::sa_family_t;
                raw.sin_port = v4.port().to_be();
                raw.sin_addr.s_addr = u32::from(*v4.ip()).to_be();
                let size = size_of_val(&raw) as libc::socklen_t;
                check(libc::bind(fd, (&raw const raw).cast(), size)).map(drop)
            }
            SocketAddr::V6(v6) => {
                check(libc::setsockopt(
                    fd,
                    libc::IPPROTO_IPV6,
                    libc::IPV6_V6ONLY,
                    on,
                    size,
                ))?;
                let mut raw: libc::sockaddr_in6 = std::mem::zeroed();
                raw.sin6_family = libc::AF_INET6 as libc::sa_family_t;
                raw.sin6_port = v6.port().to_be();
                raw.sin6_addr.s6_addr = v6.ip().octets();
                let size = size_of_val(&raw) as libc::socklen_t;
                check(libc::bind(fd, (&raw const raw).cast(), size)).map(drop)
            }
        }
    }
}

fn netlink(message: &[u8]) -> Outcome {
    // SAFETY: buffers are ours and passed with their lengths.
    unsafe {
        let kind = libc::SOCK_RAW | libc::SOCK_CLOEXEC;
        let fd = check(libc::socket(libc::AF_NETLINK, kind, libc::NETLINK_ROUTE))?;
        let sent = libc::send(fd, message.as_ptr().cast::<c_void>(), message.len(), 0);
        let mut answer = [0u8; 256];
        let outcome = if sent < 0 {
            Err(errno())
        } else {
            let got = libc::recv(fd, answer.as_mut_ptr().cast::<c_void>(), answer.len(), 0);
            if got < 20 { Err(libc::EPROTO) } else { Ok(()) }
        };
        libc::close(fd);
        outcome?;
        // An acknowledgement is a header of 16 bytes and the negative error.
        let error = i32::from_ne_bytes([answer[16], answer[17], answer[18], answer[19]]);
        if error == 0 { Ok(()) } else { Err(-error) }
    }
}

/// Room for the descriptors' control message.
#[repr(C, align(8))]
pub(super) struct ControlBuffer(pub(super) [u8; 16 + 4 * MOST_FDS]);

fn send(control: RawFd, report: &Report, made: &Made) {
    let mut buffer = ControlBuffer([0; 16 + 4 * MOST_FDS]);
    let mut report = *report;
    // SAFETY: the message points at locals with their true lengths; the control buffer is aligned and large enough for
    // MOST_FDS descriptors, which `Made` cannot exceed.
    unsafe {
        let mut iov = libc::iovec {
            iov_base: (&raw mut report).cast::<c_void>(),
            iov_len: size_of::<Report>(),
        };
        let mut message: libc::msghdr = std::mem::zeroed();
        message.msg_iov = &raw mut iov;
        message.msg_iovlen = 1;
        if made.count > 0 {
            let bytes = (made.count * size_of::<RawFd>()) as u32;
            message.msg_control = buffer.0.as_mut_ptr().cast::<c_void>();
            message.msg_controllen = libc::CMSG_SPACE(bytes) as _;
            let header = libc::CMSG_FIRSTHDR(&raw const message);
            (*header).cmsg_level = libc::SOL_SOCKET;
            (*header).cmsg_type = libc::SCM_RIGHTS;
            (*header).cmsg_len = libc::CMSG_LEN(bytes) as _;
            ptr::copy_nonoverlapping(
                made.fds.as_ptr().cast::<u8>(),
                libc::CMSG_DATA(header),
                bytes as usize,
            );
        }
        libc::sendmsg(control, &raw const message, libc::MSG_NOSIGNAL);
    }
}
