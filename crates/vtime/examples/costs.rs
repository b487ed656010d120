//! What virtual time costs: clock reads, other system calls, starting programs, jumps, each beside the plain program.
//! Run it with `cargo run --release -p emu-vtime --example costs`.

use emu_vtime::{Error, Group};
use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How often each start is measured.
const STARTS: u32 = 7;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["reads"] => reads(),
        ["sleepers", count] => sleepers(count.parse()?),
        _ => {
            let group = match Group::new() {
                Ok(group) => group,
                Err(Error::Unsupported(why)) => {
                    println!("skipped: {why}");
                    return Ok(());
                }
                Err(other) => return Err(other.into()),
            };
            compare(&group)?;
        }
    }
    Ok(())
}

fn compare(group: &Group) -> Result<(), Box<dyn std::error::Error>> {
    println!("{:<28} {:>12} {:>14}", "", "plain", "virtual time");
    let own = std::env::current_exe()?;
    let output = |spawn: &dyn Fn(&mut Command) -> Result<std::process::Child, Error>| -> Result<String, Box<dyn std::error::Error>> {
        let mut text = String::new();
        let mut child = spawn(Command::new(&own).arg("reads").stdout(Stdio::piped()))?;
        child.stdout.take().ok_or("no output")?.read_to_string(&mut text)?;
        child.wait()?;
        Ok(text)
    };
    let plain = output(&|command| {
        command.spawn().map_err(|source| Error::Spawn {
            program: "costs".into(),
            source,
        })
    })?;
    let traced = output(&|command| group.spawn(command))?;
    for (a, b) in plain.lines().zip(traced.lines()) {
        let ((name, a), (_, b)) = (
            a.split_once(": ").unwrap_or((a, "")),
            b.split_once(": ").unwrap_or((b, "")),
        );
        println!("{name:<28} {a:>12} {b:>14}");
    }
    let programs: [&[&str]; 4] = [
        &["true"],
        &["python3", "-c", "pass"],
        &["node", "-e", "0"],
        &["java", "-version"],
    ];
    for words in programs {
        let command = || {
            let mut command = Command::new(words[0]);
            command
                .args(&words[1..])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            command
        };
        if command().status().is_err() {
            println!("start of {}: not on this machine", words[0]);
            continue;
        }
        let a = median(|| drop(command().status()));
        let b = median(|| drop(group.spawn(&mut command()).map(|mut child| child.wait())));
        println!(
            "{:<28} {:>9} us {:>11} us",
            format!("start of {}", words[0]),
            a.as_micros(),
            b.as_micros()
        );
    }
    for threads in [10, 100, 500] {
        let mut child = group.spawn(
            Command::new(&own)
                .args(["sleepers", &threads.to_string()])
                .stdout(Stdio::piped()),
        )?;
        child
            .stdout
            .as_mut()
            .ok_or("no output")?
            .read_exact(&mut [0])?;
        group.settle(Duration::from_secs(10))?;
        let jump = median(|| {
            let _ = group.jump(Duration::from_secs(1));
            let _ = group.settle(Duration::from_secs(10));
        });
        let micros = group.jump(Duration::from_secs(1))?.micros;
        let name = format!("jump, {threads} sleeping threads");
        println!(
            "{name:<28} {:>12} {micros:>11} us, settled again after {}",
            "",
            jump.as_micros()
        );
        child.kill()?;
        child.wait()?;
    }
    Ok(())
}

fn median(mut work: impl FnMut()) -> Duration {
    let mut times: Vec<Duration> = (0..STARTS)
        .map(|_| {
            let start = Instant::now();
            work();
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[times.len() / 2]
}

/// Times, from inside a program, a clock read, another system call and a sleep that is due already.
fn reads() {
    let per_call = |count: u32, work: &dyn Fn()| {
        // The best of many short rounds: on a busy machine some are left in peace.
        let best = (0..60).map(|_| {
            let start = Instant::now();
            (0..count).for_each(|_| work());
            start.elapsed()
        });
        best.min().unwrap_or_default().as_nanos() as f64 / f64::from(count)
    };
    let read = per_call(50_000, &|| {
        std::hint::black_box(Instant::now());
    });
    println!("clock read: {read:.1} ns");
    let call = per_call(10_000, &|| {
        std::hint::black_box(std::os::unix::process::parent_id());
    });
    println!("another system call: {call:.0} ns");
    let sleep = per_call(50, &|| std::thread::sleep(Duration::from_nanos(1)));
    println!("shortest sleep: {:.1} us", sleep / 1000.0);
}

fn sleepers(count: u32) {
    for _ in 0..count {
        std::thread::spawn(|| std::thread::sleep(Duration::from_secs(1_000_000)));
    }
    print!(".");
    let _ = std::io::Write::flush(&mut std::io::stdout());
    std::thread::sleep(Duration::from_secs(1_000_000));
}
