//! Programs of a pod: started and ended.

use std::{
    collections::BTreeMap,
    io,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, Weak, mpsc},
    time::{Duration, Instant},
};

use emu_core::{Journal, journal::PodRef};
use tokio::{
    process::{Child, Command},
    sync::oneshot,
};

use super::space::{Entry, ProcessHandle};
use crate::{
    child::{self, ChildProgram, Started, State},
    program::{Program, ProgramInput},
};

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

impl Programs {
    /// Starts a program.
    pub(super) async fn start(&self, spawner: &Spawner, start: Start) -> io::Result<ChildProgram> {
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
        // A program on the terminal must stay in its foreground group.
        entry.own_group = program.stdin != ProgramInput::Inherited;
        let end = child::end_process(entry.own_group);
        let mut command = Command::new(&first);
        command
            .args(words)
            .env_clear()
            .envs(&env)
            .kill_on_drop(true);
        child::connect(&mut command, &program);
        entry.apply(command.as_std_mut());
        if let Some(group) = group {
            group.prepare(command.as_std_mut());
        }
        let running = child::follow(Started {
            child: spawner.spawn(command).await?,
            stdin: program.stdin,
            program: first,
            pod,
            journal,
            end,
            never_ran: None,
        });
        let mut started = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        started.retain(|s| s.strong_count() > 0);
        started.push(Arc::downgrade(running.state()));
        drop(started);
        Ok(running)
    }

    /// Ends every program and what it left in the background.
    pub(super) fn end_all(&self) {
        let mut started = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for program in started.drain(..) {
            if let Some(state) = program.upgrade() {
                state.kill();
            }
        }
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
