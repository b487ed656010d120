//! `vtime`: run a program under virtual time and move its clocks from another shell.
#![forbid(unsafe_code)]

#[cfg(unix)]
#[path = "vtime/control.rs"]
mod control;
#[path = "vtime/span.rs"]
mod span;

use std::process::ExitCode;

const USAGE: &str = "\
Run a program, with all that it starts, under a clock that can be moved while it runs.

Usage:
  vtime run [--control SOCKET] -- PROGRAM [ARGUMENTS]...
  vtime jump DURATION --control SOCKET      both clocks forward: 90s, 10m, 24h, 7d, 1h30m
  vtime step DURATION --control SOCKET      the wall clock alone, forward or back: 2h, -2h
  vtime settle [DURATION] --control SOCKET  wait until all threads are blocked (10s at most)
  vtime offset --control SOCKET             how far the clocks are ahead
  vtime list --control SOCKET               the processes
  vtime check                               does it work on this system?

`run` ends when the last process has ended, with the exit code of PROGRAM.
VTIME_CONTROL stands in for --control.";

/// What the arguments ask for.
enum Ask {
    Run { program: Vec<String> },
    Tell { request: String },
    Check,
    Help,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os()
        .skip(1)
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let (ask, socket) = match parse(&arguments) {
        Ok(parsed) => parsed,
        Err(why) => {
            eprintln!("vtime: {why}\n\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    let done = match ask {
        Ask::Help => {
            println!("{USAGE}");
            Ok(0)
        }
        Ask::Check => emu_vtime::supported()
            .map_err(|why| why.to_string())
            .map(|()| {
                println!("virtual time works here");
                0
            }),
        #[cfg(unix)]
        Ask::Run { program } => control::run(&program, socket.as_deref()),
        #[cfg(unix)]
        Ask::Tell { request } => control::tell(&request, socket.as_deref()),
        #[cfg(not(unix))]
        _ => Err("virtual time needs Linux on x86_64".to_owned()),
    };
    match done {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            eprintln!("vtime: {why}");
            ExitCode::from(2)
        }
    }
}

fn parse(arguments: &[String]) -> Result<(Ask, Option<String>), String> {
    let mut socket = std::env::var("VTIME_CONTROL").ok();
    let mut words = Vec::new();
    let mut rest = arguments.iter();
    let mut program = Vec::new();
    while let Some(argument) = rest.next() {
        match argument.as_str() {
            "--control" => socket = Some(rest.next().ok_or("--control needs a path")?.clone()),
            "--" => program = rest.by_ref().cloned().collect(),
            "-h" | "--help" => return Ok((Ask::Help, None)),
            other => match other.strip_prefix("--control=") {
                Some(path) => socket = Some(path.to_owned()),
                None if words.first().is_some_and(|w| w == "run") => {
                    // `vtime run PROGRAM` works without the dashes too.
                    program = std::iter::once(argument)
                        .chain(rest.by_ref())
                        .cloned()
                        .collect();
                }
                None => words.push(other.to_owned()),
            },
        }
    }
    let ask = match words.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["run"] if !program.is_empty() => Ask::Run { program },
        ["run"] => return Err("run what?".to_owned()),
        ["check"] => Ask::Check,
        ["help"] | [] => Ask::Help,
        ["jump", by] => match span::parse(by)? {
            ns if ns < 0 => return Err("a jump goes forward; see `step`".to_owned()),
            ns => Ask::Tell {
                request: format!("jump {ns}"),
            },
        },
        ["step", by] => Ask::Tell {
            request: format!("step {}", span::parse(by)?),
        },
        ["settle"] => Ask::Tell {
            request: "settle 10000000000".to_owned(),
        },
        ["settle", limit] => Ask::Tell {
            request: format!("settle {}", span::parse(limit)?),
        },
        [word @ ("offset" | "list")] => Ask::Tell {
            request: word.to_owned(),
        },
        _ => return Err(format!("what is `{}`?", words.join(" "))),
    };
    Ok((ask, socket))
}
