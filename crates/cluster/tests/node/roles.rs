//! What this program does in a pod.

use std::{ffi::OsString, io::Read, net::TcpStream, process::ExitCode, time::Duration};

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
        ["cat", path] => std::fs::read_to_string(path).map(|text| print!("{text}")),
        ["read-from", address] => read_from(address).map(|text| print!("{text}")),
        _ => Err(std::io::Error::other("no such role")),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
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
