//! What this machine has: capabilities, file systems, programs.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// CAP_SYS_RESOURCE's number.
const SYS_RESOURCE: u32 = 24;
/// CAP_SYS_ADMIN's number.
const SYS_ADMIN: u32 = 21;
/// CAP_NET_ADMIN's number.
const NET_ADMIN: u32 = 12;

/// Programs of the host that a node runs, with the Debian package of each.
pub const PROGRAMS: [(&str, &str); 6] = [
    ("containerd", "containerd"),
    ("ctr", "containerd"),
    ("containerd-shim-runc-v2", "containerd"),
    ("runc", "runc"),
    ("ip", "iproute2"),
    ("iptables", "iptables"),
];

/// Where programs are looked for, inside the node as well: services are often started with a short `PATH`.
pub const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Where the CNI plugins may be.
const CNI: [&str; 3] = ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"];

fn capable(number: u32) -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| has(&status, number))
}

fn has(status: &str, number: u32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("CapEff:"))
        .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
        .is_some_and(|set| set & (1 << number) != 0)
}

/// Whether resource limits and OOM scores may be set freely.
pub fn may_raise_limits() -> bool {
    capable(SYS_RESOURCE)
}

/// Whether a path lies on overlayfs.
pub fn is_overlay(path: &Path) -> bool {
    nix::sys::statfs::statfs(path)
        .is_ok_and(|s| s.filesystem_type() == nix::sys::statfs::OVERLAYFS_SUPER_MAGIC)
}

/// The folder with the CNI plugins.
pub fn cni_folder() -> PathBuf {
    CNI.iter()
        .map(Path::new)
        .find(|folder| folder.join("bridge").exists())
        .unwrap_or_else(|| Path::new(CNI[0]))
        .to_owned()
}

/// Finds a program in [`PATH`].
pub fn find(program: &str) -> Option<PathBuf> {
    PATH.split(':')
        .map(|folder| Path::new(folder).join(program))
        .find(|path| path.exists())
}

/// Something that a node needs and this machine lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// What.
    pub what: String,
    /// The command that brings it, or what to do.
    pub remedy: String,
}

/// What a node needs from the host besides the Kubernetes binaries, and is not there.
pub fn missing() -> Vec<Missing> {
    let mut missing = Vec::new();
    let mut packages: Vec<&str> = Vec::new();
    for (program, package) in PROGRAMS {
        if find(program).is_none() {
            packages.push(package);
            missing.push(Missing {
                what: program.into(),
                remedy: format!("apt-get install {package}"),
            });
        }
    }
    for plugin in ["bridge", "host-local", "portmap", "loopback"] {
        if !cni_folder().join(plugin).exists() {
            missing.push(Missing {
                what: format!("the CNI plugin {plugin}"),
                remedy: "apt-get install containernetworking-plugins".into(),
            });
        }
    }
    if !(capable(SYS_ADMIN) && capable(NET_ADMIN)) {
        missing.push(Missing {
            what: "the capabilities CAP_SYS_ADMIN and CAP_NET_ADMIN".into(),
            remedy: "run as root, or use --cluster sandbox".into(),
        });
    }
    if let Err(error) = super::cgroup::Hierarchies::plan("emu-check") {
        missing.push(Missing {
            what: error.to_string(),
            remedy: "mount the cgroup file systems, or use --cluster sandbox".into(),
        });
    }
    missing
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_are_read_from_the_status() {
        let status = "Name:\tx\nCapEff:\t000001fffeffffff\n";
        assert!(!has(status, SYS_RESOURCE));
        assert!(has(status, SYS_ADMIN) && has(status, NET_ADMIN));
        assert!(!has("", SYS_ADMIN));
    }
}
