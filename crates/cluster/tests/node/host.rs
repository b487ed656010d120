//! The state of the host that a node must leave as it was.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
    process::Command,
};

/// Everything that is compared: name to value.
pub(crate) type State = BTreeMap<String, String>;

/// Sysctls that a kubelet or kube-proxy would set.
const SYSCTLS: [&str; 9] = [
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
    "kernel/hostname",
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
];

/// Reads the state.
pub(crate) fn state(run_root: &Path) -> State {
    let mut state = State::new();
    for name in SYSCTLS {
        let value = fs::read_to_string(Path::new("/proc/sys").join(name)).unwrap_or_default();
        state.insert(format!("sysctl {name}"), value);
    }
    let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    state.insert("mounts".into(), mounts);
    let mut links: Vec<String> = fs::read_dir("/sys/class/net")
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    links.sort();
    state.insert("links".into(), links.join(" "));
    for (name, command) in [
        ("addresses", "ip -o addr"),
        ("routes", "ip route"),
        ("filter", "iptables -S"),
        ("nat", "iptables -t nat -S"),
    ] {
        let mut words = command.split(' ');
        let output = words
            .next()
            .and_then(|program| Command::new(program).args(words).output().ok());
        let text = output.map(|o| String::from_utf8_lossy(&o.stdout).into_owned());
        state.insert(name.into(), text.unwrap_or_default());
    }
    let mut cgroups = Vec::new();
    find(Path::new("/sys/fs/cgroup"), "emu-node-", &mut cgroups);
    cgroups.retain(|cgroup| !is_of_somebody_else(cgroup));
    state.insert("cgroups".into(), cgroups.join("\n"));
    for folder in [
        "/run",
        "/var/lib",
        "/var/log",
        "/etc/cni",
        "/run/containerd",
        "/run/netns",
        "/var/lib/cni",
    ] {
        let mut names: Vec<String> = fs::read_dir(folder)
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        state.insert(format!("folder {folder}"), names.join(" "));
    }
    let runs: Vec<String> = fs::read_dir(run_root)
        .into_iter()
        .flatten()
        .flatten()
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .filter(|name| name.starts_with("node-"))
        .collect();
    state.insert("run directories".into(), runs.join(" "));
    state.insert("processes".into(), processes(run_root).join("\n"));
    state
}

/// Processes whose command line names the folder of run directories.
pub(crate) fn processes(run_root: &Path) -> Vec<String> {
    let root = run_root.to_string_lossy().into_owned();
    let mut found: Vec<String> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter(|e| e.file_name().to_string_lossy().parse::<u32>().is_ok())
        .filter_map(|e| fs::read(e.path().join("cmdline")).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).replace('\0', " "))
        .filter(|line| line.contains(&root))
        .collect();
    found.sort();
    found
}

/// Agents that this program is, on whatever node: their command lines name no folder.
pub(crate) fn agents() -> BTreeSet<i32> {
    let Ok(program) = std::env::current_exe() else {
        return BTreeSet::new();
    };
    let start = format!("{}\0agent\0", program.display());
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .filter(|pid| {
            fs::read(format!("/proc/{pid}/cmdline"))
                .is_ok_and(|line| line.starts_with(start.as_bytes()))
        })
        .collect()
}

/// Whether a node's cgroup belongs to another process that lives: `emu-node-PID-NUMBER`.
fn is_of_somebody_else(cgroup: &str) -> bool {
    let owner = cgroup
        .rsplit_once("/emu-node-")
        .and_then(|(_, rest)| rest.split('-').next()?.parse::<u32>().ok());
    owner.is_some_and(|owner| {
        owner != std::process::id() && Path::new("/proc").join(owner.to_string()).exists()
    })
}

fn find(at: &Path, prefix: &str, found: &mut Vec<String>) {
    for entry in fs::read_dir(at).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            if entry.file_name().to_string_lossy().starts_with(prefix) {
                found.push(entry.path().display().to_string());
            } else {
                find(&entry.path(), prefix, found);
            }
        }
    }
}

/// What differs, in words; empty when nothing does.
pub(crate) fn difference(before: &State, after: &State) -> String {
    let mut text = String::new();
    for (name, old) in before {
        let new = after.get(name).map(String::as_str).unwrap_or_default();
        if old != new {
            text.push_str(&format!("{name}:\n-{old}\n+{new}\n"));
        }
    }
    text
}
