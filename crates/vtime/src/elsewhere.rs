//! Systems that virtual time does not reach: the same API, which says so.

use crate::error::{Error, Unsupported};
use crate::report::{Commit, Due, Offset, Process, Report, Settled};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::{Child, Command};
use std::time::Duration;

/// Programs that share one virtual clock; cannot be made on this system.
#[derive(Debug)]
pub struct Group(std::convert::Infallible);

fn why() -> Unsupported {
    Unsupported::Platform {
        os: std::env::consts::OS,
        arch: std::env::consts::ARCH,
    }
}

/// Whether virtual time works on this system: it does not.
pub fn supported() -> Result<(), Unsupported> {
    Err(why())
}

#[allow(missing_docs)] // as on Linux on x86_64
impl Group {
    pub fn new() -> Result<Self, Error> {
        Err(why().into())
    }
    pub fn spawn(&self, _: &mut Command) -> Result<Child, Error> {
        match self.0 {}
    }
    pub fn prepare(&self, _: &mut Command) {
        match self.0 {}
    }
    pub fn jump(&self, _: Duration) -> Result<Report, Error> {
        match self.0 {}
    }
    pub fn jump_with<R>(
        &self,
        _: Duration,
        _: impl FnOnce(&Commit) -> R,
    ) -> Result<(Report, R), Error> {
        match self.0 {}
    }
    pub fn step_wall(&self, _: i64) -> Result<Report, Error> {
        match self.0 {}
    }
    pub fn step_wall_with<R>(
        &self,
        _: i64,
        _: impl FnOnce(&Commit) -> R,
    ) -> Result<(Report, R), Error> {
        match self.0 {}
    }
    pub fn offset(&self) -> Offset {
        match self.0 {}
    }
    pub fn settle(&self, _: Duration) -> Result<Settled, Error> {
        match self.0 {}
    }
    pub fn wait(&self) -> Result<(), Error> {
        match self.0 {}
    }
    pub fn kill(&self) -> Result<(), Error> {
        match self.0 {}
    }
    pub fn processes(&self) -> Result<Vec<Process>, Error> {
        match self.0 {}
    }
    pub fn settle_among(&self, _: &[i32], _: Duration) -> Settled {
        match self.0 {}
    }
    pub fn due(&self, _: &[i32]) -> Result<Vec<Due>, Error> {
        match self.0 {}
    }
    pub fn tracer_id(&self) -> u32 {
        match self.0 {}
    }
    pub fn invitation(&self) -> Invitation {
        match self.0 {}
    }
}

/// A way into a group of another process; there is none on this system, and a command that it prepares stays as it is.
#[derive(Debug)]
pub struct Invitation(OwnedFd, u32);

#[allow(missing_docs)] // as on Linux on x86_64
impl Invitation {
    pub fn from_parts(door: OwnedFd, tracer: u32) -> Self {
        Self(door, tracer)
    }
    pub fn door(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
    pub fn tracer_id(&self) -> u32 {
        self.1
    }
    pub fn prepare(&self, _: &mut Command) {}
}
