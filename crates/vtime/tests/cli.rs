//! The program `vtime`.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

fn vtime() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_vtime"));
    command.env_remove("VTIME_CONTROL");
    command
}

fn supported() -> bool {
    let check = vtime().arg("check").output().unwrap();
    if !check.status.success() {
        eprintln!("skipped: {}", String::from_utf8_lossy(&check.stderr));
    }
    check.status.success()
}

/// A run that does not outlive its test.
struct Run(Child);

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A path for a socket, short enough for one.
fn socket(name: &str) -> PathBuf {
    std::env::temp_dir().join(format!("vtime-{}-{name}", std::process::id()))
}

fn text(output: &Output) -> (Option<i32>, String, String) {
    let lossy = |bytes| String::from_utf8_lossy(bytes).trim_end().to_owned();
    (
        output.status.code(),
        lossy(&output.stdout),
        lossy(&output.stderr),
    )
}

#[test]
fn run_jump_offset_list() {
    if !supported() {
        return;
    }
    let socket = socket("jump");
    let script = "date +%s; sleep 86400 & sleep 3600; date +%s; wait; date +%s; exit 5";
    let mut run = Run(vtime()
        .args(["run", "--control"])
        .arg(&socket)
        .args(["--", "sh", "-c", script])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap());
    let mut lines = BufReader::new(run.0.stdout.take().unwrap()).lines();
    let mut seconds = || lines.next().unwrap().unwrap().parse::<i64>().unwrap();
    let start = seconds();
    let tell = |words: &[&str]| {
        let output = vtime()
            .args(words)
            .env("VTIME_CONTROL", &socket)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        text(&output).1
    };
    let limit = Instant::now() + Duration::from_secs(20);
    while tell(&["list"])
        .lines()
        .filter(|line| line.ends_with(" sleep"))
        .count()
        < 2
    {
        assert!(Instant::now() < limit, "two sleeps and their shell");
    }
    assert!(tell(&["settle"]).starts_with("settled (3 threads"));
    assert!(tell(&["jump", "1h"]).starts_with("wall +1h00m00s monotonic +1h00m00s (3 threads, "));
    assert!((3600..3660).contains(&(seconds() - start)));
    tell(&["step", "-2h"]);
    assert_eq!(tell(&["offset"]), "wall -1h00m00s monotonic +1h00m00s");
    tell(&["settle"]);
    tell(&["jump", "23h"]);
    assert!((22 * 3600..22 * 3600 + 60).contains(&(seconds() - start)));
    assert_eq!(run.0.wait().unwrap().code(), Some(5));
    assert!(!socket.exists());
}

/// Whatever ends the embedding program ends the group.
#[test]
fn nothing_survives_a_killed_run() {
    if !supported() {
        return;
    }
    let mut run = Run(vtime()
        .args([
            "run",
            "--",
            "sh",
            "-c",
            "(sleep 1000 &) ; echo ready; sleep 1000",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap());
    let mut output = BufReader::new(run.0.stdout.take().unwrap());
    output.read_line(&mut String::new()).unwrap();
    let start = Instant::now();
    run.0.kill().unwrap();
    run.0.wait().unwrap();
    output.read_to_string(&mut String::new()).unwrap(); // ends when the last of them has
    assert!(start.elapsed() < Duration::from_secs(20));
}

#[test]
fn errors_say_why() {
    let fails = |words: &[&str]| {
        let (code, _, error) = text(&vtime().args(words).output().unwrap());
        assert_eq!(code, Some(2), "{words:?}");
        error.lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(
        fails(&["jump", "1h"]),
        "vtime: which run? Give --control SOCKET"
    );
    assert_eq!(
        fails(&["jump", "soon", "--control", "/x"]),
        "vtime: `soon` is not a duration such as 90s, 24h, 1h30m or 250ms"
    );
    assert_eq!(
        fails(&["jump", "-1h", "--control", "/x"]),
        "vtime: a jump goes forward; see `step`"
    );
    assert_eq!(
        fails(&["offset", "--control", "/no/such/socket"]),
        "vtime: cannot reach /no/such/socket: No such file or directory (os error 2)"
    );
    assert_eq!(fails(&["run"]), "vtime: run what?");
    assert_eq!(fails(&["fly"]), "vtime: what is `fly`?");
    if supported() {
        let error = fails(&["run", "--", "/no/such/program"]);
        assert_eq!(
            error,
            "vtime: cannot start /no/such/program: No such file or directory (os error 2)"
        );
    }
}
