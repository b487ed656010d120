//! The seam to `docker`, `kind` and `k3d`: every command line that we run goes through here.

use std::{
    ffi::{OsStr, OsString},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::Command,
};

use super::Error;

/// Where programs are found.
#[derive(Clone, Debug, Default)]
pub struct Programs {
    path: Option<OsString>,
}

/// What a program answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) command: String,
    pub(super) success: bool,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Programs {
    /// On `PATH`.
    pub fn on_path() -> Self {
        Self::default()
    }

    /// In folders of one's own, in the form of `PATH`; programs that are run see it as theirs.
    pub fn in_folders(path: impl Into<OsString>) -> Self {
        Self {
            path: Some(path.into()),
        }
    }

    /// Where a program lies.
    ///
    /// # Errors
    /// When it is in none of the folders.
    pub fn find(&self, program: &str) -> Result<PathBuf, Error> {
        let path = self.path.clone().or_else(|| std::env::var_os("PATH"));
        path.iter()
            .flat_map(std::env::split_paths)
            .map(|folder| folder.join(program))
            .find(|file| is_program(file))
            .ok_or_else(|| Error::NoProgram {
                program: program.to_owned(),
            })
    }

    /// Prepares a program to be run: in a process group of its own, so that Ctrl-C ends it through us and what it made is removed.
    pub(super) fn command(&self, words: &[&OsStr]) -> Result<std::process::Command, Error> {
        let (program, arguments) = words.split_first().ok_or_else(|| Error::NoProgram {
            program: String::new(),
        })?;
        let mut command = std::process::Command::new(self.find(&program.to_string_lossy())?);
        command
            .args(arguments)
            // kind would take podman where it finds it.
            .env("KIND_EXPERIMENTAL_PROVIDER", "docker")
            .stdin(Stdio::null());
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        Ok(command)
    }

    /// Runs a program to its end; `line` gets its standard error as it comes.
    pub(super) async fn run(
        &self,
        words: &[&OsStr],
        limit: Duration,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answer, Error> {
        let command = shown(words);
        let failed = |e: std::io::Error| Error::Failed {
            command: shown(words),
            said: e.to_string(),
        };
        let mut child = Command::from(self.command(words)?)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let mut group = Group(child.id());
        let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
        let mut said = String::new();
        let reading = async {
            let out = async {
                let mut bytes = Vec::new();
                if let Some(mut out) = stdout {
                    out.read_to_end(&mut bytes).await?;
                }
                std::io::Result::Ok(bytes)
            };
            let err = async {
                let Some(err) = stderr else { return Ok(()) };
                let mut lines = BufReader::new(err);
                let mut bytes = Vec::new();
                while lines.read_until(b'\n', &mut bytes).await? > 0 {
                    let text = plain(&String::from_utf8_lossy(&bytes));
                    line(text.trim_end());
                    said.push_str(&text);
                    bytes.clear();
                }
                std::io::Result::Ok(())
            };
            let (out, err, status) = tokio::join!(out, err, child.wait());
            err?;
            std::io::Result::Ok((out?, status?))
        };
        let read = tokio::time::timeout(limit, reading).await;
        if read.is_ok() {
            // Its number may be another's by now.
            group.0 = None;
        }
        match read {
            Ok(Ok((out, status))) => Ok(Answer {
                command,
                success: status.success(),
                stdout: String::from_utf8_lossy(&out).into_owned(),
                stderr: said,
            }),
            Ok(Err(e)) => Err(failed(e)),
            Err(_) => Err(Error::Limit {
                command,
                limit,
                said: end_of(&said),
            }),
        }
    }
}

impl Answer {
    /// Its standard output, if it succeeded.
    pub(super) fn ok(self) -> Result<String, Error> {
        if self.success {
            return Ok(self.stdout);
        }
        let said = if self.stderr.trim().is_empty() {
            self.stdout
        } else {
            self.stderr
        };
        Err(Error::Failed {
            command: self.command,
            said: end_of(&said),
        })
    }
}

/// The process group of a program: what the program itself started ends with it, when we stop waiting for it.
struct Group(Option<u32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0.and_then(|id| i32::try_from(id).ok()) {
            // There may be nobody left in it.
            let _ = nix::sys::signal::killpg(
                nix::unistd::Pid::from_raw(id),
                nix::sys::signal::Signal::SIGKILL,
            );
        }
    }
}

/// A command line as a person would type it.
fn shown(words: &[&OsStr]) -> String {
    let words: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// A line without the escape sequences that colour it.
fn plain(line: &str) -> String {
    let mut parts = line.split("\u{1b}[");
    let mut text = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        text.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    text
}

/// The last lines of what a program said.
fn end_of(said: &str) -> String {
    let lines: Vec<&str> = said
        .lines()
        .map(str::trim_end)
        .filter(|line| !line.is_empty())
        .collect();
    if lines.is_empty() {
        return "it said nothing".into();
    }
    lines[lines.len().saturating_sub(12)..].join("\n")
}

fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0)
}
