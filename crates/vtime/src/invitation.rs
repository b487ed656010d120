//! How a process that the embedding program did not spawn comes into a group.

use crate::filter;
use crate::sys;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::sync::Arc;

/// Lets another process of the same user, which embeds the same build of this crate, spawn into a group, or become a
/// program of it (`std::os::unix::process::CommandExt::exec`). The way there is a descriptor and a number: hand both on by
/// whatever means, a Unix socket say, and put them together again with [`from_parts`](Self::from_parts).
#[derive(Debug, Clone)]
pub struct Invitation {
    door: Arc<OwnedFd>,
    tracer: u32,
}

impl Invitation {
    pub(crate) fn new(door: Arc<OwnedFd>, tracer: u32) -> Self {
        Self { door, tracer }
    }

    /// An invitation that came from another process.
    pub fn from_parts(door: OwnedFd, tracer: u32) -> Self {
        Self::new(Arc::new(door), tracer)
    }

    /// The descriptor to hand on.
    pub fn door(&self) -> BorrowedFd<'_> {
        self.door.as_fd()
    }

    /// The number to hand on: the tracer's process id.
    pub fn tracer_id(&self) -> u32 {
        self.tracer
    }

    /// Prepares a command as [`Group::prepare`](crate::Group::prepare) does. If the group has ended meanwhile, the command
    /// fails to start.
    pub fn prepare(&self, command: &mut Command) {
        let filter = filter::program().into();
        sys::run_in_child(command, self.door.clone(), filter, self.tracer);
    }
}
