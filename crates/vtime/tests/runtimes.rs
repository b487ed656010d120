//! Each runtime: a jump of an hour moves wall and monotonic clocks together, fires every kind of sleeper within 100 ms
//! of real time, and a wait begun after it takes its true length.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod programs;

use programs::{HUNG, Running, compile, group, script, skipped};
use std::process::Command;
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_NS: i64 = 3_600_000_000_000;
/// How soon every sleeper must have fired. On a machine that is busy with something else one try in three counts.
const SOON: Duration = Duration::from_millis(100);

fn sleepers(command: impl Fn() -> Command, kinds: usize) {
    let mut slowest = Vec::new();
    for _ in 0..3 {
        let Some(took) = one_hour(command(), kinds) else {
            return;
        };
        if took < SOON {
            return;
        }
        slowest.push(took);
    }
    panic!("the last sleeper fired after {slowest:?}");
}

/// Gives how long after the jump the last sleeper fired.
fn one_hour(mut command: Command, kinds: usize) -> Option<Duration> {
    let group = group()?;
    let mut program = Running::start(&group, &mut command);
    let (_, before) = program.expect("ready");
    assert!(group.settle(HUNG).unwrap().is_settled());
    let at = Instant::now();
    let report = group.jump(HOUR).unwrap();
    assert!(report.waits_moved > 0, "{report:?}");
    let mut fired = Vec::new();
    let after: Vec<i64> = loop {
        let (when, line) = program.line().expect("it goes on until all have fired");
        if let Some(name) = line.strip_prefix("fired ") {
            assert!(when >= at, "{name} fired before the jump");
            fired.push((when - at, name.to_owned()));
        } else if let Some(rest) = line.strip_prefix("done ") {
            break rest
                .split_whitespace()
                .filter_map(|n| n.parse().ok())
                .collect();
        }
    };
    assert!(fired.len() >= kinds, "of {kinds} only {fired:?}");
    let (wall, monotonic) = (after[0] - before[0], after[1] - before[1]);
    for moved in [wall, monotonic] {
        assert!(
            (HOUR_NS..HOUR_NS + HUNG.as_nanos() as i64).contains(&moved),
            "{wall} {monotonic}"
        );
    }
    assert!(
        (wall - monotonic).abs() < 50_000_000,
        "the clocks drifted apart: {wall} {monotonic}"
    );
    let mut checked = 0;
    while let Some((_, line)) = program.line() {
        if let Some(rest) = line.strip_prefix("after ") {
            let took: i64 = rest.split_whitespace().last().unwrap().parse().unwrap();
            // Node rounds to whole milliseconds, either way.
            assert!(
                (199_000_000..5_000_000_000).contains(&took),
                "a wait of 200 ms begun after the jump: {rest} ns"
            );
            checked += 1;
        }
    }
    assert!(checked + 1 >= kinds, "{checked} waits after the jump");
    assert!(program.child.wait().unwrap().success());
    fired.iter().map(|(took, _)| *took).max()
}

fn found(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        skipped(format_args!("no {program}"));
    }
    found
}

#[test]
fn c_dynamic() {
    let Some(program) = programs::c("sleepers.c") else {
        return;
    };
    sleepers(|| Command::new(&program), 30);
}

#[test]
fn c_static() {
    let build = [
        "gcc",
        "-O1",
        "-static",
        "-o",
        "OUT",
        "SRC",
        "-lpthread",
        "-lrt",
    ];
    let Some(program) = compile("sleepers.c", &build) else {
        return;
    };
    sleepers(|| Command::new(&program), 30);
}

#[test]
fn go() {
    let Some(program) = compile("sleepers.go", &["go", "build", "-o", "OUT", "SRC"]) else {
        return;
    };
    sleepers(|| Command::new(&program), 8);
}

#[test]
fn rust() {
    let Some(program) = compile(
        "sleepers.rs",
        &["rustc", "--edition=2021", "-O", "-o", "OUT", "SRC"],
    ) else {
        return;
    };
    sleepers(|| Command::new(&program), 5);
}

#[test]
fn cpython() {
    if !found("python3") {
        return;
    }
    let python = || {
        let mut command = Command::new("python3");
        command.arg(script("sleepers.py"));
        command
    };
    sleepers(python, 13);
}

#[test]
fn node() {
    if !found("node") {
        return;
    }
    let node = || {
        let mut command = Command::new("node");
        command.arg(script("sleepers.js"));
        command
    };
    sleepers(node, 6);
}

#[test]
fn java() {
    let Some(classes) = compile("Sleepers.java", &["javac", "-d", "OUT", "SRC"]) else {
        return;
    };
    if !found("java") {
        return;
    }
    let java = || {
        let mut command = Command::new("java");
        command.arg("-cp").arg(&classes).arg("Sleepers");
        command
    };
    sleepers(java, 13);
}
