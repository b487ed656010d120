//! What a forked child does inside new namespaces: a list of single system calls, prepared beforehand, so that the child
//! needs neither memory nor locks.

use std::{ffi::CString, net::SocketAddr, os::fd::RawFd};

/// One thing for the child to do.
#[derive(Debug)]
pub(super) enum Step {
    /// Leaves namespaces for new ones.
    Unshare(libc::c_int),
    /// Writes a file of `/proc`.
    Write(CString, Vec<u8>),
    /// Enters a namespace.
    Enter(RawFd, libc::c_int),
    /// Asks the kernel's network configuration to do something, and waits until it has.
    Netlink(Vec<u8>),
    /// Makes a TCP socket bound to an address and hands it out.
    Bind(SocketAddr),
    /// Makes a TCP socket and hands it out.
    Socket {
        /// For IPv6.
        ipv6: bool,
    },
    /// Opens a file of `/proc/self/ns` and hands it out.
    Namespace(CString),
    /// Opens a directory under a number.
    OpenAs(CString, RawFd),
    /// Keeps this namespace's mounts to itself.
    Private,
    /// Mounts an empty file system.
    Tmpfs(CString),
    /// Makes a directory, unless there is one.
    Directory(CString),
    /// Makes an empty file, unless there is one.
    File(CString),
    /// Makes a symbolic link.
    Link {
        /// What it says.
        to: CString,
        /// Where it is.
        at: CString,
    },
    /// Shows a file or directory at another place.
    Show {
        /// What.
        source: CString,
        /// Where.
        target: CString,
        /// It cannot be written there.
        read_only: bool,
        /// It may have gone away meanwhile.
        optional: bool,
    },
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unshare(_) => f.write_str("make new namespaces"),
            Self::Write(path, _) => write!(f, "write {}", path.to_string_lossy()),
            Self::Enter(..) => f.write_str("enter a namespace"),
            Self::Netlink(_) => f.write_str("configure the loopback interface"),
            Self::Bind(address) => write!(f, "bind {address}"),
            Self::Socket { .. } => f.write_str("make a socket"),
            Self::Namespace(path) => write!(f, "open {}", path.to_string_lossy()),
            Self::OpenAs(path, _) => write!(f, "open {}", path.to_string_lossy()),
            Self::Private => f.write_str("make the mounts private"),
            Self::Tmpfs(path) => write!(f, "mount a tmpfs at {}", path.to_string_lossy()),
            Self::Directory(path) | Self::File(path) | Self::Link { at: path, .. } => {
                write!(f, "make {}", path.to_string_lossy())
            }
            Self::Show { source, target, .. } => write!(
                f,
                "mount {} at {}",
                source.to_string_lossy(),
                target.to_string_lossy()
            ),
        }
    }
}
