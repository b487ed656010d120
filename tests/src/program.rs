//! The program, built and run as a stranger would.

use std::{
    env, io,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::mpsc,
    time::Duration,
};

/// How long anything of the program's may take on a busy machine.
const DEADLINE: Duration = Duration::from_secs(60);

/// The program: what `EMU_BIN` names, or the one of this profile, built now.
///
/// # Errors
/// Why it could not be built.
pub fn binary() -> Result<PathBuf, String> {
    match env::var_os("EMU_BIN") {
        Some(named) => Ok(named.into()),
        None => built("emu-cli", "emu"),
    }
}

/// A program of a package of ours, of this profile, built now.
///
/// # Errors
/// Why it could not be built.
pub fn built(package: &str, name: &str) -> Result<PathBuf, String> {
    let here = env::current_exe().map_err(|e| e.to_string())?;
    // A test lies in `deps`, an example in `examples`, both beside the program.
    let folder = here
        .ancestors()
        .nth(2)
        .ok_or("this test lies nowhere")?
        .to_owned();
    let mut build = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    build.args(["build", "--quiet", "-p", package]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    let built = build
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .status()
        .map_err(|e| e.to_string())?;
    let binary = folder.join(name);
    if built.success() && binary.exists() {
        Ok(binary)
    } else {
        Err(format!(
            "`{name}` could not be built into {}",
            folder.display()
        ))
    }
}

/// A running `emu up`. Killed when dropped.
#[derive(Debug)]
pub struct Up {
    child: Child,
    /// Where it listens, as `host:port`.
    pub address: String,
}

impl Up {
    /// Starts it on a free port and waits for its `Ready.`.
    ///
    /// # Errors
    /// If it ends or says nothing in time.
    pub fn start(program: &Path, arguments: &[&str]) -> io::Result<Self> {
        Self::start_with(program, arguments, &[])
    }

    /// The same, with further variables.
    ///
    /// # Errors
    /// If it ends or says nothing in time.
    pub fn start_with(
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &Path)],
    ) -> io::Result<Self> {
        let mut child = Command::new(program)
            .envs(variables.iter().copied())
            .args(["up", "--addr", "127.0.0.1:0"])
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut up = Self {
            child,
            address: String::new(),
        };
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                // Whoever no longer listens has what it wanted; the pipe is read on, so that it never fills.
                let _ = sender.send(line);
            }
        });
        loop {
            let line = lines
                .recv_timeout(DEADLINE)
                .map_err(|_| io::Error::other("`emu up` never said `Ready.`"))?;
            if let Some((_, rest)) = line.split_once("http://") {
                let end = rest.find(' ').unwrap_or(rest.len());
                rest[..end].clone_into(&mut up.address);
            }
            if line == "Ready." {
                return Ok(up);
            }
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as Ctrl-C would, and waits.
    ///
    /// # Errors
    /// If it cannot be told.
    pub fn stop(mut self) -> io::Result<ExitStatus> {
        Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status()?;
        self.child.wait()
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
