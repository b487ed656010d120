//! Virtual time for an ordinary user, and for programs that change who they are.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod programs;

use emu_vtime::Group;
use programs::{Running, group, skipped};
use std::fs::Permissions;
use std::os::unix::{fs::PermissionsExt, process::CommandExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

#[test]
#[ignore = "the program that a test starts as another user"]
fn play() {
    if std::env::var_os("EMU_VTIME_TRAPS").is_some() {
        ordinary_user();
    }
}

/// Everything again without privileges.
#[test]
fn as_an_ordinary_user() {
    let Some(path) = programs::c("traps.c") else {
        return;
    };
    let here = Reachable::folder();
    let path = here.copy(&path);
    let mut command = Command::new(here.copy(&std::env::current_exe().unwrap()));
    command.args(["--exact", "play", "--ignored", "--nocapture"]);
    if fs_uid() == 0 {
        command.uid(65534).gid(65534);
    }
    match command
        .env("EMU_VTIME_TRAPS", &path)
        .stdout(Stdio::piped())
        .spawn()
    {
        Err(why) => skipped(format_args!(
            "an ordinary user cannot run this test's program: {why}"
        )),
        Ok(child) => {
            let mut program = Running::of(child);
            let mut said = String::new();
            while let Some((_, line)) = program.line() {
                said += &line;
            }
            assert!(
                program.child.wait().unwrap().success() && said.contains("user done"),
                "{said}"
            );
        }
    }
}

/// A folder that everybody can walk to: the build folder may lie in a home that only its owner may enter.
struct Reachable(PathBuf);

impl Reachable {
    fn folder() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let n = NEXT.fetch_add(1, Ordering::Relaxed);
        let folder =
            std::env::temp_dir().join(format!("emu-vtime-user-{}-{n}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        Self(folder)
    }

    fn copy(&self, program: &Path) -> PathBuf {
        let copy = self.0.join(program.file_name().unwrap());
        std::fs::copy(program, &copy).unwrap();
        std::fs::set_permissions(&copy, Permissions::from_mode(0o755)).unwrap();
        copy
    }
}

impl Drop for Reachable {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn fs_uid() -> u32 {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap())
}

fn ordinary_user() {
    assert_ne!(fs_uid(), 0);
    let path = std::env::var_os("EMU_VTIME_TRAPS").unwrap();
    let group = Group::new().unwrap();
    let mut nap = Running::start(&group, Command::new(&path).args(["nap", "3600"]));
    nap.expect("ready");
    let mut forks = Running::start(&group, Command::new(&path).args(["forks", "100"]));
    forks.expect("ready");
    let status = std::fs::read_to_string(format!("/proc/{}/status", nap.child.id())).unwrap();
    assert!(status.contains("NoNewPrivs:\t1"), "{status}");
    for _ in 0..100 {
        group.jump(HOUR).unwrap();
    }
    assert!(nap.end().success() && forks.end().success());
    in_its_own_namespaces(&group, Command::new(&path).args(["nap", "3600"]));
    println!("user done");
}

/// A privileged caller's program that gives up its privileges is traced all the same.
#[test]
fn a_child_with_another_user() {
    if fs_uid() != 0 {
        return skipped("only root can change the user");
    }
    let Some(group) = group() else { return };
    let Some(path) = programs::c("traps.c") else {
        return;
    };
    let here = Reachable::folder();
    let mut nap = Running::start(
        &group,
        Command::new(here.copy(&path))
            .args(["nap", "3600"])
            .uid(65534)
            .gid(65534),
    );
    nap.expect("ready");
    group.jump(HOUR).unwrap();
    assert!(nap.end().success());
}

/// A hook that goes into a user namespace and a network namespace of its own, and then joins.
fn in_its_own_namespaces(group: &Group, command: &mut Command) {
    // SAFETY: no memory is involved.
    let unshare = || match unsafe { libc::unshare(libc::CLONE_NEWUSER | libc::CLONE_NEWNET) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    };
    // SAFETY: one system call between fork and exec.
    unsafe { command.pre_exec(unshare) };
    match group.spawn(command.stdout(Stdio::piped())) {
        Err(why) => skipped(format_args!("no namespaces for ordinary users here: {why}")),
        Ok(child) => {
            let mut nap = Running::of(child);
            nap.expect("ready");
            group.jump(HOUR).unwrap();
            assert!(nap.end().success());
        }
    }
}
