//! A pod's own view of the network and of the file system: Linux namespaces, made by a child that ends at once.
//!
//! Nobody lives in a namespace to keep it: this process holds it by a descriptor, so it is gone when the descriptor is,
//! also after `kill -9`. This module and its children are the crate's only unsafe code beside the node's.

mod child;
mod enter;
mod fork;
mod mounts;
mod netlink;
mod process;
mod sockets;
mod steps;

use std::{
    ffi::CString,
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, OwnedFd, RawFd},
    sync::OnceLock,
};

pub(crate) use enter::{Entry, User};
pub(crate) use mounts::Shown;
pub(crate) use process::ProcessHandle;
pub(crate) use sockets::{refuse_connections, set_blackhole, start_listening};

use super::isolation::Isolation;
use steps::Step;

/// Why a namespace could not be made.
#[derive(Debug, thiserror::Error)]
#[error("could not {what}: {source}")]
pub(crate) struct SpaceError {
    /// What was tried.
    what: String,
    /// Why not.
    source: io::Error,
}

impl From<SpaceError> for io::Error {
    fn from(e: SpaceError) -> Self {
        Self::new(e.source.kind(), e.to_string())
    }
}

/// What a space is to contain.
#[derive(Clone, Debug, Default)]
pub(crate) struct SpacePlan {
    /// Addresses of the loopback interface beside its own.
    pub(crate) addresses: Vec<IpAddr>,
    /// Sockets to bind; handed back in this order, not yet listening.
    pub(crate) bind: Vec<SocketAddr>,
    /// What is seen where. With nothing to show, the file system is shared with this process.
    pub(crate) shown: Vec<Shown>,
}

/// A network namespace, perhaps a mount namespace, perhaps the user namespace that owns them.
#[derive(Debug)]
pub(crate) struct Space {
    user: Option<OwnedFd>,
    net: OwnedFd,
    mount: Option<OwnedFd>,
}

/// How the machine lets this process isolate pods. Tried once.
pub(crate) fn isolation() -> &'static Isolation {
    static FOUND: OnceLock<Isolation> = OnceLock::new();
    FOUND.get_or_init(|| {
        let root = nix::unistd::geteuid().is_root();
        let tries = [Isolation::Namespaces, Isolation::UserNamespaces];
        let mut reason = String::new();
        for isolation in tries.into_iter().skip(usize::from(!root)) {
            match try_out(&isolation) {
                Ok(()) => return isolation,
                Err(e) => reason = format!("this system does not let us {}: {}", e.what, e.source),
            }
        }
        Isolation::Loopback { reason }
    })
}

fn try_out(isolation: &Isolation) -> Result<(), SpaceError> {
    let mut steps = new_namespaces(isolation, true);
    steps.push(Step::Private);
    steps.push(Step::Tmpfs(c"/tmp".into()));
    steps.push(Step::Netlink(netlink::loopback_up()));
    steps.push(Step::Bind(SocketAddr::from(([127, 0, 0, 1], 80))));
    fork::run(&steps).map(drop)
}

/// Whether the machine's kernel speaks IPv6.
pub(crate) fn has_ipv6() -> bool {
    std::path::Path::new("/proc/net/if_inet6").exists()
}

fn new_namespaces(isolation: &Isolation, mounts: bool) -> Vec<Step> {
    let mut flags = libc::CLONE_NEWNET;
    if mounts {
        flags |= libc::CLONE_NEWNS;
    }
    let mut steps = Vec::new();
    if matches!(isolation, Isolation::UserNamespaces) {
        // The user keeps its number inside, so that files and programs look as they do outside.
        let uid = nix::unistd::geteuid();
        let gid = nix::unistd::getegid();
        steps.push(Step::Unshare(flags | libc::CLONE_NEWUSER));
        for (file, text) in [
            (c"/proc/self/uid_map", format!("{uid} {uid} 1")),
            (c"/proc/self/setgroups", "deny".into()),
            (c"/proc/self/gid_map", format!("{gid} {gid} 1")),
        ] {
            steps.push(Step::Write(file.into(), text.into_bytes()));
        }
    } else {
        steps.push(Step::Unshare(flags));
    }
    steps
}

impl Space {
    /// Makes a space and the sockets in it. Blocks for some milliseconds.
    pub(crate) fn create(
        isolation: &Isolation,
        plan: &SpacePlan,
    ) -> io::Result<(Self, Vec<OwnedFd>)> {
        let mounts = mounts::plan(&plan.shown)?;
        let own_mounts = !plan.shown.is_empty();
        let mut steps = new_namespaces(isolation, own_mounts);
        if matches!(isolation, Isolation::UserNamespaces) {
            // An agent that runs as an ordinary user binds port 80, as containers may.
            let ports = c"/proc/sys/net/ipv4/ip_unprivileged_port_start";
            steps.push(Step::Write(ports.into(), b"0".to_vec()));
        }
        steps.push(Step::Netlink(netlink::loopback_up()));
        for address in &plan.addresses {
            steps.push(Step::Netlink(netlink::loopback_address(*address)));
        }
        if own_mounts {
            steps.push(Step::Private);
            steps.extend(mounts.steps);
        }
        let user = matches!(isolation, Isolation::UserNamespaces);
        let mut kinds: Vec<CString> = vec![c"/proc/self/ns/net".into()];
        if own_mounts {
            kinds.push(c"/proc/self/ns/mnt".into());
        }
        if user {
            kinds.push(c"/proc/self/ns/user".into());
        }
        steps.extend(kinds.into_iter().map(Step::Namespace));
        steps.extend(plan.bind.iter().map(|a| Step::Bind(*a)));
        let mut fds = fork::run(&steps)?.into_iter();
        drop(mounts.reserved);
        let mut next = || fds.next().ok_or(io::ErrorKind::UnexpectedEof);
        let space = Self {
            net: next()?,
            mount: if own_mounts { Some(next()?) } else { None },
            user: if user { Some(next()?) } else { None },
        };
        Ok((space, fds.collect()))
    }

    /// The same network with a file system of its own, in which these are shown. Blocks for about a millisecond.
    pub(crate) fn with_mounts(&self, shown: &[Shown]) -> io::Result<Self> {
        let mounts = mounts::plan(shown)?;
        let mut steps = self.entering();
        steps.push(Step::Unshare(libc::CLONE_NEWNS));
        steps.push(Step::Private);
        steps.extend(mounts.steps);
        steps.push(Step::Namespace(c"/proc/self/ns/mnt".into()));
        let mount = fork::run(&steps)?.pop();
        drop(mounts.reserved);
        Ok(Self {
            user: self.user.as_ref().map(OwnedFd::try_clone).transpose()?,
            net: self.net.try_clone()?,
            mount,
        })
    }

    /// Makes unbound sockets inside. Blocks for about a millisecond.
    pub(crate) fn sockets(&self, ipv6: bool, count: usize) -> io::Result<Vec<OwnedFd>> {
        let mut steps = self.entering();
        steps.extend((0..count).map(|_| Step::Socket { ipv6 }));
        Ok(fork::run(&steps)?)
    }

    /// The number of the network namespace, as `/proc/<pid>/ns/net` shows it.
    pub(crate) fn net_inode(&self) -> io::Result<u64> {
        Ok(nix::sys::stat::fstat(&self.net).map(|s| s.st_ino)?)
    }

    fn entering(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if let Some(user) = &self.user {
            steps.push(Step::Enter(user.as_raw_fd(), libc::CLONE_NEWUSER));
        }
        steps.push(Step::Enter(self.net.as_raw_fd(), libc::CLONE_NEWNET));
        steps
    }

    /// The files by which this process holds it, in the order in which they are entered.
    pub(crate) fn files(&self) -> Vec<std::path::PathBuf> {
        let (user, net, mount) = self.raw();
        let process = std::process::id();
        [user, Some(net), mount]
            .into_iter()
            .flatten()
            .map(|fd| format!("/proc/{process}/fd/{fd}").into())
            .collect()
    }

    fn raw(&self) -> (Option<RawFd>, RawFd, Option<RawFd>) {
        (
            self.user.as_ref().map(AsRawFd::as_raw_fd),
            self.net.as_raw_fd(),
            self.mount.as_ref().map(AsRawFd::as_raw_fd),
        )
    }
}
