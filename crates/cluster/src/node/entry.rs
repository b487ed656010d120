//! The door to the node's first process: any program that links this crate can be it.
//!
//! A node starts a second copy of the embedding program, marked by a variable, and that copy is taken over before its
//! `main`. So neither `emu` nor a user's test program needs a subcommand for it.
#![allow(unsafe_code)]

/// The variable that marks the copy; its value is the run directory.
pub(crate) const MARK: &str = "EMU_NODE_INIT";
/// The variable that tells the second stage from the first.
pub(crate) const STAGE: &str = "EMU_NODE_INIT_INSIDE";

/// Runs before `main` in each program that links this crate; without the mark it does nothing.
// SAFETY: `.init_array` holds pointers to functions that take nothing they need and return nothing. The standard library's
// files, processes and environment work before `main` on Linux; no thread has been started.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = take_over;

/// Keeps the constructor in programs that can start a node.
pub(crate) fn keep_constructor() {
    std::hint::black_box(&CONSTRUCTOR);
}

extern "C" fn take_over() {
    let Some(run) = std::env::var_os(MARK) else {
        return;
    };
    let inside = std::env::var_os(STAGE).is_some();
    std::process::exit(super::init::main(run.as_ref(), inside));
}
