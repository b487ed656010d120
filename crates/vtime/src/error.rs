//! What can go wrong, and why.

use std::io;

/// Why virtual time cannot work on this system.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Unsupported {
    /// Another operating system or processor.
    #[error("virtual time needs Linux on x86_64; this is {os} on {arch}")]
    Platform {
        /// The operating system, as `std::env::consts::OS` names it.
        os: &'static str,
        /// The processor, as `std::env::consts::ARCH` names it.
        arch: &'static str,
    },
    /// The vDSO is missing or cannot be redirected.
    #[error("the clocks cannot be redirected: {0}")]
    Vdso(#[from] VdsoError),
    /// Yama forbids tracing.
    #[error(
        "the kernel's Yama module forbids tracing (kernel.yama.ptrace_scope is {scope}): {hint}"
    )]
    Yama {
        /// The value of `kernel.yama.ptrace_scope`.
        scope: u32,
        /// What to do about it.
        hint: &'static str,
    },
    /// A program can have one tracer only, and this one's children have one already.
    #[error(
        "already traced: process {tracer} ({name}) traces this program; virtual time cannot run under strace, gdb or another virtual time"
    )]
    AlreadyTraced {
        /// The tracer's process id.
        tracer: i32,
        /// Its name.
        name: String,
    },
    /// `ptrace` is refused: by a container's seccomp profile or a security module, most likely.
    #[error(
        "the kernel refuses PTRACE_SEIZE: {0} (a container's seccomp profile or a security module may forbid ptrace)"
    )]
    Refused(io::Error),
    /// The tracer process did not come up.
    #[error("the tracer process does not start: {0}")]
    Tracer(io::Error),
}

/// What can go wrong with a group.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot work here.
    #[error(transparent)]
    Unsupported(#[from] Unsupported),
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// The program as given.
        program: String,
        /// The reason of the system.
        source: io::Error,
    },
    /// A program was started but could not be traced, and was ended again.
    #[error("cannot trace {program}: {why}")]
    Untraceable {
        /// The program as given.
        program: String,
        /// The reason.
        why: String,
    },
    /// A jump was given up because some threads did not stop within ten seconds; nothing moved.
    #[error("the clocks were not moved: {0}")]
    NotStopped(String),
    /// More than the clocks can hold: 292 years.
    #[error("a jump of {0:?} is too far")]
    TooFar(std::time::Duration),
    /// The tracer process is gone, and with it all it traced.
    #[error("the tracer process has ended, and every program of the group with it")]
    TracerGone,
    /// The connection to the tracer process failed.
    #[error("cannot talk to the tracer process: {0}")]
    Tracer(#[source] io::Error),
}

/// Why an image cannot be redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VdsoError {
    /// The program has no vDSO (`vdso=0` on the kernel's command line, or a kernel without one).
    #[error("the program has no vDSO")]
    None,
    /// Not a 64-bit x86 ELF image: a 32-bit program.
    #[error("the vDSO is not that of a 64-bit x86 program")]
    NotX86_64,
    /// The image is not what the ELF specification says.
    #[error("the vDSO's ELF image is damaged: {0}")]
    Damaged(&'static str),
    /// The zero padding behind the image is too short for the stub.
    #[error("no room behind the vDSO: {room} bytes of padding, {needed} needed")]
    NoPadding {
        /// Bytes between the end of the image and the end of its page.
        room: usize,
        /// Bytes that the stub and its slots need.
        needed: usize,
    },
}
