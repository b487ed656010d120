//! `emu pod`: what emu does inside a pod of its own image, where there is no other program.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    os::unix::process::CommandExt as _,
    path::Path,
    process::{Command, ExitCode},
    time::Duration,
};

use miette::miette;

use crate::args::PodAction;

/// How long the emulator may take to answer a first packet: one on the same machine answers at once.
const REACH: Duration = Duration::from_secs(4);
/// How long connecting may take; whoever asks has a limit of its own.
const CONNECT: Duration = Duration::from_secs(120);

pub(crate) fn run(action: &PodAction) -> miette::Result<ExitCode> {
    match action {
        PodAction::Prepare { address, program } => Ok(prepare(*address, program)),
        PodAction::Relay { address } => Ok(relay(*address)),
        PodAction::Write { file, length } => write(file, *length),
        PodAction::Read { file } => read(file),
        PodAction::Env { words } => env(words),
        PodAction::End => end(),
    }
}

fn prepare(address: SocketAddr, program: &[String]) -> ExitCode {
    if let Err(e) = TcpStream::connect_timeout(&address, REACH) {
        // A container's last lines are its message.
        eprintln!("{address} cannot be reached: {e}");
        return ExitCode::FAILURE;
    }
    let made = Command::new("/proc/self/exe")
        .args(["agent", "initialize", "--any-link"])
        .status();
    match made {
        Ok(status) if status.success() => {}
        Ok(_) => return ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the agent's link cannot be made: {error}");
            return ExitCode::FAILURE;
        }
    }
    let Some((name, arguments)) = program.split_first() else {
        return ExitCode::SUCCESS;
    };
    let error = Command::new(name).args(arguments).exec();
    eprintln!("`{name}` cannot be run: {error}");
    ExitCode::FAILURE
}

/// Status 3 with the system's number for the error when there is no connection.
fn relay(address: SocketAddr) -> ExitCode {
    let stream = match TcpStream::connect_timeout(&address, CONNECT) {
        Ok(stream) => stream,
        Err(e) => {
            eprintln!("{} {e}", e.raw_os_error().unwrap_or(libc_timeout()));
            return ExitCode::from(3);
        }
    };
    let _ = stream.set_nodelay(true);
    if let Ok(to) = stream.try_clone() {
        std::thread::spawn(move || copy(io::stdin().lock(), to));
    }
    // The end of the input is no reason to hang up: an answer may still come.
    copy(&stream, io::stdout().lock());
    let _ = stream.shutdown(Shutdown::Both);
    ExitCode::SUCCESS
}

fn libc_timeout() -> i32 {
    nix::errno::Errno::ETIMEDOUT as i32
}

fn copy(mut from: impl Read, mut to: impl Write) {
    let mut buffer = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        if to
            .write_all(&buffer[..length])
            .and_then(|()| to.flush())
            .is_err()
        {
            return;
        }
    }
}

fn write(file: &Path, length: u64) -> miette::Result<ExitCode> {
    let mut bytes = Vec::new();
    // The end of the input may never come through.
    io::stdin()
        .take(length)
        .read_to_end(&mut bytes)
        .map_err(|e| miette!("standard input: {e}"))?;
    if bytes.len() as u64 != length {
        return Err(miette!("only {} of {length} bytes came", bytes.len()));
    }
    emu_cluster::kubernetes::write_whole(file, &bytes)
        .map_err(|e| miette!("{}: {e}", file.display()))?;
    Ok(ExitCode::SUCCESS)
}

fn read(file: &Path) -> miette::Result<ExitCode> {
    let bytes = std::fs::read(file).map_err(|e| miette!("{}: {e}", file.display()))?;
    io::stdout()
        .write_all(&bytes)
        .map_err(|e| miette!("standard output: {e}"))?;
    Ok(ExitCode::SUCCESS)
}

fn env(words: &[String]) -> miette::Result<ExitCode> {
    let mut words = words.iter();
    let mut unset = Vec::new();
    let mut set = Vec::new();
    let program = loop {
        let word = words.next().ok_or_else(|| miette!("there is no command"))?;
        match word.split_once('=') {
            _ if word == "-u" => unset.extend(words.next()),
            Some((name, value)) => set.push((name, value)),
            None => break word,
        }
    };
    let mut command = Command::new(program);
    command.args(words).envs(set);
    for name in unset {
        command.env_remove(name);
    }
    // Only an error comes back.
    let error = command.exec();
    eprintln!("{program}: {error}");
    Ok(ExitCode::from(match error.kind() {
        io::ErrorKind::NotFound => 127,
        _ => 126,
    }))
}

fn end() -> miette::Result<ExitCode> {
    use nix::{sys::signal, unistd::Pid};
    signal::kill(Pid::from_raw(1), signal::Signal::SIGTERM)
        .map_err(|e| miette!("the first process cannot be ended: {e}"))?;
    Ok(ExitCode::SUCCESS)
}
