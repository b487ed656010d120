//! The traps that a tracer walks into, each with a program that lays it (`programs/traps.c`).
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod programs;

use emu_vtime::{Error, Group};
use programs::{HUNG, Running, full, group};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const HOUR: Duration = Duration::from_secs(3600);
/// Jumps while a program gives birth.
const MANY: usize = 150;

/// Starts a trap and waits until it is laid.
fn lay(arguments: &[&str]) -> Option<(Group, Running)> {
    let path = programs::c("traps.c")?;
    let group = group()?;
    let mut program = Running::start(
        &group,
        Command::new(path).args(arguments).stdin(Stdio::piped()),
    );
    program.expect("ready");
    Some((group, program))
}

fn settle(group: &Group) {
    let settled = group.settle(HUNG).unwrap();
    assert!(settled.is_settled(), "{settled:?}");
}

fn ends_well(program: &mut Running) {
    program.expect("ok");
    assert!(program.end().success());
}

/// Trap 1: a parent blocked in vfork cannot be interrupted.
#[test]
fn a_vfork_parent_is_not_waited_for() {
    let Some((group, mut program)) = lay(&["vfork"]) else {
        return;
    };
    settle(&group);
    let report = group.jump(HOUR).unwrap();
    assert_eq!(report.threads, 1, "the child alone");
    ends_well(&mut program);
}

/// Traps 2 and 3: an exec in a program with threads waits for them to be reaped, and takes them along.
#[test]
fn execs_of_programs_with_threads_under_jumps() {
    let Some(path) = programs::c("traps.c") else {
        return;
    };
    let Some(group) = group() else { return };
    let mut program = Running::start(
        &group,
        Command::new(path).args(["exec", if full() { "200" } else { "60" }]),
    );
    let mut jumps = 0;
    while program.child.try_wait().unwrap().is_none() {
        group.jump(Duration::from_millis(1)).unwrap();
        jumps += 1;
    }
    ends_well(&mut program);
    assert!(jumps > 3, "{jumps}");
}

/// Trap 4: a process whose parents are gone has its stub found by its own means, and moves like any other.
#[test]
fn an_orphaned_daemon_follows() {
    let Some((group, mut program)) = lay(&["orphan"]) else {
        return;
    };
    settle(&group);
    assert!(
        program.child.wait().unwrap().success(),
        "its first parent has ended"
    );
    assert_eq!(group.processes().unwrap().len(), 1);
    group.jump(HOUR).unwrap();
    program.expect("ok");
    group.wait().unwrap();
}

/// Trap 5: a child forked before a jump and first stopped after it has the offsets of before.
#[test]
fn children_born_during_jumps_have_the_current_offset() {
    let Some((group, mut program)) = lay(&["forks", &MANY.to_string()]) else {
        return;
    };
    for _ in 0..MANY {
        group.jump(HOUR).unwrap();
    }
    ends_well(&mut program);
}

/// The same with threads.
#[test]
fn threads_born_during_jumps() {
    let Some((group, mut program)) = lay(&["threads", &MANY.to_string()]) else {
        return;
    };
    for _ in 0..MANY {
        group.jump(HOUR).unwrap();
    }
    ends_well(&mut program);
}

// Trap 6 (the agent answers an old credential for a moment) is the caller's.

/// Trap 7: a program stopped by a signal stays stopped during a jump, and finds out when it goes on.
#[test]
fn a_stopped_program_stays_stopped() {
    let Some((group, mut program)) = lay(&["nap", "3600"]) else {
        return;
    };
    settle(&group);
    let pid = program.child.id();
    signal("STOP", pid);
    await_state(pid, 't');
    for _ in 0..3 {
        group.jump(HOUR).unwrap();
        settle(&group);
    }
    assert!(program.child.try_wait().unwrap().is_none());
    signal("CONT", pid);
    ends_well(&mut program);
}

/// Trap 8: without a tracer the filtered calls fail, so nothing may survive it.
#[test]
fn when_the_tracer_dies_everything_dies() {
    let Some((group, mut program)) = lay(&["orphan"]) else {
        return;
    };
    let daemon = group.processes().unwrap()[0].pid;
    signal("KILL", group.tracer_id());
    while program.line().is_some() {} // the daemon held the output open
    assert!(matches!(group.jump(HOUR), Err(Error::TracerGone)));
    let limit = Instant::now() + HUNG;
    while std::fs::read_to_string(format!("/proc/{daemon}/stat")).is_ok_and(|s| !s.contains(" Z "))
    {
        assert!(Instant::now() < limit, "the daemon lives");
        std::thread::yield_now();
    }
}

/// Trap 9: the embedding program moves its own clock while nothing of the group runs.
#[test]
fn nothing_runs_between_stop_and_commit() {
    let Some((group, mut program)) = lay(&["threads", "1"]) else {
        return;
    };
    let pid = program.child.id();
    let (report, states) = group
        .jump_with(HOUR, |commit| {
            assert_eq!(commit.before.wall, 0);
            assert_eq!(commit.after.monotonic, HOUR.as_nanos() as i64);
            let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))
                .unwrap()
                .flatten();
            tasks
                .map(|t| state(&t.path().join("stat")))
                .collect::<String>()
        })
        .unwrap();
    assert!(states.chars().all(|s| s == 't'), "{states}");
    assert!(
        report.threads >= 1 && report.threads == states.len(),
        "{report:?} {states}"
    );
    ends_well(&mut program);
}

/// A process's first thread may end before the others; it is never heard of again until they end.
#[test]
fn a_program_whose_first_thread_has_ended() {
    let Some((group, mut program)) = lay(&["leader"]) else {
        return;
    };
    settle(&group);
    for _ in 0..4 {
        group.jump(HOUR / 4).unwrap();
    }
    ends_well(&mut program);
}

/// A handled signal still interrupts a wait that was moved, and the rest it leaves is right; an ignored one does not.
#[test]
fn signals_interrupt_as_they_always_did() {
    let Some((group, mut program)) = lay(&["signal"]) else {
        return;
    };
    let pid = program.child.id();
    // The first child has ended, which interrupted and restarted the parent's wait.
    let limit = Instant::now() + HUNG;
    while group.processes().unwrap().len() > 1 {
        assert!(Instant::now() < limit, "the child does not end");
        std::thread::sleep(Duration::from_millis(5));
    }
    settle(&group);
    group.jump(HOUR / 2).unwrap();
    settle(&group);
    group.jump(HOUR / 2).unwrap();
    settle(&group);
    assert!(
        program.child.try_wait().unwrap().is_none(),
        "two hours are not over"
    );
    signal("USR1", pid);
    ends_well(&mut program);
}

/// Two processes share a timer descriptor: it must move once.
#[test]
fn a_shared_timer_moves_once() {
    let Some((group, mut program)) = lay(&["shared"]) else {
        return;
    };
    settle(&group);
    group.jump(HOUR).unwrap();
    settle(&group);
    assert!(
        program.child.try_wait().unwrap().is_none(),
        "half an hour is left"
    );
    group.jump(HOUR).unwrap();
    ends_well(&mut program);
}

/// What a periodic timer missed is counted and its phase stays.
#[test]
fn a_periodic_timer_counts_what_it_missed() {
    let Some((group, mut program)) = lay(&["periodic"]) else {
        return;
    };
    settle(&group);
    group.jump(Duration::from_secs(30)).unwrap();
    let (_, ticks) = program.expect("ticks");
    assert!((30..33).contains(&ticks[0]), "{ticks:?}");
    ends_well(&mut program);
}

/// The wall clock set back and forward: relative and monotonic waits stay, absolute ones on the wall clock follow.
#[test]
fn the_wall_clock_alone() {
    let Some((group, mut program)) = lay(&["step"]) else {
        return;
    };
    settle(&group);
    let hour = HOUR.as_nanos() as i64;
    group.step_wall(-2 * hour).unwrap();
    settle(&group);
    group.jump(2 * HOUR).unwrap();
    settle(&group);
    assert!(
        program.child.try_wait().unwrap().is_none(),
        "by the wall clock no time has passed"
    );
    group.step_wall(hour).unwrap();
    let (_, woke) = program.expect("woke");
    assert!((hour..hour + 20_000_000_000).contains(&woke[0]), "{woke:?}");
    assert!(
        (2 * hour..2 * hour + 20_000_000_000).contains(&woke[1]),
        "{woke:?}"
    );
    let offset = group.offset();
    assert_eq!((offset.wall, offset.monotonic), (hour, 2 * hour));
    ends_well(&mut program);

    let Some((group, mut program)) = lay(&["nap", "3600"]) else {
        return;
    };
    settle(&group);
    group.step_wall(5 * hour).unwrap();
    settle(&group);
    assert!(
        program.child.try_wait().unwrap().is_none(),
        "a relative wait is not moved by setting the clock"
    );
    group.jump(HOUR).unwrap();
    ends_well(&mut program);
}

fn signal(name: &str, pid: u32) {
    assert!(
        Command::new("kill")
            .args([&format!("-{name}"), &pid.to_string()])
            .status()
            .unwrap()
            .success()
    );
}

fn state(stat: &std::path::Path) -> char {
    let text = std::fs::read_to_string(stat).unwrap();
    text.rsplit(')')
        .next()
        .unwrap()
        .trim_start()
        .chars()
        .next()
        .unwrap()
}

fn await_state(pid: u32, wanted: char) {
    let limit = Instant::now() + HUNG;
    while state(std::path::Path::new(&format!("/proc/{pid}/stat"))) != wanted {
        assert!(
            Instant::now() < limit,
            "process {pid} does not reach state {wanted}"
        );
        std::thread::yield_now();
    }
}
