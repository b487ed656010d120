//! The node's view of the file system: the host's, with its own cgroups, `/proc`, `/sys`, `/run`, `/var/lib`, `/var/log`.
//! Everything here is private to the node's mount namespace.

use std::{
    fs,
    path::{Path, PathBuf},
};

use nix::mount::{MsFlags, mount};

use super::super::{cgroup::Hierarchies, protocol::Plan};

/// Global sysctls that the kubelet sets: it is handed files that already hold what it wants, so that the host keeps its own.
const SYSCTLS: [(&str, &str); 5] = [
    ("vm/overcommit_memory", "1"),
    ("kernel/panic", "10"),
    ("kernel/panic_on_oops", "1"),
    ("kernel/keys/root_maxkeys", "1000000"),
    ("kernel/keys/root_maxbytes", "25000000"),
];

/// Folders that the node's programs write to and the host must not see.
const PRIVATE: [&str; 3] = ["/run", "/var/lib", "/var/log"];

pub(super) fn make(plan: &Plan) -> Result<(), String> {
    for folder in PRIVATE {
        if plan.run_dir.starts_with(folder) {
            return Err(format!(
                "the run directory {} lies below {folder}, which the node hides; choose another with EMU_RUN_DIR",
                plan.run_dir.display()
            ));
        }
    }
    change("/", MsFlags::MS_REC | MsFlags::MS_PRIVATE)?;
    on("proc", "/proc", "proc", "")?;
    // The sysfs of the new network namespace.
    on("sysfs", "/sys", "sysfs", "")?;
    cgroups(&plan.cgroups)?;
    for folder in PRIVATE {
        on("tmpfs", folder, "tmpfs", "mode=755")?;
    }
    for folder in ["/run/netns", "/run/lock"] {
        fs::create_dir_all(folder).map_err(|e| format!("making {folder}: {e}"))?;
    }
    let sysctls = plan.run_dir.join("sysctl");
    fs::create_dir_all(&sysctls).map_err(|e| format!("making {}: {e}", sysctls.display()))?;
    for (name, value) in SYSCTLS {
        let target = Path::new("/proc/sys").join(name);
        if target.exists() {
            over(&sysctls.join(name.replace('/', ".")), value, &target)?;
        }
    }
    let node = plan.addresses.node;
    let hosts = format!("127.0.0.1 localhost\n{node} {}\n", plan.name);
    over(&plan.run_dir.join("hosts"), &hosts, Path::new("/etc/hosts"))?;
    let resolv = plan.run_dir.join("resolv.conf");
    // Often a link into /run, which is empty now; then only the kubelet reads ours, by its path.
    if Path::new("/etc/resolv.conf").exists() {
        over(
            &resolv,
            "nameserver 127.0.0.1\n",
            Path::new("/etc/resolv.conf"),
        )?;
    } else {
        fs::write(&resolv, "nameserver 127.0.0.1\n")
            .map_err(|e| format!("writing {}: {e}", resolv.display()))?;
    }
    // The kubelet passes mounts on to containers.
    change("/", MsFlags::MS_REC | MsFlags::MS_SHARED)
}

fn cgroups(hierarchies: &Hierarchies) -> Result<(), String> {
    let root = Path::new("/sys/fs/cgroup");
    match hierarchies {
        Hierarchies::V2(_) => on("cgroup2", "/sys/fs/cgroup", "cgroup2", ""),
        Hierarchies::V1(all) => {
            on("tmpfs", "/sys/fs/cgroup", "tmpfs", "mode=755")?;
            for hierarchy in all {
                let folder = root.join(&hierarchy.folder);
                fs::create_dir_all(&folder)
                    .map_err(|e| format!("making {}: {e}", folder.display()))?;
                on("cgroup", &folder, "cgroup", &hierarchy.options)?;
                for controller in hierarchy.options.split(',') {
                    let link = root.join(controller);
                    if !controller.contains('=') && !link.exists() {
                        std::os::unix::fs::symlink(&hierarchy.folder, &link)
                            .map_err(|e| format!("linking {}: {e}", link.display()))?;
                    }
                }
            }
            Ok(())
        }
    }
}

fn on(source: &str, target: impl AsRef<Path>, kind: &str, options: &str) -> Result<(), String> {
    let target = target.as_ref();
    mount(
        Some(source),
        target,
        Some(kind),
        MsFlags::empty(),
        Some(options).filter(|o| !o.is_empty()),
    )
    .map_err(|e| format!("mounting {kind} on {}: {e}", target.display()))
}

fn change(target: &str, flags: MsFlags) -> Result<(), String> {
    mount(None::<&str>, target, None::<&str>, flags, None::<&str>)
        .map_err(|e| format!("changing the propagation of {target}: {e}"))
}

/// Puts a file with this text over another.
fn over(file: &PathBuf, text: &str, target: &Path) -> Result<(), String> {
    fs::write(file, text).map_err(|e| format!("writing {}: {e}", file.display()))?;
    mount(
        Some(file),
        target,
        None::<&str>,
        MsFlags::MS_BIND,
        None::<&str>,
    )
    .map_err(|e| format!("binding over {}: {e}", target.display()))
}
