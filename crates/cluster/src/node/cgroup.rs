//! The node's own cgroups: one child of ours in every v1 hierarchy, or one in the unified (v2) hierarchy.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use super::Error;

/// One mounted cgroup hierarchy and the node's cgroup in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hierarchy {
    /// The mount options that select it: `cpu,cpuacct`, `name=systemd`; empty for v2.
    pub options: String,
    /// The name of its folder below `/sys/fs/cgroup`; empty for v2.
    pub folder: String,
    /// The node's cgroup, a path of the host.
    pub path: PathBuf,
}

/// Every hierarchy that the node uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Hierarchies {
    /// Controllers mounted one by one.
    V1(Vec<Hierarchy>),
    /// The unified hierarchy.
    V2(Hierarchy),
}

/// Controllers that the kubelet insists on.
const NEEDED: [&str; 4] = ["cpu", "cpuset", "memory", "pids"];

impl Hierarchies {
    /// Finds the hierarchies of this machine and the place for a cgroup `name` in each, without making it.
    ///
    /// # Errors
    /// When no hierarchy with the controllers that the kubelet needs is mounted.
    pub fn plan(name: &str) -> Result<Self, Error> {
        let mounts = fs::read_to_string("/proc/self/mountinfo")
            .map_err(Error::file("reading", "/proc/self/mountinfo"))?;
        let own = fs::read_to_string("/proc/self/cgroup")
            .map_err(Error::file("reading", "/proc/self/cgroup"))?;
        plan(&mounts, &own, name, &|path| fs::read_to_string(path).ok())
    }

    /// The hierarchies one by one.
    pub fn each(&self) -> &[Hierarchy] {
        match self {
            Self::V1(all) => all,
            Self::V2(one) => std::slice::from_ref(one),
        }
    }

    /// Makes the cgroups.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(&self) -> Result<(), Error> {
        for hierarchy in self.each() {
            let path = &hierarchy.path;
            fs::create_dir_all(path).map_err(Error::file("making the cgroup", path))?;
            if hierarchy.options.split(',').any(|o| o == "cpuset") {
                // A new v1 cpuset is empty, and nothing may join an empty one.
                for file in ["cpuset.cpus", "cpuset.mems"] {
                    let parent = path.parent().unwrap_or(path).join(file);
                    let value =
                        fs::read_to_string(&parent).map_err(Error::file("reading", &parent))?;
                    fs::write(path.join(file), value.trim())
                        .map_err(Error::file("writing", path.join(file)))?;
                }
            }
        }
        Ok(())
    }

    /// Moves the calling process into the cgroups.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn join(&self) -> Result<(), Error> {
        for hierarchy in self.each() {
            let procs = hierarchy.path.join("cgroup.procs");
            fs::write(&procs, "0").map_err(Error::file("joining the cgroup", &procs))?;
        }
        Ok(())
    }

    /// Kills what still runs in the cgroups and removes them; waits up to `limit` for the kernel to let go.
    ///
    /// # Errors
    /// With the first cgroup that could not be removed in time.
    pub fn remove(&self, limit: Duration) -> Result<(), Error> {
        let end = Instant::now() + limit;
        for hierarchy in self.each() {
            loop {
                match remove_tree(&hierarchy.path) {
                    Ok(()) => break,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => break,
                    Err(source) if Instant::now() > end => {
                        return Err(Error::File {
                            doing: "removing the cgroup",
                            path: hierarchy.path.clone(),
                            source,
                        });
                    }
                    // The kernel reports a cgroup as busy until its last process is reaped; nothing can be awaited.
                    Err(_) => {
                        kill_all(&hierarchy.path);
                        std::thread::sleep(Duration::from_millis(5));
                    }
                }
            }
        }
        Ok(())
    }
}

fn remove_tree(path: &Path) -> io::Result<()> {
    for entry in fs::read_dir(path)?.flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            match remove_tree(&entry.path()) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
    }
    fs::remove_dir(path)
}

/// Kills every process in a cgroup of the node and below it; only processes of the node are ever there.
fn kill_all(path: &Path) {
    for pid in fs::read_to_string(path.join("cgroup.procs"))
        .unwrap_or_default()
        .lines()
        .filter_map(|l| l.parse::<i32>().ok())
        .filter(|pid| *pid > 1)
    {
        let _ = nix::sys::signal::kill(
            nix::unistd::Pid::from_raw(pid),
            nix::sys::signal::Signal::SIGKILL,
        );
    }
    for entry in fs::read_dir(path).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            kill_all(&entry.path());
        }
    }
}

struct Mounted {
    root: String,
    point: PathBuf,
    v2: bool,
    options: Vec<String>,
}

fn mounted(mountinfo: &str) -> Vec<Mounted> {
    mountinfo
        .lines()
        .filter_map(|line| {
            let (left, right) = line.split_once(" - ")?;
            let left: Vec<&str> = left.split(' ').collect();
            let mut right = right.split(' ');
            let kind = right.next()?;
            let v2 = match kind {
                "cgroup" => false,
                "cgroup2" => true,
                _ => return None,
            };
            let options = right.nth(1)?.split(',').map(str::to_owned).collect();
            Some(Mounted {
                root: (*left.get(3)?).to_owned(),
                point: PathBuf::from(*left.get(4)?),
                v2,
                options,
            })
        })
        .collect()
}

fn plan(
    mountinfo: &str,
    own: &str,
    name: &str,
    read: &dyn Fn(&Path) -> Option<String>,
) -> Result<Hierarchies, Error> {
    let mounted = mounted(mountinfo);
    let mut v1 = Vec::new();
    let mut v2 = None;
    for line in own.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let wanted: Vec<&str> = controllers.split(',').filter(|c| !c.is_empty()).collect();
        let Some(mount) = mounted.iter().find(|m| {
            m.v2 == wanted.is_empty()
                && wanted
                    .iter()
                    .all(|c| m.options.iter().any(|option| option == c))
        }) else {
            continue;
        };
        let inside = path
            .strip_prefix(mount.root.trim_end_matches('/'))
            .unwrap_or(path)
            .trim_start_matches('/');
        if wanted.is_empty() {
            let parent = v2_parent(&mount.point, inside, read);
            v2 = Some(Hierarchy {
                options: String::new(),
                folder: String::new(),
                path: parent.join(name),
            });
        } else {
            v1.push(Hierarchy {
                options: wanted.join(","),
                folder: mount
                    .point
                    .file_name()
                    .map_or_else(|| wanted.join(","), |n| n.to_string_lossy().into_owned()),
                path: mount.point.join(inside).join(name),
            });
        }
    }
    let has = |controller: &str| {
        v1.iter()
            .any(|h: &Hierarchy| h.options.split(',').any(|o| o == controller))
    };
    let missing: Vec<&str> = NEEDED.into_iter().filter(|c| !has(c)).collect();
    match v2 {
        _ if missing.is_empty() => Ok(Hierarchies::V1(v1)),
        Some(one) if missing.len() == NEEDED.len() => Ok(Hierarchies::V2(one)),
        _ => Err(Error::Unavailable(format!(
            "the cgroup controllers {} are not mounted",
            missing.join(", ")
        ))),
    }
}

/// The nearest cgroup at or above our own that hands the needed controllers to its children: only there may a cgroup with
/// controllers be made without moving anybody's processes.
fn v2_parent(point: &Path, inside: &str, read: &dyn Fn(&Path) -> Option<String>) -> PathBuf {
    let mut at = point.join(inside);
    loop {
        let handed = read(&at.join("cgroup.subtree_control")).unwrap_or_default();
        let handed: Vec<&str> = handed.split_whitespace().collect();
        if NEEDED.iter().all(|c| handed.contains(c)) || at == point {
            return at;
        }
        match at.parent() {
            Some(parent) => at = parent.to_owned(),
            None => return point.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const V1_MOUNTS: &str = "\
30 20 0:20 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
31 20 0:21 / /sys/fs/cgroup/cpuset rw,relatime - cgroup cgroup rw,cpuset
32 20 0:22 /docker/abc /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
33 20 0:23 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids
34 20 0:24 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd
35 20 0:25 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
";

    #[test]
    fn v1_hierarchies_are_found_with_their_mount_roots() {
        let own = "9:name=systemd:/s\n5:cpu,cpuacct:/\n4:memory:/docker/abc/x\n3:cpuset:/\n2:pids:/\n0::/\n";
        let plan = plan(V1_MOUNTS, own, "emu-1", &|_| None).unwrap();
        let Hierarchies::V1(all) = &plan else {
            panic!("{plan:?}")
        };
        let paths: Vec<String> = all.iter().map(|h| h.path.display().to_string()).collect();
        assert_eq!(
            paths,
            [
                "/sys/fs/cgroup/systemd/s/emu-1",
                "/sys/fs/cgroup/cpu,cpuacct/emu-1",
                "/sys/fs/cgroup/memory/x/emu-1",
                "/sys/fs/cgroup/cpuset/emu-1",
                "/sys/fs/cgroup/pids/emu-1",
            ]
        );
        assert_eq!(all[0].options, "name=systemd");
        assert_eq!(all[1].folder, "cpu,cpuacct");
    }

    #[test]
    fn v2_goes_where_the_controllers_are_handed_down() {
        let mounts = "29 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw,nsdelegate\n";
        let own = "0::/user.slice/user-1000.slice/session-1.scope\n";
        let read = |path: &Path| match path.to_str()? {
            "/sys/fs/cgroup/user.slice/cgroup.subtree_control" => Some("memory pids\n".into()),
            "/sys/fs/cgroup/cgroup.subtree_control" => Some("cpuset cpu io memory pids\n".into()),
            _ => Some(String::new()),
        };
        let plan = plan(mounts, own, "emu-1", &read).unwrap();
        assert_eq!(
            plan.each()[0].path,
            Path::new("/sys/fs/cgroup/emu-1"),
            "{plan:?}"
        );
        assert!(matches!(plan, Hierarchies::V2(_)));
    }

    #[test]
    fn without_controllers_it_says_which() {
        let own = "3:cpuset:/\n";
        let error = plan(V1_MOUNTS, own, "emu-1", &|_| None).unwrap_err();
        assert!(error.to_string().contains("cpu, memory, pids"), "{error}");
    }
}
