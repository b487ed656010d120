//! A group: programs that share one virtual clock.

use crate::error::{Error, Unsupported};
use crate::invitation::Invitation;
use crate::report::{Commit, Due, Offset, Process, Report, Settled};
use crate::support;
use crate::sys;
use crate::wire::{self, Answer, COMMIT, Request};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Programs that share one virtual clock: those spawned into the group, and every process that comes from them.
///
/// The clock starts at real time and goes on with it; [`jump`](Group::jump) moves it. A program may join at any
/// moment and then has the clock of the others. The group is traced by a helper process, a second copy of the
/// embedding program that is taken over before its `main`; when the group is dropped, or the embedding program ends
/// in whatever way, every program of the group is killed.
#[derive(Debug)]
pub struct Group {
    door: Arc<OwnedFd>,
    tracer: Mutex<Child>,
    tracer_pid: u32,
    filter: Arc<[libc::sock_filter]>,
    wall: AtomicI64,
    monotonic: AtomicI64,
}

impl Group {
    /// Starts an empty group.
    pub fn new() -> Result<Self, Error> {
        support::check_system()?;
        let group = Self::start().map_err(Unsupported::Tracer)?;
        let hello = group
            .ask(wire::HELLO, [0; 3])
            .map_err(|error| match error {
                Error::TracerGone => Unsupported::Tracer(io::ErrorKind::BrokenPipe.into()),
                Error::Tracer(error) => Unsupported::Tracer(error),
                other => Unsupported::Tracer(io::Error::other(other)),
            })?;
        match hello.numbers[0] {
            0 => {}
            errno => return Err(support::why_refused(errno as i32).into()),
        }
        Ok(group)
    }

    fn start() -> io::Result<Self> {
        sys::keep_constructor();
        let (ours, theirs) = sys::socket_pair()?;
        let tracer = Command::new("/proc/self/exe")
            .arg0("vtime-tracer")
            .env(sys::MARK, "1")
            .stdin(theirs)
            .stdout(Stdio::null())
            .spawn()?;
        Ok(Self {
            door: Arc::new(ours),
            tracer_pid: tracer.id(),
            tracer: Mutex::new(tracer),
            filter: crate::filter::program().into(),
            wall: AtomicI64::new(0),
            monotonic: AtomicI64::new(0),
        })
    }

    /// Starts a program in the group: `command.spawn()` with the group's clock. The child is an ordinary child of the
    /// calling program: its pipes, its exit status and its signals are where they always are.
    ///
    /// `command` stays prepared for the group: spawned again, it joins again.
    pub fn spawn(&self, command: &mut Command) -> Result<Child, Error> {
        self.prepare(command);
        command.spawn().map_err(|source| {
            // A program that could not be traced failed before its exec, like any other that fails there.
            let refused = self
                .ask(wire::REFUSED, [0; 3])
                .map(|answer| answer.text)
                .unwrap_or_default();
            let traced = refused.is_empty();
            let program = command.get_program().to_string_lossy().into_owned();
            if traced {
                Error::Spawn { program, source }
            } else {
                Error::Untraceable {
                    program,
                    why: refused,
                }
            }
        })
    }

    /// Prepares a command so that whoever spawns it spawns it into the group; for other ways to spawn, such as
    /// tokio's (`group.prepare(command.as_std_mut())`).
    ///
    /// The program joins between fork and exec, after whatever `pre_exec` hooks were added before this call. Where it
    /// may not install a seccomp filter otherwise, an ordinary user's program is given `no_new_privs`.
    pub fn prepare(&self, command: &mut Command) {
        sys::run_in_child(
            command,
            self.door.clone(),
            self.filter.clone(),
            self.tracer_pid,
        );
    }

    /// Lets other processes spawn into the group.
    pub fn invitation(&self) -> Invitation {
        Invitation::new(Arc::clone(&self.door), self.tracer_pid)
    }

    /// Moves both clocks forward. Whatever is due by then happens now; waits that are not due have so much less left.
    pub fn jump(&self, by: Duration) -> Result<Report, Error> {
        let ns = nanoseconds(by)?;
        self.shift(ns, ns, None::<fn(&Commit)>)
            .map(|(report, _)| report)
    }

    /// Moves both clocks forward, and runs `moved` while every thread of the group is stopped: there the embedding
    /// program moves its own clock, so that nobody sees one moved and the other not. It must not spawn into the group,
    /// nor wait for a program of it, and has thirty seconds. If it panics, nothing moves.
    pub fn jump_with<R>(
        &self,
        by: Duration,
        moved: impl FnOnce(&Commit) -> R,
    ) -> Result<(Report, R), Error> {
        let ns = nanoseconds(by)?;
        let (report, result) = self.shift(ns, ns, Some(moved))?;
        Ok((report, result.ok_or(Error::TracerGone)?))
    }

    /// Sets the wall clock alone forward, or back, by nanoseconds, as an administrator would. The monotonic clock,
    /// and every wait that is reckoned from it or is relative, stay.
    pub fn step_wall(&self, delta: i64) -> Result<Report, Error> {
        self.shift(delta, 0, None::<fn(&Commit)>)
            .map(|(report, _)| report)
    }

    /// [`step_wall`](Self::step_wall) with something to run while everything is stopped; see
    /// [`jump_with`](Self::jump_with).
    pub fn step_wall_with<R>(
        &self,
        delta: i64,
        moved: impl FnOnce(&Commit) -> R,
    ) -> Result<(Report, R), Error> {
        let (report, result) = self.shift(delta, 0, Some(moved))?;
        Ok((report, result.ok_or(Error::TracerGone)?))
    }

    /// How far virtual time is ahead.
    pub fn offset(&self) -> Offset {
        Offset {
            wall: self.wall.load(Ordering::SeqCst),
            monotonic: self.monotonic.load(Ordering::SeqCst),
        }
    }

    /// Waits until every thread of the group is blocked in a wait, at most for `limit` of real time: after a jump,
    /// until what was due has been done.
    ///
    /// It knows of threads only: a program that waits for an answer of the embedding program is at rest here, so ask
    /// again when the embedding program has answered.
    pub fn settle(&self, limit: Duration) -> Result<Settled, Error> {
        let answer = self.ask(wire::SETTLE, [nanoseconds(limit)?, 0, 0])?;
        let [settled, threads, micros, switches] = answer.numbers;
        Ok(match settled {
            0 => Settled::No {
                running: answer.text,
            },
            _ => Settled::Yes {
                threads: threads as usize,
                micros: micros as u64,
                switches: switches as u64,
            },
        })
    }

    /// The same for some of its processes, by their numbers, where others are never at rest.
    pub fn settle_among(&self, processes: &[i32], limit: Duration) -> Settled {
        crate::settle::settle_among(processes, limit)
    }

    /// Waits until no process of the group is left, those that went into the background included.
    pub fn wait(&self) -> Result<(), Error> {
        self.ask(wire::WAIT, [0; 3]).map(drop)
    }

    /// Kills every process of the group and waits until none is left. The group can be used again.
    pub fn kill(&self) -> Result<(), Error> {
        self.ask(wire::KILL, [0; 3]).map(drop)
    }

    /// The processes of the group.
    pub fn processes(&self) -> Result<Vec<Process>, Error> {
        let text = self.ask(wire::LIST, [0; 3])?.text;
        let process = |line: &str| {
            let (pid, rest) = line.split_once(' ')?;
            let (threads, name) = rest.split_once(' ')?;
            Some(Process {
                pid: pid.parse().ok()?,
                threads: threads.parse().ok()?,
                name: name.to_owned(),
            })
        };
        Ok(text.lines().filter_map(process).collect())
    }

    /// How long the threads of some of its processes, by their numbers, have yet to wait, where their wait has an end:
    /// the shortest jumps that would wake somebody. Timers are not among them. A wait that began before the first jump
    /// may seem longer than it is, by the real time it has lasted. Stops these processes for a moment.
    pub fn due(&self, processes: &[i32]) -> Result<Vec<Due>, Error> {
        let (ours, theirs) = sys::socket_pair().map_err(Error::Tracer)?;
        let bytes: Vec<u8> = processes.iter().flat_map(|pid| pid.to_ne_bytes()).collect();
        if bytes.is_empty() {
            return Ok(Vec::new());
        }
        sys::send(ours.as_raw_fd(), &bytes, None).map_err(Error::Tracer)?;
        let request = Request::new(wire::DUE, [0; 3]).to_bytes();
        sys::send(self.door.as_raw_fd(), &request, Some(theirs.as_raw_fd())).map_err(gone)?;
        drop(theirs);
        let due = |line: &str| {
            let mut words = line.split(' ');
            Some(Due {
                process: words.next()?.parse().ok()?,
                thread: words.next()?.parse().ok()?,
                left: Duration::from_nanos(words.next()?.parse().ok()?),
            })
        };
        Ok(receive(&ours)?.text.lines().filter_map(due).collect())
    }

    /// The tracer's process id, for whoever wants to keep it apart from others.
    pub fn tracer_id(&self) -> u32 {
        self.tracer_pid
    }

    fn shift<R>(
        &self,
        wall: i64,
        monotonic: i64,
        moved: Option<impl FnOnce(&Commit) -> R>,
    ) -> Result<(Report, Option<R>), Error> {
        // One at a time: what `before` says must hold until the move.
        let _one = self
            .tracer
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let before = self.offset();
        let sum = |a: i64, b: i64| {
            let too_far = || Error::TooFar(Duration::from_nanos(b.unsigned_abs()));
            a.checked_add(b).ok_or_else(too_far)
        };
        let after = Offset {
            wall: sum(before.wall, wall)?,
            monotonic: sum(before.monotonic, monotonic)?,
        };
        let connection = self.request(wire::MOVE, [wall, monotonic, i64::from(moved.is_some())])?;
        let mut result = None;
        if let Some(moved) = moved {
            stopped(&receive(&connection)?)?;
            result = Some(moved(&Commit { before, after }));
            sys::send(connection.as_raw_fd(), &[COMMIT], None).map_err(Error::Tracer)?;
        }
        let answer = receive(&connection)?;
        stopped(&answer)?;
        self.wall.store(after.wall, Ordering::SeqCst);
        self.monotonic.store(after.monotonic, Ordering::SeqCst);
        let [_, threads, waits, micros] = answer.numbers;
        let report = Report {
            threads: threads as usize,
            waits_moved: waits as usize,
            micros: micros as u64,
        };
        Ok((report, result))
    }

    fn ask(&self, what: i64, numbers: [i64; 3]) -> Result<Answer, Error> {
        receive(&self.request(what, numbers)?)
    }

    fn request(&self, what: i64, numbers: [i64; 3]) -> Result<OwnedFd, Error> {
        let (ours, theirs) = sys::socket_pair().map_err(Error::Tracer)?;
        let bytes = Request::new(what, numbers).to_bytes();
        sys::send(self.door.as_raw_fd(), &bytes, Some(theirs.as_raw_fd())).map_err(gone)?;
        Ok(ours)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Commands that were prepared hold the door open, so closing it is not enough.
        let _ = self.request(wire::QUIT, [0; 3]);
        let tracer = self
            .tracer
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = tracer.wait();
    }
}

fn nanoseconds(duration: Duration) -> Result<i64, Error> {
    i64::try_from(duration.as_nanos()).map_err(|_| Error::TooFar(duration))
}

fn gone(error: io::Error) -> Error {
    match error.kind() {
        io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => Error::TracerGone,
        _ => Error::Tracer(error),
    }
}

fn receive(connection: &OwnedFd) -> Result<Answer, Error> {
    let mut bytes = vec![0; Answer::MAX];
    match sys::receive(connection.as_raw_fd(), &mut bytes).map_err(gone)? {
        (0, _) => Err(Error::TracerGone),
        (n, _) => Answer::from_bytes(&bytes[..n]).map_err(Error::Tracer),
    }
}

fn stopped(answer: &Answer) -> Result<(), Error> {
    if answer.numbers[0] < 0 {
        Err(Error::NotStopped(answer.text.clone()))
    } else {
        Ok(())
    }
}
