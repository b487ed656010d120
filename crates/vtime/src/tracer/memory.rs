//! The stub in a traced program: put in at exec, found after fork, its offsets, watch and scratch slots written.

use super::{Process, Thread, Tracer};
use crate::error::VdsoError;
use crate::proc;
use crate::stub;
use crate::sys::{self, SECOND};
use crate::vdso::{self, Function, Image};
use std::ops::Range;

/// Length of a scratch slot: an `itimerspec`.
const SLOT: u64 = 32;
/// What lies below the stack pointer and still belongs to the running function.
const RED_ZONE: u64 = 128;

/// The stub of one process.
#[derive(Debug)]
pub(super) struct Stub {
    pub(super) address: u64,
    pub(super) vdso: Range<u64>,
    /// A `syscall` instruction, to run system calls in the program's name.
    pub(super) syscall: Option<u64>,
    slots: Vec<bool>,
}

/// Seconds and nanoseconds of a time, the latter never negative.
pub(super) fn split(ns: i64) -> [i64; 2] {
    [ns.div_euclid(SECOND), ns.rem_euclid(SECOND)]
}

/// Numbers as a program's memory holds them.
pub(super) fn to_bytes<const N: usize>(words: [i64; N]) -> Vec<u8> {
    words.iter().flat_map(|w| w.to_ne_bytes()).collect()
}

impl Tracer {
    /// At an exec: leads the vDSO's clock functions to a stub behind it.
    pub(super) fn patch(&mut self, thread: &Thread) {
        match self.try_patch(thread) {
            Ok(()) => {}
            Err(why) => eprintln!(
                "vtime: process {} ({}) keeps the real clock: {why}",
                thread.process,
                proc::name_of(thread.process)
            ),
        }
    }

    fn try_patch(&mut self, thread: &Thread) -> Result<(), VdsoError> {
        let tid = thread.tid;
        let (base, image) = self.image_of(tid)?;
        let marks = stub::marks();
        let address = base + image.stub;
        let mut bytes = stub::bytes().to_vec();
        let write = |addr, bytes: &[u8]| {
            sys::poke(tid, addr, bytes)
                .map_err(|_| VdsoError::Damaged("its memory cannot be written"))
        };
        for symbol in &image.symbols {
            let (to, kernel) = match symbol.function {
                Function::ClockGettime => (marks.clock_gettime, Some(stub::KERNEL_CLOCK_GETTIME)),
                Function::Gettimeofday => (marks.gettimeofday, Some(stub::KERNEL_GETTIMEOFDAY)),
                Function::Time => (marks.time, None),
            };
            if let Some(at) = kernel {
                bytes[at..at + 8].copy_from_slice(&(base + symbol.value).to_ne_bytes());
            }
            write(base + symbol.value_at, &(image.stub + to).to_ne_bytes())?;
        }
        write(address, &bytes)?;
        self.install(thread, base, &image);
        self.log(|| {
            format!(
                "process {} ({}) under virtual time",
                thread.process,
                proc::name_of(thread.process)
            )
        });
        Ok(())
    }

    /// At a new process's first stop: finds the stub that it inherited, by its own auxiliary vector and the magic.
    pub(super) fn adopt(&mut self, thread: &Thread) {
        self.processes.insert(thread.process, Process::default());
        let Ok((base, image)) = self.image_of(thread.tid) else {
            return;
        };
        let mut magic = [0; 8];
        if sys::peek(thread.tid, base + image.stub, &mut magic).is_ok()
            && magic == stub::bytes()[..8]
        {
            self.install(thread, base, &image);
        }
    }

    fn install(&mut self, thread: &Thread, base: u64, image: &Image) {
        let slots = (image.pages_end - image.stub - stub::marks().len) / SLOT;
        let process = self.processes.entry(thread.process).or_default();
        process.stub = Some(Stub {
            address: base + image.stub,
            vdso: base..base + image.pages_end,
            syscall: image.syscall.map(|at| base + at),
            slots: vec![false; slots as usize],
        });
        self.write_offsets(thread);
        self.write_watch(thread, false);
    }

    /// Where a program's vDSO is, and what is where in it.
    fn image_of(&mut self, pid: i32) -> Result<(u64, Image), VdsoError> {
        let base = proc::vdso_address(pid).ok_or(VdsoError::None)?;
        let mut head = [0; 20];
        sys::peek(pid, base, &mut head)
            .map_err(|_| VdsoError::Damaged("its memory cannot be read"))?;
        if head[4] != 2 || head[18] != 62 {
            return Err(VdsoError::NotX86_64);
        }
        if self.image.is_none() {
            self.image = Some(read_image(pid)?);
        }
        self.image
            .clone()
            .map(|image| (base, image))
            .ok_or(VdsoError::None)
    }

    /// Writes the current offsets into a program through one of its stopped threads.
    pub(super) fn write_offsets(&mut self, thread: &Thread) {
        let now = (self.wall, self.monotonic);
        let (wall, monotonic) = (split(now.0), split(now.1));
        let Some(process) = self.processes.get_mut(&thread.process) else {
            return;
        };
        let before = std::mem::replace(&mut process.written, now);
        if process.itimer || process.timers {
            process.owed.0 += now.0 - before.0;
            process.owed.1 += now.1 - before.1;
        }
        let Some(stub) = &process.stub else { return };
        let words = to_bytes([wall[0], wall[1], monotonic[0], monotonic[1]]);
        if let Err(error) = sys::poke(thread.tid, stub.address + stub::OFFSETS, &words)
            && error.raw_os_error() != Some(libc::ESRCH)
        {
            eprintln!(
                "vtime: cannot set the clock of process {}: {error}",
                thread.process
            );
        }
    }

    /// Has every clock read of a program reported, or no longer.
    pub(super) fn write_watch(&mut self, thread: &Thread, on: bool) {
        let now = sys::kernel_clock(libc::CLOCK_MONOTONIC);
        let Some(process) = self.processes.get_mut(&thread.process) else {
            return;
        };
        process.watched = on.then_some(now);
        if let Some(stub) = &process.stub {
            let _ = sys::poke(
                thread.tid,
                stub.address + stub::WATCH,
                &u64::from(on).to_ne_bytes(),
            );
        }
    }

    /// Puts bytes where the program's next system call can read them: a slot behind the stub or, when all are in use,
    /// below its stack. Gives the address and the slot.
    pub(super) fn place(
        &mut self,
        thread: &Thread,
        sp: u64,
        bytes: &[u8],
    ) -> Option<(u64, Option<usize>)> {
        let stub = self.processes.get_mut(&thread.process)?.stub.as_mut()?;
        let free = stub.slots.iter().position(|used| !used);
        let address = match free {
            Some(n) => stub.address + stub::marks().len + SLOT * n as u64,
            None => (sp - RED_ZONE - 2 * SLOT) & !15,
        };
        sys::poke(thread.tid, address, bytes).ok()?;
        if let Some(n) = free {
            stub.slots[n] = true;
        }
        Some((address, free))
    }

    /// Gives a slot back.
    pub(super) fn free_slot(&mut self, process: i32, slot: Option<usize>) {
        let stub = self
            .processes
            .get_mut(&process)
            .and_then(|p| p.stub.as_mut());
        if let Some((stub, n)) = stub.zip(slot) {
            stub.slots[n] = false;
        }
    }
}

fn read_image(pid: i32) -> Result<Image, VdsoError> {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let range = vdso::range_in_maps(&maps).ok_or(VdsoError::None)?;
    let mut image = vec![0; (range.end - range.start) as usize];
    sys::peek(pid, range.start, &mut image)
        .map_err(|_| VdsoError::Damaged("its memory cannot be read"))?;
    vdso::parse(&image, stub::bytes().len())
}
