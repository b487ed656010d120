//! Virtual time for unmodified Linux programs: spawn a program tree, jump its clocks while it runs.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use std::{process::Command, time::Duration};
//!
//! let group = emu_vtime::Group::new()?;
//! let mut child = group.spawn(Command::new("sleep").arg("3600"))?;
//! group.jump(Duration::from_secs(3600))?;
//! assert!(child.wait()?.success()); // at once
//! # Ok(()) }
//! ```
//!
//! # How
//!
//! Programs read the clock through the vDSO, without a system call; there a stub adds an offset. The few system
//! calls that hold a *point* in time are stopped by a seccomp filter and translated. At a jump all threads are
//! stopped, the offsets written, timers moved, and each timed wait is issued again with what is left of it. No
//! program sees a signal or an interrupted call. See the README for limits and costs.
#![deny(unsafe_code)]

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod filter;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod group;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod helper;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod invitation;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod proc;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod settle;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod stub;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod support;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod sys;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod tracer;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod vdso;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod waits;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod wire;

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
#[path = "elsewhere.rs"]
mod group;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
use group as support;

mod error;
mod report;

pub use error::{Error, Unsupported, VdsoError};
pub use group::Group;
#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
pub use group::Invitation;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
pub use invitation::Invitation;
pub use report::{Commit, Due, Offset, Process, Report, Settled};
pub use support::supported;
