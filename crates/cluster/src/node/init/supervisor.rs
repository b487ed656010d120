//! The second stage, the first process of the node: sets up, then starts, signals and reaps as the host asks.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::{
        fd::AsFd,
        unix::{net::UnixStream, process::CommandExt},
    },
    process::{Command, Stdio},
};

use nix::{
    errno::Errno,
    poll::{PollFd, PollFlags, PollTimeout, poll},
    sched::{CloneFlags, unshare},
    sys::{
        signal::{SigSet, Signal, kill},
        signalfd::{SfdFlags, SignalFd},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};

use super::{
    super::{
        cgroup::Hierarchies,
        platform::PATH,
        protocol::{Event, Plan, Request, Spawn},
    },
    SOCKET, mounts, network,
};

/// Our parent is outside of the process namespace, which shows as 0.
const OUTSIDE: i32 = 0;

pub(super) fn run(plan: &Plan) -> Result<(), String> {
    // The undertaker's death ends us too; the socket covers the moment before this call.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).map_err(|e| format!("prctl: {e}"))?;
    if nix::unistd::getppid().as_raw() != OUTSIDE || std::process::id() != 1 {
        return Err("this is not the first process of a namespace".into());
    }
    let mut socket = UnixStream::connect(plan.run_dir.join(SOCKET))
        .map_err(|e| format!("connecting to the owner: {e}"))?;
    match set_up(plan) {
        Ok(link) => send(&mut socket, &Event::Up { link })?,
        Err(what) => {
            send(&mut socket, &Event::Failed { what: what.clone() })?;
            return Err(what);
        }
    }
    serve(socket)
}

fn set_up(plan: &Plan) -> Result<String, String> {
    plan.cgroups.join().map_err(|e| e.to_string())?;
    // What is joined now is the root of the cgroup namespace.
    unshare(
        CloneFlags::CLONE_NEWCGROUP
            | CloneFlags::CLONE_NEWNET
            | CloneFlags::CLONE_NEWNS
            | CloneFlags::CLONE_NEWIPC
            | CloneFlags::CLONE_NEWUTS,
    )
    .map_err(|e| format!("making namespaces: {e}"))?;
    mounts::make(plan)?;
    if matches!(plan.cgroups, Hierarchies::V2(_)) {
        hand_down_controllers()?;
    }
    fs::write("/proc/sys/kernel/hostname", &plan.name)
        .map_err(|e| format!("setting the host name: {e}"))?;
    network::make(plan)
}

/// v2 allows no processes beside child groups with controllers: ours go into a group of their own.
fn hand_down_controllers() -> Result<(), String> {
    let root = std::path::Path::new("/sys/fs/cgroup");
    let own = root.join("emu");
    fs::create_dir_all(&own).map_err(|e| format!("making {}: {e}", own.display()))?;
    fs::write(own.join("cgroup.procs"), "0")
        .map_err(|e| format!("joining {}: {e}", own.display()))?;
    let available = fs::read_to_string(root.join("cgroup.controllers"))
        .map_err(|e| format!("reading the controllers: {e}"))?;
    for controller in available.split_whitespace() {
        // Some cannot be handed down (a real-time scheduler's cpu controller); the kubelet says so if it minds.
        let _ = fs::write(
            root.join("cgroup.subtree_control"),
            format!("+{controller}"),
        );
    }
    Ok(())
}

fn send(socket: &mut UnixStream, event: &Event) -> Result<(), String> {
    let mut line = serde_json::to_vec(event).map_err(|e| e.to_string())?;
    line.push(b'\n');
    socket
        .write_all(&line)
        .map_err(|e| format!("telling the owner: {e}"))
}

fn serve(mut socket: UnixStream) -> Result<(), String> {
    let mut mask = SigSet::empty();
    mask.add(Signal::SIGCHLD);
    mask.thread_block()
        .map_err(|e| format!("blocking SIGCHLD: {e}"))?;
    let signals = SignalFd::with_flags(&mask, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
        .map_err(|e| format!("signalfd: {e}"))?;
    let reader = socket
        .try_clone()
        .map_err(|e| format!("the owner's socket: {e}"))?;
    let mut reader = BufReader::new(reader);
    let mut running: HashMap<i32, String> = HashMap::new();
    loop {
        let (child, host) = {
            let mut fds = [
                PollFd::new(signals.as_fd(), PollFlags::POLLIN),
                PollFd::new(socket.as_fd(), PollFlags::POLLIN),
            ];
            match poll(&mut fds, PollTimeout::NONE) {
                Ok(_) | Err(Errno::EINTR) => {}
                Err(e) => return Err(format!("poll: {e}")),
            }
            (fds[0].any() == Some(true), fds[1].any() == Some(true))
        };
        if child {
            while let Ok(Some(_)) = signals.read_signal() {}
            reap(&mut socket, &mut running)?;
        }
        if host {
            // Requests are answered one by one; what is already read must be served before the next poll.
            loop {
                let mut line = String::new();
                match reader.read_line(&mut line) {
                    // The owner is gone or wants no more: ending ends everything inside.
                    Ok(0) | Err(_) => return Ok(()),
                    Ok(_) => {}
                }
                let request =
                    serde_json::from_str(&line).map_err(|e| format!("a bad request: {e}"))?;
                obey(request, &mut socket, &mut running)?;
                if reader.buffer().is_empty() {
                    break;
                }
            }
        }
    }
}

fn obey(
    request: Request,
    socket: &mut UnixStream,
    running: &mut HashMap<i32, String>,
) -> Result<(), String> {
    match request {
        Request::Spawn(spawn) => match start(&spawn) {
            Ok(pid) => {
                running.insert(pid, spawn.name.clone());
                send(
                    socket,
                    &Event::Spawned {
                        name: spawn.name,
                        pid,
                    },
                )
            }
            Err(status) => send(
                socket,
                &Event::Exited {
                    name: spawn.name,
                    code: -1,
                    status,
                },
            ),
        },
        Request::Signal { name, signal } => {
            let pid = running
                .iter()
                .find_map(|(pid, known)| (*known == name).then_some(*pid));
            if let (Some(pid), Ok(signal)) = (pid, Signal::try_from(signal)) {
                let _ = kill(Pid::from_raw(pid), signal);
            }
            Ok(())
        }
    }
}

fn start(spawn: &Spawn) -> Result<i32, String> {
    let (program, arguments) = spawn.argv.split_first().ok_or("no program")?;
    let log = File::options()
        .create(true)
        .append(true)
        .open(&spawn.log)
        .map_err(|e| format!("opening {}: {e}", spawn.log.display()))?;
    let errors = log.try_clone().map_err(|e| e.to_string())?;
    let child = Command::new(program)
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .env("HOME", "/root")
        .envs(spawn.env.iter().map(|(k, v)| (k, v)))
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(errors)
        .process_group(0)
        .spawn()
        .map_err(|e| format!("starting {program}: {e}"))?;
    // Reaped with all others, by its id.
    i32::try_from(child.id()).map_err(|e| e.to_string())
}

fn reap(socket: &mut UnixStream, running: &mut HashMap<i32, String>) -> Result<(), String> {
    loop {
        let (pid, code, status) = match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::Exited(pid, code)) => (pid, code, format!("exit code {code}")),
            Ok(WaitStatus::Signaled(pid, signal, _)) => {
                (pid, 128 + signal as i32, format!("killed by {signal}"))
            }
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return Ok(()),
            Ok(_) | Err(Errno::EINTR) => continue,
            Err(e) => return Err(format!("waitpid: {e}")),
        };
        if let Some(name) = running.remove(&pid.as_raw()) {
            send(socket, &Event::Exited { name, code, status })?;
        }
    }
}
