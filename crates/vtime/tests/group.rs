//! What a caller sees of a group.
#![cfg(all(target_os = "linux", target_arch = "x86_64"))]

mod programs;

use emu_vtime::{Error, Group, Offset, Settled, Unsupported};
use programs::{HUNG, Running, full, group, skipped};
use std::os::unix::process::ExitStatusExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

const HOUR: Duration = Duration::from_secs(3600);
const HOUR_NS: i64 = 3_600_000_000_000;

/// Which part this test binary plays when a test has started it as a program; see `play`.
const PART: &str = "EMU_VTIME_TEST_PART";

/// This test binary as a program that does nothing but play a part.
fn playing(part: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "play", "--ignored", "--nocapture"])
        .env(PART, part);
    command
}

#[test]
#[ignore = "the program that other tests start"]
fn play() {
    match std::env::var(PART).as_deref() {
        Ok("tokio") => tokio_sleepers(),
        Ok("nested") => match Group::new() {
            Err(Error::Unsupported(Unsupported::AlreadyTraced { name, .. })) => {
                println!("traced by {name}");
            }
            other => println!("failed {other:?}"),
        },
        _ => {}
    }
}

fn clocks(program: &mut Running) -> (i64, i64) {
    program.tell("?");
    let (_, numbers) = program.expect("clocks");
    let real = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_nanos() as i64;
    (numbers[0] - real, numbers[1])
}

fn clock_program(group: &Group) -> Option<Running> {
    let path = programs::c("traps.c")?;
    let mut program = Running::start(
        group,
        Command::new(path).arg("clocks").stdin(Stdio::piped()),
    );
    program.expect("ready");
    Some(program)
}

fn about(ns: i64, wanted: i64) -> bool {
    (ns - wanted).abs() < 500_000_000
}

/// A program that is born into a process namespace of its own has another number there than for the tracer.
#[test]
fn a_program_in_a_process_namespace_joins() {
    let Some(path) = programs::c("traps.c") else {
        return;
    };
    let Some(group) = group() else { return };
    // A thread's children are born there, the first one as number 1; threads it can have none then.
    let born = std::thread::scope(|scope| {
        let spawn = || {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWPID).ok()?;
            let mut command = Command::new(path);
            command
                .arg("clocks")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped());
            Some(group.spawn(&mut command).unwrap())
        };
        scope.spawn(spawn).join().unwrap()
    });
    let Some(child) = born else {
        return skipped("no new process namespace may be made");
    };
    let mut program = Running::of(child);
    program.expect("ready");
    let listed = group.processes().unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].pid, program.child.id() as i32);
    group.jump(HOUR).unwrap();
    let (wall, _) = clocks(&mut program);
    assert!(about(wall, HOUR_NS), "{wall}");
}

#[test]
fn it_is_supported_or_says_why() {
    match emu_vtime::supported() {
        Ok(()) => assert!(group().is_some()),
        Err(why) => skipped(why),
    }
}

#[test]
fn several_roots_share_the_clock_and_later_ones_join_at_its_offset() {
    let Some(group) = group() else { return };
    let Some(mut first) = clock_program(&group) else {
        return;
    };
    group.jump(HOUR).unwrap();
    let mut roots: Vec<Running> = (0..10).map(|_| clock_program(&group).unwrap()).collect();
    assert_eq!(group.processes().unwrap().len(), 11);
    group.jump(HOUR).unwrap();
    group.step_wall(-HOUR_NS / 2).unwrap();
    assert_eq!(
        group.offset(),
        Offset {
            wall: HOUR_NS * 3 / 2,
            monotonic: 2 * HOUR_NS
        }
    );
    for program in roots.iter_mut().chain([&mut first]) {
        let (ahead, _) = clocks(program);
        assert!(about(ahead, HOUR_NS * 3 / 2), "{ahead}");
    }
    let (a, b) = (clocks(&mut first).1, clocks(&mut roots[0]).1);
    assert!(b >= a && about(a, b), "one monotonic clock: {a} {b}");
}

#[test]
fn children_are_ordinary_children() {
    let Some(group) = group() else { return };
    let sh = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    };
    assert_eq!(
        group
            .spawn(&mut sh("exit 7"))
            .unwrap()
            .wait()
            .unwrap()
            .code(),
        Some(7)
    );
    assert_eq!(
        group
            .spawn(&mut sh("kill -9 $$"))
            .unwrap()
            .wait()
            .unwrap()
            .signal(),
        Some(9)
    );
    let mut cat = group
        .spawn(
            sh("cat; echo $WORD $PWD >&2")
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .env("WORD", "yes")
                .current_dir("/"),
        )
        .unwrap();
    std::io::Write::write_all(&mut cat.stdin.take().unwrap(), b"through").unwrap();
    let output = cat.wait_with_output().unwrap();
    assert_eq!(
        (output.stdout, output.stderr),
        (b"through".to_vec(), b"yes /\n".to_vec())
    );
    // Spawned twice, a command joins twice.
    let mut twice = sh("exit 3");
    for _ in 0..2 {
        assert_eq!(
            group.spawn(&mut twice).unwrap().wait().unwrap().code(),
            Some(3)
        );
    }
    // Children of others are no business of the tracer.
    assert_eq!(sh("exit 4").status().unwrap().code(), Some(4));
}

#[test]
fn a_program_that_cannot_start_says_why() {
    let Some(group) = group() else { return };
    let error = group
        .spawn(&mut Command::new("/no/such/program"))
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot start /no/such/program: No such file or directory (os error 2)"
    );
    group.wait().unwrap();
}

#[test]
fn a_command_of_two_groups_is_refused() {
    let (Some(one), Some(two)) = (group(), group()) else {
        return;
    };
    let mut command = Command::new("true");
    one.prepare(&mut command);
    let error = two.spawn(&mut command).unwrap_err();
    assert!(
        matches!(&error, Error::Untraceable { why, .. } if why.contains("traces it already")),
        "{error}"
    );
    assert!(
        one.spawn(&mut Command::new("true"))
            .unwrap()
            .wait()
            .unwrap()
            .success()
    );
}

#[test]
fn inside_another_group_it_says_that_it_is_traced() {
    let Some(group) = group() else { return };
    let mut program = Running::start(&group, &mut playing("nested"));
    let mut said = String::new();
    while let Some((_, line)) = program.line() {
        said += &line;
    }
    assert!(said.contains("traced by"), "{said}");
}

#[test]
fn kill_wait_and_drop() {
    let Some(group) = group() else { return };
    let spawn = || {
        group
            .spawn(Command::new("sh").args(["-c", "sleep 1000 & sleep 1000"]))
            .unwrap()
    };
    let mut child = spawn();
    group.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    assert!(group.processes().unwrap().is_empty());
    group.wait().unwrap();
    let mut child = spawn();
    drop(group);
    assert_eq!(child.wait().unwrap().signal(), Some(9));
}

#[test]
fn a_panic_between_stop_and_commit_moves_nothing() {
    let Some(group) = group() else { return };
    let Some(mut program) = clock_program(&group) else {
        return;
    };
    let jump = || group.jump_with(HOUR, |_| panic!("on purpose"));
    assert!(catch_unwind(AssertUnwindSafe(jump)).is_err());
    assert_eq!(group.offset(), Offset::default());
    assert!(about(clocks(&mut program).0, 0));
    group.jump(HOUR).unwrap();
    assert!(about(clocks(&mut program).0, HOUR_NS));
    assert!(matches!(group.jump(Duration::MAX), Err(Error::TooFar(_))));
    assert!(matches!(group.step_wall(i64::MAX), Err(Error::TooFar(_))));
}

#[test]
fn settling_waits_for_what_is_due_and_no_longer_than_told() {
    let Some(group) = group() else { return };
    // Each step is due a minute after the one before, and takes some work.
    let script =
        "for i in 1 2 3; do sleep 60; seq 20000 | sort -R | tail -1 > /dev/null; echo step; done";
    let mut program = Running::start(&group, Command::new("sh").args(["-c", script]));
    for _ in 0..3 {
        assert!(group.settle(HUNG).unwrap().is_settled());
        group.jump(Duration::from_secs(60)).unwrap();
    }
    assert!(program.end().success());
    let mut busy = group
        .spawn(Command::new("sh").args(["-c", "while :; do :; done"]))
        .unwrap();
    let start = Instant::now();
    let settled = group.settle(Duration::from_millis(50)).unwrap();
    assert!(
        matches!(&settled, Settled::No { running } if running.contains("sh")),
        "{settled:?}"
    );
    assert!(start.elapsed() < HUNG);
    // Others can be at rest meanwhile.
    let mut sleeper = group.spawn(Command::new("sleep").arg("1000000")).unwrap();
    let ids = [sleeper.id() as i32];
    assert!(group.settle_among(&ids, HUNG).is_settled());
    let ids = [ids[0], busy.id() as i32];
    let settled = group.settle_among(&ids, Duration::from_millis(50));
    assert!(
        matches!(&settled, Settled::No { running } if running.contains("sh")),
        "{settled:?}"
    );
    sleeper.kill().unwrap();
    sleeper.wait().unwrap();
    busy.kill().unwrap();
    busy.wait().unwrap();
}

/// What is due next, before any jump and after one, whatever the wait: relative or a point in time.
#[test]
fn what_is_due_is_told() {
    let Some(group) = group() else { return };
    let sleep = |seconds: &str| {
        group
            .spawn(Command::new("sleep").arg(seconds).stdin(Stdio::null()))
            .unwrap()
    };
    let (mut first, mut second) = (sleep("3600"), sleep("36000"));
    let ids = [first.id() as i32, second.id() as i32];
    assert!(group.settle(HUNG).unwrap().is_settled());
    let left = || {
        let mut due = group.due(&ids).unwrap();
        due.sort_by_key(|d| d.left);
        let processes: Vec<_> = due.iter().map(|d| d.process).collect();
        assert_eq!(processes, ids);
        (due[0].left.as_secs_f64(), due[1].left.as_secs_f64())
    };
    let near = |a: f64, b: f64| assert!((a - b).abs() < 10.0, "{a} is not about {b}");
    let (a, b) = left();
    near(a, 3600.0);
    near(b, 36000.0);
    group.jump(Duration::from_secs(3000)).unwrap();
    let (a, b) = left();
    near(a, 600.0);
    near(b, 33000.0);
    let next = group.due(&ids[..1]).unwrap()[0].left;
    group.jump(next).unwrap();
    assert!(first.wait().unwrap().success());
    assert!(second.try_wait().unwrap().is_none());
    second.kill().unwrap();
    second.wait().unwrap();
    let Some(path) = programs::c("sleepers.c") else {
        return;
    };
    let mut kinds = Running::start(&group, &mut Command::new(&path));
    kinds.expect("ready");
    assert!(group.settle(HUNG).unwrap().is_settled());
    let due = group.due(&[kinds.child.id() as i32]).unwrap();
    let within = |d: &&emu_vtime::Due| d.left <= HOUR && d.left > HOUR - HUNG;
    assert!(due.iter().filter(within).count() > 10, "{due:?}");
    group.jump(HOUR).unwrap();
    kinds.expect("done");
}

#[test]
fn hundreds_of_threads() {
    let Some(group) = group() else { return };
    let Some(path) = programs::c("sleepers.c") else {
        return;
    };
    let count = if full() { 30 } else { 8 };
    let mut programs: Vec<_> = (0..count)
        .map(|_| Running::start(&group, &mut Command::new(&path)))
        .collect();
    programs.iter_mut().for_each(|p| drop(p.expect("ready")));
    assert!(group.settle(HUNG).unwrap().is_settled());
    let report = group.jump(HOUR).unwrap();
    assert!(report.threads >= 30 * count, "{report:?}");
    programs.iter_mut().for_each(|p| drop(p.expect("done")));
    eprintln!("{report:?}");
    assert!(programs.iter_mut().all(|p| p.end().success()));
}

/// Tokio's processes are prepared like the standard library's, and its waits follow.
#[test]
fn tokio() {
    let Some(group) = group() else { return };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let status = runtime.block_on(async {
        let mut command = tokio::process::Command::from(playing("tokio"));
        command.stdout(Stdio::piped());
        group.prepare(command.as_std_mut());
        let mut child = command.spawn().unwrap();
        let output = tokio::io::BufReader::new(child.stdout.take().unwrap());
        let mut lines = tokio::io::AsyncBufReadExt::lines(output);
        while let Some(line) = lines.next_line().await.unwrap() {
            if line == "ready" {
                break;
            }
        }
        assert!(group.settle(HUNG).unwrap().is_settled());
        group.jump(HOUR).unwrap();
        let mut seen = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            seen.push(line);
        }
        assert!(seen.iter().any(|line| line == "done"), "{seen:?}");
        child.wait().await.unwrap()
    });
    assert!(status.success());
}

fn tokio_sleepers() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (start, wall) = (Instant::now(), SystemTime::now());
        let timeout = tokio::spawn(tokio::time::timeout(HOUR, std::future::pending::<()>()));
        let sleep = tokio::spawn(tokio::time::sleep(HOUR));
        let mut interval = tokio::time::interval(HOUR);
        interval.tick().await;
        println!("\nready");
        interval.tick().await;
        sleep.await.unwrap();
        timeout.await.unwrap().unwrap_err();
        let (monotonic, wall) = (start.elapsed(), wall.elapsed().unwrap());
        assert!(
            monotonic >= HOUR && monotonic < HOUR + HUNG && wall >= HOUR,
            "{monotonic:?} {wall:?}"
        );
        let start = Instant::now();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert!(start.elapsed() >= Duration::from_millis(200));
        println!("done");
    });
}
