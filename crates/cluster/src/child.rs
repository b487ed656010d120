//! A program of a pod that is a child process of ours: fed, read, awaited, ended.

use std::{
    os::unix::process::ExitStatusExt,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use emu_core::{Event, Journal, journal::PodRef};
use nix::{
    sys::signal::{Signal, kill, killpg},
    unistd::Pid,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::watch,
};

use crate::{
    cluster::{ClusterError, PodName, Result},
    program::{OutputTo, Program, ProgramInput, ProgramOutput, Running},
};

/// How long output is waited for, in real time, once the program itself has ended: something it left behind may hold
/// the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// Ends what runs behind a child process; its number is its own for as long as this runs.
pub(crate) type End = Box<dyn Fn(u32) + Send + Sync>;

/// Says why the program never ran, if it did not.
pub(crate) type NeverRan = Box<dyn FnOnce() -> Option<String> + Send>;

/// A child and what is to be known of it.
pub(crate) struct Started {
    pub(crate) child: Child,
    /// What it is to read.
    pub(crate) stdin: ProgramInput,
    /// Its name, for the journal.
    pub(crate) program: String,
    pub(crate) pod: PodRef,
    pub(crate) journal: Journal,
    pub(crate) end: End,
    pub(crate) never_ran: Option<NeverRan>,
}

/// What is known of a program: shared by who waits for it and who ends it.
pub(crate) struct State {
    output: Mutex<ProgramOutput>,
    never_ran: Mutex<Option<String>>,
    changed: watch::Sender<bool>,
    process: Mutex<Option<u32>>,
    end: End,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    /// Ends the program, unless it has ended.
    pub(crate) fn kill(&self) {
        // While the lock is held the process has not been waited for, so the number is still its own.
        if let Some(pid) = *lock(&self.process) {
            (self.end)(pid);
        }
    }
}

/// Kills a process, with its process group if it leads one.
pub(crate) fn end_process(own_group: bool) -> End {
    Box::new(move |pid| {
        let pid = Pid::from_raw(pid as i32);
        if own_group {
            let _ = killpg(pid, Signal::SIGKILL);
        }
        let _ = kill(pid, Signal::SIGKILL);
    })
}

/// Gives a command the streams that a program wants.
pub(crate) fn connect(command: &mut Command, program: &Program) {
    command.stdin(match program.stdin {
        ProgramInput::Nothing => Stdio::null(),
        ProgramInput::Bytes(_) => Stdio::piped(),
        ProgramInput::Inherited => Stdio::inherit(),
    });
    let output = || match program.output {
        OutputTo::Inherited => Stdio::inherit(),
        OutputTo::Captured => Stdio::piped(),
    };
    command.stdout(output()).stderr(output());
}

/// Follows a child to its end.
pub(crate) fn follow(started: Started) -> ChildProgram {
    let Started {
        mut child,
        stdin,
        program,
        pod,
        journal,
        end,
        never_ran,
    } = started;
    journal.record(Event::ProgramStarted {
        pod: pod.clone(),
        program: program.clone(),
    });
    let name = PodName::new(&pod.namespace, &pod.name);
    let state = Arc::new(State {
        output: Mutex::default(),
        never_ran: Mutex::default(),
        changed: watch::Sender::new(false),
        process: Mutex::new(child.id()),
        end,
    });
    if let (Some(mut pipe), ProgramInput::Bytes(bytes)) = (child.stdin.take(), stdin) {
        tokio::spawn(async move {
            // A program may end without reading its input.
            let _ = pipe.write_all(&bytes).await;
        });
    }
    let mut readers = tokio::task::JoinSet::new();
    readers.spawn(reader(child.stdout.take(), Arc::clone(&state), |o| {
        &mut o.stdout
    }));
    readers.spawn(reader(child.stderr.take(), Arc::clone(&state), |o| {
        &mut o.stderr
    }));
    let (watched, known_as) = (Arc::clone(&state), program.clone());
    tokio::spawn(async move {
        let status = wait(&mut child, &watched).await;
        let _ = tokio::time::timeout(LAST_WORDS, readers.join_all()).await;
        let why = never_ran.and_then(|why| why());
        let code = status.as_ref().ok().and_then(|s| s.code());
        let code = code.filter(|_| why.is_none());
        *lock(&watched.never_ran) = why;
        let mut output = lock(&watched.output);
        output.code = code;
        output.signal = status.as_ref().ok().and_then(ExitStatusExt::signal);
        drop(output);
        journal.record(Event::ProgramExited {
            pod,
            program: known_as,
            code,
        });
        watched.changed.send_replace(true);
    });
    ChildProgram {
        changes: state.changed.subscribe(),
        state,
        pod: name,
        program,
    }
}

async fn wait(child: &mut Child, state: &State) -> std::io::Result<std::process::ExitStatus> {
    let status = child.wait().await;
    *lock(&state.process) = None;
    status
}

async fn reader(
    pipe: Option<impl AsyncRead + Unpin>,
    state: Arc<State>,
    part: fn(&mut ProgramOutput) -> &mut Vec<u8>,
) {
    let Some(mut pipe) = pipe else { return };
    let mut buffer = vec![0; 8192];
    while let Ok(n @ 1..) = pipe.read(&mut buffer).await {
        part(&mut lock(&state.output)).extend_from_slice(&buffer[..n]);
        state.changed.send_replace(false);
    }
}

/// A program that runs behind a child process of ours. Dropping it ends the program.
pub(crate) struct ChildProgram {
    state: Arc<State>,
    changes: watch::Receiver<bool>,
    pod: PodName,
    program: String,
}

impl ChildProgram {
    /// What is known of it.
    pub(crate) fn state(&self) -> &Arc<State> {
        &self.state
    }
}

#[async_trait]
impl Running for ChildProgram {
    fn so_far(&self) -> ProgramOutput {
        lock(&self.state.output).clone()
    }

    async fn more(&mut self) {
        // What came since the last call counts, so nothing is missed between a look and this.
        if !*self.changes.borrow() {
            let _ = self.changes.changed().await;
        }
    }

    async fn wait(mut self: Box<Self>) -> Result<ProgramOutput> {
        // The sender lives in the state, which we hold.
        let _ = self.changes.wait_for(|ended| *ended).await;
        match lock(&self.state.never_ran).take() {
            None => Ok(std::mem::take(&mut *lock(&self.state.output))),
            Some(why) => Err(ClusterError::Program {
                pod: self.pod.clone(),
                program: self.program.clone(),
                source: std::io::Error::other(why),
            }),
        }
    }

    async fn kill(&mut self) -> Result<()> {
        self.state.kill();
        let _ = self.changes.wait_for(|ended| *ended).await;
        Ok(())
    }
}

impl Drop for ChildProgram {
    fn drop(&mut self) {
        self.state.kill();
    }
}
