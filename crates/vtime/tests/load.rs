//! Many jumps under load: no time backwards, no early wake-up, no interrupted call, no hang.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod programs;

use programs::{Running, full, group};
use std::process::Command;
use std::time::{Duration, Instant};

/// Jumps of odd lengths, until the program has had enough; its waits of an hour end by them alone.
fn jumps(mut command: Command, at_least: usize) {
    let Some(group) = group() else { return };
    let mut program = Running::start(&group, &mut command);
    program.expect("ready");
    let limit = Instant::now() + Duration::from_secs(if full() { 300 } else { 60 });
    let (mut jumps, mut seed, mut slowest) = (0, 1u64, 0);
    loop {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let by = match seed >> 60 {
            0..4 => Duration::from_nanos(seed >> 40),
            4..8 => Duration::from_micros(seed >> 44),
            _ => Duration::from_secs(3600) + Duration::from_nanos(seed >> 36),
        };
        let report = group.jump(by).unwrap();
        slowest = slowest.max(report.micros);
        jumps += 1;
        if program.child.try_wait().unwrap().is_some() {
            break;
        }
        assert!(Instant::now() < limit, "hangs after {jumps} jumps");
        // Between jumps nothing is waited for, so that they hit the program wherever it is.
        if jumps % 8 == 0 {
            std::thread::sleep(Duration::from_micros(seed >> 54));
        }
    }
    assert!(program.end().success(), "after {jumps} jumps");
    assert!(jumps >= at_least, "only {jumps} jumps");
    eprintln!("{jumps} jumps, the slowest {slowest} us");
}

#[test]
fn c() {
    let Some(path) = programs::c("load.c") else {
        return;
    };
    let mut command = Command::new(path);
    command.arg(if full() { "6000" } else { "600" });
    jumps(command, 300);
}

#[test]
fn go() {
    let Some(path) = programs::compile("load.go", &["go", "build", "-o", "OUT", "SRC"]) else {
        return;
    };
    let mut command = Command::new(path);
    command.arg(if full() { "3000" } else { "300" });
    jumps(command, 150);
}

#[test]
fn cpython() {
    if !full() {
        return programs::skipped("only with EMU_FULL=1");
    }
    let mut command = Command::new("python3");
    command.arg(programs::script("load.py")).arg("400");
    jumps(command, 100);
}
