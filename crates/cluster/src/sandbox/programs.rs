//! Programs of a pod: started, watched, ended.

use std::{
    collections::BTreeMap,
    io,
    os::unix::process::ExitStatusExt,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak, mpsc},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use emu_core::{Event, Journal, journal::PodRef};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    sync::{oneshot, watch},
};

use super::space::{Entry, ProcessHandle};
use crate::{
    cluster::Result,
    program::{OutputTo, Program, ProgramInput, ProgramOutput, Running},
};

/// How long output is waited for, in real time, once the program itself has ended: something it left behind may hold
/// the pipe open.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How long the end of killed processes is waited for, in real time.
const GOING: Duration = Duration::from_millis(500);

type Job = Box<dyn FnOnce() + Send>;

/// The thread that spawns programs. Programs end with the thread that spawned them, so it lives as long as the sandbox.
pub(super) struct Spawner {
    jobs: mpsc::Sender<Job>,
}

impl Spawner {
    pub(super) fn new() -> io::Result<Self> {
        let (jobs, queue) = mpsc::channel::<Job>();
        std::thread::Builder::new()
            .name("sandbox-spawner".into())
            .spawn(move || queue.into_iter().for_each(|job| job()))?;
        Ok(Self { jobs })
    }

    pub(super) async fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let runtime = tokio::runtime::Handle::current();
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move || {
            let _inside = runtime.enter();
            let _ = sender.send(command.spawn());
        });
        let gone = || io::Error::other("the sandbox is gone");
        self.jobs.send(job).map_err(|_| gone())?;
        receiver.await.map_err(|_| gone())?
    }
}

/// What a program needs beside its own words.
pub(super) struct Start {
    pub(super) program: Program,
    pub(super) env: BTreeMap<String, String>,
    pub(super) entry: Entry,
    /// Puts the program under virtual time.
    pub(super) group: Option<Arc<emu_vtime::Group>>,
    pub(super) pod: PodRef,
    pub(super) journal: Journal,
}

/// The programs of one pod.
#[derive(Default)]
pub(super) struct Programs(Mutex<Vec<Weak<State>>>);

struct State {
    output: Mutex<ProgramOutput>,
    changed: watch::Sender<bool>,
    process: Mutex<Option<u32>>,
    own_group: bool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl State {
    fn kill(&self) {
        // While the lock is held the process has not been waited for, so the number is still its own.
        if let Some(pid) = *lock(&self.process) {
            let pid = nix::unistd::Pid::from_raw(pid as i32);
            let kill = nix::sys::signal::Signal::SIGKILL;
            if self.own_group {
                let _ = nix::sys::signal::killpg(pid, kill);
            }
            let _ = nix::sys::signal::kill(pid, kill);
        }
    }
}

impl Programs {
    /// Starts a program.
    pub(super) async fn start(
        &self,
        spawner: &Spawner,
        start: Start,
    ) -> io::Result<SandboxProgram> {
        let Start {
            program,
            env,
            mut entry,
            group,
            pod,
            journal,
        } = start;
        let mut words = program.argv.iter();
        let first = words
            .next()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "there is no command"))?
            .clone();
        let inherited = program.output == OutputTo::Inherited;
        // A program on the terminal must stay in its foreground group.
        entry.own_group = program.stdin != ProgramInput::Inherited;
        let own_group = entry.own_group;
        let mut command = Command::new(&first);
        command
            .args(words)
            .env_clear()
            .envs(&env)
            .kill_on_drop(true);
        command.stdin(match program.stdin {
            ProgramInput::Nothing => Stdio::null(),
            ProgramInput::Bytes(_) => Stdio::piped(),
            ProgramInput::Inherited => Stdio::inherit(),
        });
        let output = || match inherited {
            true => Stdio::inherit(),
            false => Stdio::piped(),
        };
        command.stdout(output()).stderr(output());
        entry.apply(command.as_std_mut());
        if let Some(group) = group {
            group.prepare(command.as_std_mut());
        }
        let mut child = spawner.spawn(command).await?;
        journal.record(Event::ProgramStarted {
            pod: pod.clone(),
            program: first.clone(),
        });
        let state = Arc::new(State {
            output: Mutex::default(),
            changed: watch::Sender::new(false),
            process: Mutex::new(child.id()),
            own_group,
        });
        let mut started = lock(&self.0);
        started.retain(|s| s.strong_count() > 0);
        started.push(Arc::downgrade(&state));
        drop(started);
        if let (Some(mut stdin), ProgramInput::Bytes(bytes)) = (child.stdin.take(), program.stdin) {
            tokio::spawn(async move {
                let _ = stdin.write_all(&bytes).await;
            });
        }
        let mut readers = tokio::task::JoinSet::new();
        readers.spawn(reader(child.stdout.take(), Arc::clone(&state), |o| {
            &mut o.stdout
        }));
        readers.spawn(reader(child.stderr.take(), Arc::clone(&state), |o| {
            &mut o.stderr
        }));
        let watched = Arc::clone(&state);
        tokio::spawn(async move {
            let status = wait(&mut child, &watched).await;
            let _ = tokio::time::timeout(LAST_WORDS, readers.join_all()).await;
            let mut output = lock(&watched.output);
            output.code = status.as_ref().ok().and_then(|s| s.code());
            output.signal = status.as_ref().ok().and_then(ExitStatusExt::signal);
            let code = output.code;
            drop(output);
            journal.record(Event::ProgramExited {
                pod,
                program: first,
                code,
            });
            watched.changed.send_replace(true);
        });
        Ok(SandboxProgram {
            changes: state.changed.subscribe(),
            state,
        })
    }

    /// Ends every program and what it left in the background.
    pub(super) fn end_all(&self) {
        for program in lock(&self.0).drain(..) {
            if let Some(state) = program.upgrade() {
                state.kill();
            }
        }
    }
}

async fn wait(child: &mut Child, state: &State) -> io::Result<std::process::ExitStatus> {
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

/// Ends every process in the network namespace with this number (what programs left in the background), and waits for
/// some milliseconds until they are gone.
pub(super) fn end_all_in(net_inode: u64) {
    let wanted = PathBuf::from(format!("net:[{net_inode}]"));
    let Ok(processes) = std::fs::read_dir("/proc") else {
        return;
    };
    let mut ending = Vec::new();
    for process in processes.flatten() {
        let Some(pid) = process.file_name().to_str().and_then(|n| n.parse().ok()) else {
            continue;
        };
        // The handle first: it stays with the process that is looked at.
        let Ok(handle) = ProcessHandle::open(pid) else {
            continue;
        };
        if std::fs::read_link(process.path().join("ns/net")).is_ok_and(|link| link == wanted) {
            handle.kill();
            ending.push(handle);
        }
    }
    let deadline = Instant::now() + GOING;
    for handle in ending {
        handle.wait_until(deadline);
    }
}

/// A program that runs in a pod of a sandbox.
pub(super) struct SandboxProgram {
    state: Arc<State>,
    changes: watch::Receiver<bool>,
}

#[async_trait]
impl Running for SandboxProgram {
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
        Ok(std::mem::take(&mut *lock(&self.state.output)))
    }

    async fn kill(&mut self) -> Result<()> {
        self.state.kill();
        let _ = self.changes.wait_for(|ended| *ended).await;
        Ok(())
    }
}

impl Drop for SandboxProgram {
    fn drop(&mut self) {
        self.state.kill();
    }
}
