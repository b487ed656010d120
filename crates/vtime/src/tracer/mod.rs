//! The tracer: what it knows of each thread and process, and what it does at each stop.
//!
//! It lives in a process of its own with one thread, because all `ptrace` calls for a program must come from the
//! thread that seized it, and because `waitpid(-1)` and `SIGCHLD` belong to that process alone there.

mod again;
mod due;
mod jump;
mod memory;
mod stops;
mod timers;

use crate::proc;
use crate::sys::{self, Status};
use crate::vdso::Image;
use memory::Stub;
use std::collections::{HashMap, HashSet};
use std::io;

pub(crate) use due::Due;
pub(crate) use jump::StopError;

/// How many system calls a thread that ran during a jump may make before its next timed wait counts as begun after it.
const STALE_CALLS: u8 = 64;

/// What was done to the wait a thread is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wait {
    /// Nothing: it runs, or its wait needs no help.
    Untouched,
    /// A point in time was replaced by one on the kernel's clock; put the argument back when the call ends.
    Translated(Borrowed),
    /// A relative wait that a jump broke off: to be issued again by the same instruction.
    Again(Again),
    /// It was, and is waiting for what is left.
    Resumed(Again, Borrowed),
}

/// An argument register that holds something of ours for the length of one system call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Borrowed {
    arg: usize,
    original: u64,
    ours: u64,
    /// Where the call returns to.
    ip: u64,
    slot: Option<usize>,
    writes_back: bool,
}

/// A relative wait to issue again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Again {
    nr: i64,
    ip: u64,
    sp: u64,
    args: [u64; 6],
    /// When it ends, on the virtual monotonic clock, in nanoseconds.
    deadline: i64,
}

/// A call that was broken off and is about to be issued again, as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Broken {
    /// The call's number and result as the kernel left them, and where it returns to.
    nr: u64,
    result: u64,
    ip: u64,
}

/// One traced thread.
#[derive(Debug)]
struct Thread {
    tid: i32,
    process: i32,
    /// Its first stop has not been handled.
    fresh: bool,
    /// A stop that is kept back while everything is stopped.
    held: Option<Status>,
    wait: Wait,
    /// The last call that was set up to be issued again.
    broken: Option<Broken>,
    /// The system call that `restart_syscall` goes on with.
    restarted: Option<i64>,
    /// Blocked until its vfork child execs or ends: it cannot be interrupted.
    vforking: bool,
    /// Its program was stopped by a signal, and it waits to be continued.
    stopped: bool,
    /// A process's first thread that ended before the others: nothing more is heard until they end too.
    dead: bool,
    /// It ran during a jump and has not read the clock since: system calls left (0: not so), and the jump's length.
    stale: u8,
    stale_by: i64,
}

/// One traced process.
#[derive(Debug, Default)]
struct Process {
    /// Where its stub is; none before its first exec under the tracer, and in 32-bit programs.
    stub: Option<Stub>,
    /// The offsets (wall, monotonic) that were written into it.
    written: (i64, i64),
    /// It has used `alarm` or `setitimer`.
    itimer: bool,
    /// It has created POSIX timers.
    timers: bool,
    /// Those that were last armed with a point in time.
    absolute_timers: HashSet<i32>,
    /// Moves (wall, monotonic) that its timers have not followed yet.
    owed: (i64, i64),
    /// Since when every clock read is reported.
    watched: Option<i64>,
}

/// All that is traced, and the clocks.
#[derive(Debug, Default)]
pub(crate) struct Tracer {
    threads: HashMap<i32, Thread>,
    processes: HashMap<i32, Process>,
    /// Virtual minus kernel clock, in nanoseconds.
    wall: i64,
    monotonic: i64,
    /// Somebody has created a timer descriptor.
    timerfds: bool,
    /// The vDSO is the same in every program of a kernel: parsed once.
    image: Option<Image>,
    /// Threads that ended while they were lent; see `timers`.
    ended: Vec<i32>,
    log: bool,
}

impl Tracer {
    pub(crate) fn new(log: bool) -> Self {
        Self {
            log,
            ..Self::default()
        }
    }

    /// Begins to trace a process that asked for it and waits.
    pub(crate) fn seize(&mut self, pid: i32) -> io::Result<()> {
        if self.threads.contains_key(&pid) {
            return Ok(()); // its command was prepared twice
        }
        sys::seize(pid)?;
        self.threads.insert(pid, Thread::new(pid, pid));
        Ok(())
    }

    /// Whether nothing is traced.
    pub(crate) fn is_empty(&self) -> bool {
        self.threads.is_empty()
    }

    /// The ids of the threads that can run: not those that wait for their vfork child or have been stopped.
    pub(crate) fn able_threads(&self) -> impl Iterator<Item = i32> {
        self.threads.values().filter(|t| t.is_able()).map(|t| t.tid)
    }

    /// Whether a thread is one of those.
    pub(crate) fn is_able(&self, tid: i32) -> bool {
        self.threads.get(&tid).is_some_and(Thread::is_able)
    }

    /// The processes, with the number of threads of each.
    pub(crate) fn processes(&self) -> Vec<(i32, usize)> {
        let mut counts = HashMap::new();
        for thread in self.threads.values() {
            *counts.entry(thread.process).or_insert(0) += 1;
        }
        let mut list: Vec<_> = counts.into_iter().collect();
        list.sort_unstable();
        list
    }

    /// Sends `SIGKILL` to every process.
    pub(crate) fn kill_all(&self) {
        for (pid, _) in self.processes() {
            let _ = sys::kill(pid, libc::SIGKILL);
        }
    }

    /// Handles every event there is now.
    pub(crate) fn handle_events(&mut self) {
        while let Some((tid, status)) = sys::next_event() {
            self.handle(tid, status);
        }
    }

    fn log(&self, what: impl FnOnce() -> String) {
        if self.log {
            eprintln!("vtime: {}", what());
        }
    }

    fn forget(&mut self, tid: i32) {
        let Some(thread) = self.threads.remove(&tid) else {
            return;
        };
        self.release(&thread);
        if !self.threads.values().any(|t| t.process == thread.process) {
            self.processes.remove(&thread.process);
        }
    }

    /// Gives back the scratch slot of a thread.
    fn release(&mut self, thread: &Thread) {
        if let Wait::Translated(borrowed) | Wait::Resumed(_, borrowed) = thread.wait {
            self.free_slot(thread.process, borrowed.slot);
        }
    }

    /// An exec ends all other threads of the process; only the one that did it, with the process's id, goes on.
    fn drop_siblings(&mut self, tid: i32) {
        let process = self.threads.get(&tid).map_or(tid, |t| t.process);
        self.threads
            .retain(|&other, t| other == tid || t.process != process);
    }

    fn take(&mut self, tid: i32) -> Thread {
        self.threads
            .remove(&tid)
            .unwrap_or_else(|| Thread::new(tid, proc::process_of(tid)))
    }

    /// Does what one event asks for, and lets the thread run on.
    fn handle(&mut self, tid: i32, status: Status) {
        if status.ended() {
            return self.forget(tid);
        }
        if status.event() == libc::PTRACE_EVENT_EXEC {
            self.drop_siblings(tid);
        }
        let mut thread = self.take(tid);
        let resume = self.at_stop(&mut thread, status);
        if self.owes(thread.process) {
            // Its timers have to be moved, for which it must stop outside of any call.
            let _ = sys::interrupt(tid);
        }
        if let Some(signal) = resume {
            let to_syscall = thread.wait != Wait::Untouched || thread.stale > 0;
            if let Err(error) = sys::resume(tid, signal, to_syscall)
                && error.raw_os_error() != Some(libc::ESRCH)
            {
                eprintln!("vtime: cannot resume thread {tid}: {error}");
            }
        }
        self.threads.insert(tid, thread);
        self.forget_ended();
    }

    fn forget_ended(&mut self) {
        for tid in std::mem::take(&mut self.ended) {
            self.forget(tid);
        }
    }

    /// Handles one stop. Gives the signal to go on with, or nothing when the thread stays stopped.
    fn at_stop(&mut self, thread: &mut Thread, status: Status) -> Option<i32> {
        let fresh = std::mem::take(&mut thread.fresh);
        thread.stopped = false;
        self.expect_child(thread.tid, status);
        if status.event() == libc::PTRACE_EVENT_EXEC {
            self.at_exec(thread);
            return Some(0);
        }
        match self.processes.get(&thread.process) {
            // A forked child has a copy of its parent's stub, with the offsets of when it was copied.
            None => self.adopt(thread),
            Some(process) if process.written != (self.wall, self.monotonic) => {
                self.write_offsets(thread);
            }
            Some(_) => {}
        }
        match status.event() {
            0 if status.is_syscall() => self.at_syscall(thread),
            0 => {
                self.at_signal(thread, status.signal());
                return Some(status.signal());
            }
            libc::PTRACE_EVENT_SECCOMP => self.at_seccomp(thread),
            libc::PTRACE_EVENT_VFORK => thread.vforking = true,
            libc::PTRACE_EVENT_VFORK_DONE => {
                thread.vforking = false;
            }
            libc::PTRACE_EVENT_STOP if status.is_group_stop() => {
                self.remember_wait(thread);
                thread.stopped = true;
                let _ = sys::listen(thread.tid);
                return None;
            }
            libc::PTRACE_EVENT_STOP if !fresh => self.at_late_interrupt(thread),
            // Fork and clone: the child reports by itself.
            _ => {}
        }
        Some(0)
    }

    /// A fork or clone: counts the child in at once, though its own first stop is still to come, so that nothing is
    /// forgotten when everything is to stop. Gives the child if it was not known.
    fn expect_child(&mut self, tid: i32, status: Status) -> Option<i32> {
        let born = [
            libc::PTRACE_EVENT_FORK,
            libc::PTRACE_EVENT_VFORK,
            libc::PTRACE_EVENT_CLONE,
        ];
        if !born.contains(&status.event()) {
            return None;
        }
        let child = sys::event_message(tid).ok()? as i32;
        // It may have lived and ended already.
        if self.threads.contains_key(&child) || proc::tracer_of(child) != std::process::id() as i32
        {
            return None;
        }
        self.threads
            .insert(child, Thread::new(child, proc::process_of(child)));
        Some(child)
    }

    fn at_exec(&mut self, thread: &mut Thread) {
        let process = self.processes.entry(thread.process).or_default();
        // An alarm survives an exec, timers do not.
        let Process {
            itimer,
            owed,
            written,
            ..
        } = *process;
        *process = Process {
            itimer,
            owed,
            written,
            ..Process::default()
        };
        *thread = Thread {
            fresh: false,
            ..Thread::new(thread.tid, thread.process)
        };
        self.patch(thread);
    }
}

impl Thread {
    fn is_able(&self) -> bool {
        !self.vforking && !self.stopped && !self.dead
    }

    fn new(tid: i32, process: i32) -> Self {
        Self {
            tid,
            process,
            fresh: true,
            held: None,
            wait: Wait::Untouched,
            broken: None,
            restarted: None,
            vforking: false,
            stopped: false,
            dead: false,
            stale: 0,
            stale_by: 0,
        }
    }
}
