//! The program `emu`: arguments in, text out.
#![forbid(unsafe_code)]

fn main() {}
