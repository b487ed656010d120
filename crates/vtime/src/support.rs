//! Can it work here, and if not, why?

use crate::error::{Error, Unsupported, VdsoError};
use crate::{Group, proc, stub, sys, vdso};
use std::fs;
use std::io;

/// Whether virtual time works on this system, by trying it: starts a tracer and has it trace a child.
pub fn supported() -> Result<(), Unsupported> {
    match Group::new() {
        Ok(_) => Ok(()),
        Err(Error::Unsupported(why)) => Err(why),
        Err(other) => Err(Unsupported::Tracer(io::Error::other(other))),
    }
}

/// What can be known without trying: the vDSO and Yama.
pub(crate) fn check_system() -> Result<(), Unsupported> {
    let maps = fs::read_to_string("/proc/self/maps").map_err(Unsupported::Tracer)?;
    let range = vdso::range_in_maps(&maps).ok_or(VdsoError::None)?;
    let mut image = vec![0; (range.end - range.start) as usize];
    sys::peek(std::process::id() as i32, range.start, &mut image).map_err(Unsupported::Refused)?;
    vdso::parse(&image, stub::bytes().len())?;
    match yama_scope() {
        Some(3) => Err(Unsupported::Yama {
            scope: 3,
            hint: "it cannot be lowered until the next boot",
        }),
        _ => Ok(()),
    }
}

/// Why the kernel refused to trace a child.
pub(crate) fn why_refused(errno: i32) -> Unsupported {
    let tracer = proc::tracer_of(std::process::id() as i32);
    if tracer != 0 {
        return Unsupported::AlreadyTraced {
            tracer,
            name: proc::name_of(tracer),
        };
    }
    match yama_scope() {
        Some(scope @ 2..) => Unsupported::Yama {
            scope,
            hint: "run as root, or `sysctl kernel.yama.ptrace_scope=1`",
        },
        _ => Unsupported::Refused(io::Error::from_raw_os_error(errno)),
    }
}

fn yama_scope() -> Option<u32> {
    fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope")
        .ok()?
        .trim()
        .parse()
        .ok()
}
