//! The group of a `vtime run`, and the socket through which others move its clocks: one line in, lines out.

use crate::span;
use emu_vtime::{Group, Settled};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// Runs a program until its last process has ended; gives its exit code.
pub(crate) fn run(program: &[String], socket: Option<&str>) -> Result<u8, String> {
    let group = Arc::new(Group::new().map_err(|error| error.to_string())?);
    let listener = socket.map(listen).transpose()?;
    let mut command = Command::new(&program[0]);
    command.args(&program[1..]);
    let mut child = group
        .spawn(&mut command)
        .map_err(|error| error.to_string())?;
    if let Some(listener) = listener {
        let group = group.clone();
        std::thread::spawn(move || serve(&listener, &group));
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    let rest = group.wait().map_err(|error| error.to_string());
    if let Some(path) = socket {
        let _ = std::fs::remove_file(path);
    }
    rest?;
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    Ok(u8::try_from(code).unwrap_or(1))
}

fn listen(path: &str) -> Result<UnixListener, String> {
    // A socket that nobody listens on is left over from a run that was killed.
    if UnixStream::connect(path).is_err_and(|e| e.kind() == std::io::ErrorKind::ConnectionRefused) {
        let _ = std::fs::remove_file(path);
    }
    UnixListener::bind(path).map_err(|error| format!("cannot listen on {path}: {error}"))
}

fn serve(listener: &UnixListener, group: &Arc<Group>) {
    for stream in listener.incoming().flatten() {
        let group = group.clone();
        std::thread::spawn(move || {
            let mut line = String::new();
            if BufReader::new((&stream).take(256))
                .read_line(&mut line)
                .is_ok()
            {
                let answer = match carry_out(&group, line.trim()) {
                    Ok(text) => format!("ok\n{text}\n"),
                    Err(why) => format!("error\n{why}\n"),
                };
                let _ = (&stream).write_all(answer.as_bytes());
            }
        });
    }
}

fn carry_out(group: &Group, line: &str) -> Result<String, String> {
    let (word, argument) = line.split_once(' ').unwrap_or((line, "0"));
    let number: i64 = argument
        .parse()
        .map_err(|_| format!("`{argument}` is not a number"))?;
    let duration = Duration::from_nanos(number.unsigned_abs());
    let offset = || {
        let offset = group.offset();
        format!(
            "wall {} monotonic {}",
            span::show(offset.wall),
            span::show(offset.monotonic)
        )
    };
    let moved = |report: emu_vtime::Report| {
        let emu_vtime::Report {
            threads,
            waits_moved,
            micros,
        } = report;
        format!(
            "{} ({threads} threads, {waits_moved} waits moved, {micros} us)",
            offset()
        )
    };
    match word {
        "jump" => group.jump(duration).map(moved).map_err(|e| e.to_string()),
        "step" => group
            .step_wall(number)
            .map(moved)
            .map_err(|e| e.to_string()),
        "settle" => match group.settle(duration).map_err(|e| e.to_string())? {
            Settled::Yes {
                threads, micros, ..
            } => Ok(format!("settled ({threads} threads, {micros} us)")),
            Settled::No { running } => Err(format!("not settled: {running} runs")),
        },
        "offset" => Ok(offset()),
        "list" => {
            let processes = group.processes().map_err(|e| e.to_string())?;
            let line =
                |p: &emu_vtime::Process| format!("{} {} threads {}", p.pid, p.threads, p.name);
            Ok(processes.iter().map(line).collect::<Vec<_>>().join("\n"))
        }
        _ => Err(format!("what is `{word}`?")),
    }
}

/// Tells a running `vtime run` to do something, and prints its answer.
pub(crate) fn tell(request: &str, socket: Option<&str>) -> Result<u8, String> {
    let path = socket.ok_or("which run? Give --control SOCKET")?;
    let mut stream =
        UnixStream::connect(path).map_err(|error| format!("cannot reach {path}: {error}"))?;
    let mut answer = String::new();
    let talk = writeln!(stream, "{request}").and_then(|()| stream.read_to_string(&mut answer));
    talk.map_err(|error| format!("{path}: {error}"))?;
    match answer.split_once('\n') {
        Some(("ok", text)) => {
            print!("{text}");
            Ok(0)
        }
        Some((_, why)) => Err(why.trim_end().to_owned()),
        None => Err(format!("{path}: no answer")),
    }
}
