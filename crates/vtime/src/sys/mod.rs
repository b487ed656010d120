//! The one place with `unsafe`: system calls that the standard library does not offer, each behind a function that
//! is safe to call. Nothing here decides anything.
//!
//! What makes them safe: arguments are owned or borrowed Rust values whose sizes are passed along; memory of other
//! programs is only reached by number, through calls that fail (never fault) when it is not there; and whatever
//! happens to a *traced* program is not memory of ours.
#![allow(unsafe_code)]

mod child;
mod clocks;
mod ptrace;
mod sockets;
mod start;

pub(crate) use child::run_in_child;
pub(crate) use clocks::*;
pub(crate) use ptrace::*;
pub(crate) use sockets::*;
pub(crate) use start::*;

use crate::stub::MARKS;
use std::io;

/// Turns a system call's `-1` into the error it left behind.
fn check(result: impl Into<i64>) -> io::Result<i64> {
    match result.into() {
        -1 => Err(io::Error::last_os_error()),
        value => Ok(value),
    }
}

unsafe extern "C" {
    static emu_vtime_stub: u8;
    static emu_vtime_stub_marks: [u32; MARKS];
}

/// The first `len` bytes of the stub; `len` is the first of its marks.
pub(crate) fn stub_bytes(len: usize) -> &'static [u8] {
    assert!(len <= stub_marks()[0] as usize, "longer than the stub");
    // SAFETY: the stub is `marks[0]` bytes of read-only data that the assembler laid out in `stub.rs`.
    unsafe { std::slice::from_raw_parts(&raw const emu_vtime_stub, len) }
}

/// The table of places that follows the stub.
pub(crate) fn stub_marks() -> [u32; MARKS] {
    // SAFETY: that many `.long` in read-only data, written by the assembler in `stub.rs`.
    unsafe { emu_vtime_stub_marks }
}
