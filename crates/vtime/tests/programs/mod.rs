//! The programs that the tests run: compiled on first use, skipped where their language is not on the machine.

use emu_vtime::Group;
use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

/// How long anything may take before it counts as hung.
pub(crate) const HUNG: Duration = Duration::from_secs(20);

/// Whether the heavy variants run too.
#[allow(dead_code)]
pub(crate) fn full() -> bool {
    std::env::var_os("EMU_FULL").is_some_and(|v| v != "0")
}

/// Says why a test does not run here.
pub(crate) fn skipped(why: impl std::fmt::Display) {
    eprintln!("skipped: {why}");
}

/// A group, or the reason why this system has none.
pub(crate) fn group() -> Option<Group> {
    match Group::new() {
        Ok(group) => Some(group),
        Err(why) => {
            skipped(why);
            None
        }
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/programs")
}

/// A source file that an interpreter runs as it is.
#[allow(dead_code)]
pub(crate) fn script(name: &str) -> PathBuf {
    sources().join(name)
}

/// Compiles `source` by `compiler`, whose arguments name the output `OUT` and the source `SRC`; once for each content.
/// Nothing, with a word on why, when the compiler is not there.
pub(crate) fn compile(source: &str, compiler: &[&str]) -> Option<PathBuf> {
    let path = sources().join(source);
    let mut hash = DefaultHasher::new();
    (std::fs::read(&path).unwrap(), compiler).hash(&mut hash);
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("programs");
    let out = folder.join(format!(
        "{}-{:016x}",
        source.replace('.', "-"),
        hash.finish()
    ));
    if out.exists() {
        return Some(out);
    }
    std::fs::create_dir_all(&folder).unwrap();
    // Compiled beside it and renamed, as tests run at the same time.
    let fresh = folder.join(format!(
        "{source}-{}-{:?}",
        std::process::id(),
        std::thread::current().id()
    ));
    let arguments = compiler[1..].iter().map(|a| match *a {
        "OUT" => fresh.as_os_str().to_owned(),
        "SRC" => path.as_os_str().to_owned(),
        other => other.into(),
    });
    match Command::new(compiler[0]).args(arguments).output() {
        Err(why) => skipped(format_args!("no {}: {why}", compiler[0])),
        Ok(done) if !done.status.success() => {
            skipped(format_args!(
                "{} failed: {}",
                compiler[0],
                String::from_utf8_lossy(&done.stderr)
            ));
        }
        Ok(_) => {
            if std::fs::rename(&fresh, &out).is_err() {
                let _ = std::fs::remove_dir_all(&fresh); // another test was first
            }
            return Some(out);
        }
    }
    None
}

/// Compiles a C program, dynamic.
#[allow(dead_code)]
pub(crate) fn c(source: &str) -> Option<PathBuf> {
    compile(
        source,
        &["gcc", "-O1", "-o", "OUT", "SRC", "-lpthread", "-lrt"],
    )
}

/// A running program and what it has printed.
pub(crate) struct Running {
    pub(crate) child: Child,
    lines: Receiver<(Instant, String)>,
}

impl Running {
    /// Starts a program in a group.
    pub(crate) fn start(group: &Group, command: &mut Command) -> Self {
        command.stdout(Stdio::piped());
        Self::of(group.spawn(command).unwrap())
    }

    /// Listens to a child whose output is piped.
    pub(crate) fn of(mut child: Child) -> Self {
        let output = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                let _ = sender.send((Instant::now(), line));
            }
        });
        Self { child, lines }
    }

    /// The next line and when it came; nothing at the end.
    pub(crate) fn line(&mut self) -> Option<(Instant, String)> {
        match self.lines.recv_timeout(HUNG) {
            Ok((at, line)) => {
                assert!(!line.starts_with("failed"), "{line}");
                Some((at, line))
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => None,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                let pid = self.child.id();
                let _ = self.child.kill();
                panic!("process {pid} hangs");
            }
        }
    }

    /// Reads up to the line that begins with `word`; gives when it came and the numbers on it.
    pub(crate) fn expect(&mut self, word: &str) -> (Instant, Vec<i64>) {
        while let Some((at, line)) = self.line() {
            if let Some(rest) = line.strip_prefix(word) {
                return (
                    at,
                    rest.split_whitespace()
                        .filter_map(|n| n.parse().ok())
                        .collect(),
                );
            }
        }
        panic!("ended ({:?}) without saying {word}", self.child.wait());
    }

    /// Writes a line to it.
    #[allow(dead_code)]
    pub(crate) fn tell(&mut self, line: &str) {
        // In one piece: the program answers each read.
        self.child
            .stdin
            .as_mut()
            .unwrap()
            .write_all(format!("{line}\n").as_bytes())
            .unwrap();
    }

    /// Waits for the end.
    #[allow(dead_code)]
    pub(crate) fn end(&mut self) -> ExitStatus {
        while self.line().is_some() {}
        self.child.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
