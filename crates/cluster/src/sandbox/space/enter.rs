//! Starting a program inside a space.
#![allow(unsafe_code)]

use std::{
    ffi::CString, io, os::unix::process::CommandExt, path::Path, process::Command, sync::Arc,
};

use super::{Space, mounts::c_path};

/// The user a program runs as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The user's number.
    pub(crate) uid: u32,
    /// The group's number.
    pub(crate) gid: u32,
    /// One more group (`fsGroup`).
    pub(crate) extra: Option<u32>,
}

/// How a program enters.
#[derive(Debug)]
pub(crate) struct Entry {
    /// The space; none means this process's own network and files.
    pub(crate) space: Option<Arc<Space>>,
    /// The directory it starts in.
    pub(crate) directory: CString,
    /// The user it becomes, if another than ours.
    pub(crate) user: Option<User>,
    /// It leads a process group of its own, so that it can be ended with all it started.
    pub(crate) own_group: bool,
}

impl Entry {
    /// Enters `space` at `directory`.
    pub(crate) fn new(space: Option<Arc<Space>>, directory: &Path) -> io::Result<Self> {
        Ok(Self {
            space,
            directory: c_path(directory)?,
            user: None,
            own_group: true,
        })
    }

    /// Makes a command enter when it is spawned. The program ends when the thread that spawned it does.
    pub(crate) fn apply(self, command: &mut Command) {
        let parent = std::process::id();
        let hook = move || self.enter(parent);
        // SAFETY: the hook runs in the forked child and makes only system calls on values prepared here.
        unsafe {
            command.pre_exec(hook);
        }
    }

    fn enter(&self, parent: u32) -> io::Result<()> {
        let check = |result: libc::c_int| {
            if result < 0 {
                Err(io::Error::last_os_error())
            } else {
                Ok(())
            }
        };
        // SAFETY: descriptors are held by `self.space`, the path by `self.directory`.
        unsafe {
            if self.own_group {
                check(libc::setpgid(0, 0))?;
            }
            if let Some(space) = &self.space {
                let (user, net, mount) = space.raw();
                if let Some(user) = user {
                    check(libc::setns(user, libc::CLONE_NEWUSER))?;
                }
                check(libc::setns(net, libc::CLONE_NEWNET))?;
                if let Some(mount) = mount {
                    check(libc::setns(mount, libc::CLONE_NEWNS))?;
                }
            }
            // Entering a mount namespace leaves one at its root.
            check(libc::chdir(self.directory.as_ptr()))?;
            if let Some(user) = self.user {
                let extra = user.extra.unwrap_or_default();
                let count = usize::from(user.extra.is_some());
                check(libc::setgroups(count, &raw const extra))?;
                check(libc::setgid(user.gid))?;
                check(libc::setuid(user.uid))?;
            }
            // After every change of identity, which would clear it.
            check(libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL))?;
            if libc::getppid() as u32 != parent {
                return Err(io::Error::from_raw_os_error(libc::ESRCH));
            }
        }
        Ok(())
    }
}
