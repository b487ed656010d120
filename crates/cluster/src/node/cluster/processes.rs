//! The processes of a pod as this machine sees them: its namespaces, its files, its programs.

use std::{fs, io, path::Path};

use crate::kubernetes::MARK;

/// Every process of this machine with its cgroups.
fn processes() -> impl Iterator<Item = (i32, String)> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let cgroups = fs::read_to_string(entry.path().join("cgroup")).ok()?;
            Some((pid, cgroups))
        })
}

/// A process of a pod, or of one of its containers. `node` is the run directory's name, which is in every cgroup's path.
pub(super) fn process_of(node: &str, pod_uid: &str, container_id: Option<&str>) -> io::Result<i32> {
    let place = match container_id {
        Some(id) => format!("pod{pod_uid}/{id}"),
        None => format!("pod{pod_uid}/"),
    };
    processes()
        .find(|(_, cgroups)| cgroups.contains(node) && cgroups.contains(&place))
        .map(|(pid, _)| pid)
        .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "the pod has no process"))
}

/// The processes of the node's pods.
pub(super) fn in_pods(node: &str) -> Vec<i32> {
    processes()
        .filter(|(_, cgroups)| {
            let in_pod = |line: &str| line.contains(node) && line.contains("kubepods");
            cgroups.lines().any(in_pod)
        })
        .map(|(pid, _)| pid)
        .collect()
}

/// Kills the program that was started with this mark, and its descendants that kept it. Gives how many processes it killed.
pub(super) fn end_marked(node: &str, mark: &str) -> usize {
    let mut ended = 0;
    let wanted = format!("{MARK}={mark}");
    for (pid, cgroups) in processes() {
        if !cgroups.contains(node) {
            continue;
        }
        let environment = fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        if environment
            .split(|b| *b == 0)
            .any(|v| v == wanted.as_bytes())
        {
            let killed = nix::sys::signal::kill(
                nix::unistd::Pid::from_raw(pid),
                nix::sys::signal::Signal::SIGKILL,
            );
            ended += usize::from(killed.is_ok());
        }
    }
    ended
}

/// A file as a process sees it: links on the way lead where they lead for that process.
pub(super) fn read_file(pid: i32, path: &Path) -> io::Result<Vec<u8>> {
    use nix::{
        fcntl::{OFlag, OpenHow, ResolveFlag, openat2},
        sys::stat::Mode,
    };
    let root = fs::File::open(format!("/proc/{pid}/root"))?;
    let how = OpenHow::new()
        .flags(OFlag::O_RDONLY | OFlag::O_CLOEXEC)
        .mode(Mode::empty())
        .resolve(ResolveFlag::RESOLVE_IN_ROOT);
    let mut bytes = Vec::new();
    let file = openat2(&root, path, how)?;
    io::Read::read_to_end(&mut fs::File::from(file), &mut bytes)?;
    Ok(bytes)
}
