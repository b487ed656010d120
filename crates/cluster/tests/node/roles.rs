//! What this program does in a pod.

use std::{
    ffi::OsString,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    process::ExitCode,
    time::Duration,
};

use clap::{FromArgMatches as _, Subcommand as _};
use emu_agent::AgentCommand;

/// The twin, where `emu agent` would be it.
pub(crate) fn twin(words: &[OsString]) -> ExitCode {
    let command = AgentCommand::augment_subcommands(clap::Command::new("agent"));
    let words = std::iter::once(OsString::from("agent")).chain(words.iter().cloned());
    let Ok(command) = AgentCommand::from_arg_matches(&command.get_matches_from(words)) else {
        return ExitCode::FAILURE;
    };
    match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(emu_agent::run(command)),
        Err(_) => ExitCode::FAILURE,
    }
}

pub(crate) fn main(words: &[OsString]) -> ExitCode {
    let words: Vec<String> = words
        .iter()
        .map(|w| w.to_string_lossy().into_owned())
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match words.as_slice() {
        ["sleep"] => {
            println!("asleep");
            loop {
                std::thread::sleep(Duration::from_secs(3600));
            }
        }
        ["cat"] => std::io::copy(&mut std::io::stdin(), &mut std::io::stdout()).map(drop),
        ["cat", path] => std::fs::read_to_string(path).map(|text| print!("{text}")),
        ["read-from", address] => read_from(address).map(|text| print!("{text}")),
        ["now"] => std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map(|time| println!("{}", time.as_secs()))
            .map_err(std::io::Error::other),
        ["agent"] => agent(),
        _ => Err(std::io::Error::other("no such role")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(3)
        }
    }
}

/// What a server says before it closes.
fn read_from(address: &str) -> std::io::Result<String> {
    let address = address.parse().map_err(std::io::Error::other)?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(3))?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    Ok(text)
}

/// Listens where the agent does, and answers its probes.
fn agent() -> std::io::Result<()> {
    let probes = TcpListener::bind("127.0.0.1:2703")?;
    let proxy = TcpListener::bind("169.254.170.23:80")?;
    std::thread::spawn(move || {
        for stream in probes.incoming().flatten() {
            let _ = answer(stream);
        }
    });
    for stream in proxy.incoming() {
        stream?.write_all(b"the agent")?;
    }
    Ok(())
}

fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut request = [0; 1024];
    let _ = stream.read(&mut request)?;
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}
