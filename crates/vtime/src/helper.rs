//! The tracer process: one thread that waits for events of the traced programs and for requests on the door.

use crate::proc;
use crate::settle::Settling;
use crate::sys;
use crate::tracer::{Due, StopError, Tracer};
use crate::wire::{self, Answer, COMMIT, Request};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long everything may stay stopped while the embedding program moves its own clock.
const COMMIT_LIMIT: Duration = Duration::from_secs(30);

/// Runs until the embedding program ends or says so; gives the exit code. Whatever is still traced then is killed.
pub(crate) fn run() -> i32 {
    sys::close_inherited();
    sys::new_session();
    let (Ok(door), Ok(events)) = (sys::take_door(), sys::child_events()) else {
        return 1;
    };
    let log = std::env::var_os("EMU_VTIME_LOG").is_some();
    let mut helper = Helper {
        tracer: Tracer::new(log),
        door,
        events,
        settling: Vec::new(),
        waiting: Vec::new(),
        killing: false,
        refused: String::new(),
    };
    while helper.turn() {}
    helper.tracer.kill_all();
    let limit = Instant::now() + Duration::from_secs(5);
    while !helper.tracer.is_empty() && Instant::now() < limit {
        sys::wait_readable(&[helper.events.as_fd()], Some(Duration::from_millis(100)));
        sys::drain(&helper.events);
        helper.tracer.handle_events();
        helper.tracer.kill_all();
    }
    0
}

struct Helper {
    tracer: Tracer,
    door: OwnedFd,
    events: OwnedFd,
    settling: Vec<Settling>,
    /// Who waits for the last process to end.
    waiting: Vec<OwnedFd>,
    /// Everything is being killed, what is born meanwhile included.
    killing: bool,
    /// Why the last process was not taken.
    refused: String,
}

impl Helper {
    /// Waits for something and does it; `false` at the end.
    fn turn(&mut self) -> bool {
        let next = self.settling.iter().map(Settling::next).min();
        let timeout = next.map(|at| at.saturating_duration_since(Instant::now()));
        let ready = sys::wait_readable(&[self.events.as_fd(), self.door.as_fd()], timeout);
        if ready[0] {
            sys::drain(&self.events);
        }
        self.tracer.handle_events();
        if ready[1] && !self.request() {
            return false;
        }
        let tracer = &mut self.tracer;
        self.settling
            .retain_mut(|settling| match settling.look(tracer) {
                Some(done) => {
                    answer(&settling.reply, &done);
                    false
                }
                None => true,
            });
        if self.killing {
            self.tracer.kill_all();
        }
        if self.tracer.is_empty() {
            self.killing = false;
            for reply in self.waiting.drain(..) {
                answer(&reply, &Answer::default());
            }
        }
        true
    }

    fn request(&mut self) -> bool {
        let mut bytes = [0; Request::LEN];
        let (request, reply) = match sys::receive(self.door.as_raw_fd(), &mut bytes) {
            Ok((Request::LEN, Some(reply))) => (Request::from_bytes(&bytes), reply),
            Ok((0, _)) => return false,
            _ => return true,
        };
        let Some(Request { what, numbers }) = request else {
            return true;
        };
        match what {
            wire::HELLO => {
                let errno = try_tracing();
                answer(
                    &reply,
                    &Answer {
                        numbers: [errno, 0, 0, 0],
                        text: String::new(),
                    },
                );
            }
            wire::JOIN => {
                let errno = match sys::maker_of(reply.as_raw_fd()) {
                    Ok(pid) => self.join(pid),
                    Err(error) => i64::from(error.raw_os_error().unwrap_or(libc::EPERM)),
                };
                let _ = sys::send(reply.as_raw_fd(), &errno.to_ne_bytes(), None);
            }
            wire::MOVE => self.move_clocks(&reply, numbers),
            wire::SETTLE => {
                let limit = Duration::from_nanos(numbers[0].max(0) as u64);
                self.settling.push(Settling::new(reply, limit));
            }
            wire::WAIT => self.waiting.push(reply),
            wire::KILL => {
                self.killing = true;
                self.waiting.push(reply);
            }
            wire::LIST => answer(
                &reply,
                &Answer {
                    text: self.list(),
                    ..Answer::default()
                },
            ),
            wire::DUE => {
                let due = self.due(&reply);
                answer(&reply, &due);
            }
            wire::REFUSED => answer(
                &reply,
                &Answer {
                    text: self.refused.clone(),
                    ..Answer::default()
                },
            ),
            wire::QUIT => return false,
            _ => {}
        }
        true
    }

    fn join(&mut self, pid: i32) -> i64 {
        self.refused.clear();
        let Err(error) = self.tracer.seize(pid) else {
            return 0;
        };
        self.refused = match proc::tracer_of(pid) {
            0 => error.to_string(),
            other => format!(
                "process {other} ({}) traces it already",
                proc::name_of(other)
            ),
        };
        i64::from(error.raw_os_error().unwrap_or(libc::EPERM))
    }

    /// Stop, let the caller move its own clock, move, go on.
    fn move_clocks(&mut self, reply: &OwnedFd, [wall, monotonic, hold]: [i64; 3]) {
        let start = Instant::now();
        let stopped = self.tracer.stop_all(&self.events);
        if let Err(StopError(tids)) = stopped {
            let names: Vec<_> = tids
                .iter()
                .map(|&tid| format!("{tid} ({})", proc::name_of(tid)))
                .collect();
            let text = format!("threads that did not stop: {}", names.join(", "));
            return answer(
                reply,
                &Answer {
                    numbers: [-1, 0, 0, 0],
                    text,
                },
            );
        }
        if hold != 0 {
            answer(reply, &Answer::default());
            let mut byte = [0];
            let ready = sys::wait_readable(&[reply.as_fd()], Some(COMMIT_LIMIT))[0];
            if !ready
                || !matches!(sys::receive(reply.as_raw_fd(), &mut byte), Ok((1, _)))
                || byte != [COMMIT]
            {
                self.tracer.go_on();
                return answer(
                    reply,
                    &Answer {
                        numbers: [-1, 0, 0, 0],
                        text: "not committed".into(),
                    },
                );
            }
        }
        let moved = self.tracer.move_clocks(wall, monotonic);
        self.tracer.go_on();
        let micros = start.elapsed().as_micros() as i64;
        answer(
            reply,
            &Answer {
                numbers: [0, moved.threads as i64, moved.waits as i64, micros],
                text: String::new(),
            },
        );
    }

    /// Stop the threads of some processes, look, go on.
    fn due(&mut self, reply: &OwnedFd) -> Answer {
        let mut bytes = vec![0; Answer::MAX];
        let processes: Vec<i32> = match sys::receive(reply.as_raw_fd(), &mut bytes) {
            Ok((n, _)) => bytes[..n]
                .chunks_exact(4)
                .filter_map(|four| four.try_into().map(i32::from_ne_bytes).ok())
                .collect(),
            Err(_) => Vec::new(),
        };
        // One that does not stop now cannot be told of; it goes on all the same.
        if self
            .tracer
            .stop(&self.events, |pid| processes.contains(&pid))
            .is_err()
        {
            return Answer::default();
        }
        let mut due = self.tracer.due();
        due.retain(|one| processes.contains(&one.process));
        self.tracer.go_on();
        let line = |one: &Due| format!("{} {} {}\n", one.process, one.thread, one.left);
        Answer {
            text: due.iter().map(line).collect(),
            ..Answer::default()
        }
    }

    fn list(&self) -> String {
        let line =
            |(pid, threads): (i32, usize)| format!("{pid} {threads} {}\n", proc::name_of(pid));
        self.tracer.processes().into_iter().map(line).collect()
    }
}

fn answer(reply: &OwnedFd, answer: &Answer) {
    // Whoever asked may be gone.
    let _ = sys::send(reply.as_raw_fd(), &answer.to_bytes(), None);
}

/// Tries to trace a child; gives the errno, 0 when it works.
fn try_tracing() -> i64 {
    let pid = match sys::idle_child() {
        Ok(pid) => pid,
        Err(error) => return i64::from(error.raw_os_error().unwrap_or(libc::EPERM)),
    };
    let errno = sys::seize(pid)
        .err()
        .map_or(0, |e| i64::from(e.raw_os_error().unwrap_or(libc::EPERM)));
    let _ = sys::kill(pid, libc::SIGKILL);
    let _ = sys::wait_for(pid);
    errno
}
