//! Programs in pods of the node, started through its container runtime as children of this process.
//!
//! Not by the API server's `exec`: it and containerd close a connection on which nothing was said for four hours, and a
//! moved clock makes them believe that of each. `runc exec` is what stands at the end of that road anyway.

use std::{
    fs,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use k8s_openapi::api::core::v1::Pod;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use tokio::process::{Child, Command};

use super::{World, node_id, processes};
use crate::{
    child::{self, Started},
    cluster::{ClusterError, PodName, Result},
    kubernetes::MARK,
    node::{PAUSE_IMAGE, netns::Inside, platform},
    program::{Program, Running},
};

/// Where containerd keeps its containers' bundles, inside the node.
const BUNDLES: &str = "/run/containerd/io.containerd.runtime.v2.task/k8s.io";
/// Where containerd has runc keep its state, inside the node.
const STATE: &str = "/run/containerd/runc/k8s.io";

static NEXT: AtomicU64 = AtomicU64::new(0);

impl World {
    /// Starts a program in a pod's container, with what the container's own process has: variables, user, limits.
    pub(super) async fn start_program(
        &self,
        name: &PodName,
        program: Program,
    ) -> Result<Box<dyn Running>> {
        let pod = self.workloads.pod(name).await?;
        let first = program.argv.first().cloned().unwrap_or_default();
        let failed = |source| ClusterError::Program {
            pod: name.clone(),
            program: first.clone(),
            source,
        };
        if first.is_empty() {
            let why = io::Error::new(io::ErrorKind::InvalidInput, "there is no command");
            return Err(failed(why));
        }
        let (container, local) = container(&pod, &program).map_err(failed)?;
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mark = format!("{}-{number}", std::process::id());
        let folder = self.node.run_dir().join("programs");
        fs::create_dir_all(&folder).map_err(failed)?;
        let (process, log) = (
            folder.join(format!("{number}.json")),
            folder.join(format!("{number}.log")),
        );
        let mut command = Command::new(platform::find("runc").unwrap_or_else(|| "runc".into()));
        command
            .args(["--root", STATE, "--log-format", "json", "--log"])
            .arg(&log)
            .args(["exec", "--process"])
            .arg(&process)
            .arg(&container)
            .env_clear()
            .env("PATH", platform::PATH)
            .current_dir("/")
            .process_group(0);
        child::connect(&mut command, &program);
        if let Some(clock) = &self.virtual_time {
            clock.group().prepare(command.as_std_mut());
        }
        let own = Own {
            mark: mark.clone(),
            folders: if local {
                Arc::clone(&self.folders)
            } else {
                Arc::default()
            },
            program: program.clone(),
        };
        let spawning = Spawning {
            bundle: Path::new(BUNDLES).join(&container),
            process: process.clone(),
            own,
            command,
        };
        let inside = self.node.inside().clone();
        let child = tokio::task::spawn_blocking(move || spawning.run(&inside))
            .await
            .map_err(|e| failed(io::Error::other(e)))?
            .map_err(failed)?;
        let node = node_id(&self.node);
        let end = move |runc: u32| {
            // The program ends, and runc tells with what. Before there is a program, runc itself is ended.
            if processes::end_marked(&node, &mark) == 0 {
                let _ = kill(Pid::from_raw(runc as i32), Signal::SIGKILL);
            }
        };
        let never_ran = move || {
            let why = last_error(&log);
            for file in [&process, &log] {
                let _ = fs::remove_file(file);
            }
            why
        };
        Ok(Box::new(child::follow(Started {
            child,
            stdin: program.stdin,
            program: first,
            pod: self.workloads.reference(&pod),
            journal: self.config.journal.clone(),
            end: Box::new(end),
            never_ran: Some(Box::new(never_ran)),
        })))
    }
}

/// The id of the container that a program is to run in, and whether it sees this machine's folders.
fn container(pod: &Pod, program: &Program) -> io::Result<(String, bool)> {
    let missing = |what: &str| io::Error::new(io::ErrorKind::NotFound, what);
    let containers = pod
        .spec
        .as_ref()
        .map(|s| &*s.containers)
        .unwrap_or_default();
    let container = containers
        .iter()
        .find(|c| program.container.as_ref().is_none_or(|n| *n == c.name))
        .ok_or_else(|| missing("the pod has no such container"))?;
    let id = pod
        .status
        .iter()
        .flat_map(|s| s.container_statuses.iter().flatten())
        .find(|s| s.name == container.name)
        .filter(|s| s.state.as_ref().is_some_and(|s| s.running.is_some()))
        .and_then(|s| s.container_id.as_deref()?.strip_prefix("containerd://"))
        .ok_or_else(|| missing("the container does not run"))?;
    Ok((
        id.to_owned(),
        container.image.as_deref() == Some(PAUSE_IMAGE),
    ))
}

/// What a program has of its own.
struct Own {
    mark: String,
    /// Folders of this machine that it sees; none in a container with an image of its own.
    folders: Arc<[PathBuf]>,
    program: Program,
}

impl Own {
    /// Makes the description of a container's own process that of the program.
    fn change(&self, process: &mut Value) {
        let program = &self.program;
        process["terminal"] = false.into();
        process["args"] = program.argv.clone().into();
        let named = |variable: &Value, name: &str| {
            let text = variable.as_str().unwrap_or_default();
            text.split_once('=').is_some_and(|(n, _)| n == name)
        };
        let mut env = process["env"].as_array().cloned().unwrap_or_default();
        env.retain(|v| !program.unset.iter().any(|name| named(v, name)));
        let mut set = |name: &str, value: &str| {
            env.retain(|v| !named(v, name));
            env.push(format!("{name}={value}").into());
        };
        if !self.folders.is_empty() {
            let here = std::env::current_dir().ok();
            let directory = program.directory.clone().or(here);
            let seen = |d: &PathBuf| self.folders.iter().any(|folder| d.starts_with(folder));
            if let Some(directory) = directory.filter(seen) {
                process["cwd"] = directory.to_string_lossy().into();
            }
            if let Ok(path) = std::env::var("PATH") {
                set("PATH", &path);
            }
        }
        set(MARK, &self.mark);
        for (name, value) in &program.env {
            set(name, value);
        }
        process["env"] = env.into();
    }
}

/// A program that is about to be started.
struct Spawning {
    bundle: PathBuf,
    process: PathBuf,
    own: Own,
    command: Command,
}

impl Spawning {
    /// Blocks for some milliseconds.
    fn run(mut self, inside: &Inside) -> io::Result<Child> {
        let runtime = tokio::runtime::Handle::current();
        inside.among_its_processes(move || {
            let text = fs::read(self.bundle.join("config.json"))?;
            let mut bundle: Value = serde_json::from_slice(&text)?;
            let process = &mut bundle["process"];
            self.own.change(process);
            // It holds the pod's variables.
            fs::OpenOptions::new()
                .write(true)
                .create(true)
                .truncate(true)
                .mode(0o600)
                .open(&self.process)?
                .write_all(process.to_string().as_bytes())?;
            let _runtime = runtime.enter();
            self.command.spawn()
        })
    }
}

/// The last error that runc wrote down: why the program never ran.
fn last_error(log: &Path) -> Option<String> {
    let text = fs::read_to_string(log).ok()?;
    text.lines().rev().find_map(|line| {
        let entry: Value = serde_json::from_str(line).ok()?;
        (entry["level"] == "error").then(|| entry["msg"].as_str().unwrap_or_default().to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_program_has_what_its_container_has_and_its_own() {
        let mut program = Program::new(["date"]).env("B", "mine").env("C", "new");
        program.unset.push("A".into());
        program.directory = Some("/seen/here".into());
        let own = Own {
            mark: "1-2".into(),
            folders: [PathBuf::from("/seen")].into(),
            program,
        };
        let mut process = json!({
            "args": ["/pause"], "cwd": "/", "terminal": true, "user": {"uid": 7},
            "env": ["A=1", "AB=2", "B=theirs", "EMU_PROGRAM=0"],
        });
        own.change(&mut process);
        let path = format!("PATH={}", std::env::var("PATH").unwrap_or_default());
        assert_eq!(
            process,
            json!({
                "args": ["date"], "cwd": "/seen/here", "terminal": false, "user": {"uid": 7},
                "env": ["AB=2", path, "EMU_PROGRAM=1-2", "B=mine", "C=new"],
            })
        );
    }

    #[test]
    fn the_last_error_says_why_nothing_ran() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("log");
        assert_eq!(last_error(&log), None);
        fs::write(&log, "{\"level\":\"warning\",\"msg\":\"w\"}\n").unwrap();
        assert_eq!(last_error(&log), None);
        fs::write(&log, "{\"level\":\"error\",\"msg\":\"no such file\"}\n").unwrap();
        assert_eq!(last_error(&log).as_deref(), Some("no such file"));
    }
}
