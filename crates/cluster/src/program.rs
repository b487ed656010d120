//! Programs that run as a pod.

use std::{collections::BTreeMap, path::PathBuf};

use async_trait::async_trait;

use crate::cluster::Result;

/// A program to run in a pod.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The command line; the first word is searched in `PATH`.
    pub argv: Vec<String>,
    /// Variables beside those of the pod's container; they win over these.
    pub env: BTreeMap<String, String>,
    /// Variables the program must not see, though the container or this process has them.
    pub unset: Vec<String>,
    /// The container whose variables and user it has; the first one if absent.
    pub container: Option<String>,
    /// Where it runs; this process's directory if absent. Only where programs come from this machine.
    pub directory: Option<PathBuf>,
    /// What it reads.
    pub stdin: ProgramInput,
    /// Where its output goes.
    pub output: OutputTo,
}

impl Program {
    /// A program by its command line, whose output is captured.
    pub fn new<S: Into<String>>(argv: impl IntoIterator<Item = S>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            ..Self::default()
        }
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Gives it this to read.
    #[must_use]
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = ProgramInput::Bytes(bytes.into());
        self
    }

    /// Lets it use this process's terminal.
    #[must_use]
    pub fn inherit(mut self) -> Self {
        self.stdin = ProgramInput::Inherited;
        self.output = OutputTo::Inherited;
        self
    }
}

/// What a program reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ProgramInput {
    /// Nothing.
    #[default]
    Nothing,
    /// These bytes.
    Bytes(Vec<u8>),
    /// What this process reads.
    Inherited,
}

/// Where a program's output goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OutputTo {
    /// It is kept and handed back.
    #[default]
    Captured,
    /// Where this process's output goes.
    Inherited,
}

/// How a program ended and what it wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProgramOutput {
    /// The exit status; absent if a signal ended it.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// What it wrote to standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error.
    pub stderr: Vec<u8>,
}

impl ProgramOutput {
    /// Whether it ended with status 0.
    pub fn success(&self) -> bool {
        self.code == Some(0)
    }

    /// Standard output as text.
    pub fn stdout_text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// Standard error as text.
    pub fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr).into_owned()
    }
}

/// A program that runs in a pod. Dropping it ends the program.
#[async_trait]
pub trait Running: Send + Sync {
    /// What it has written so far, if its output is captured; `code` and `signal` are absent while it runs.
    fn so_far(&self) -> ProgramOutput;

    /// Resolves when it has written more, or has ended; for waiting on a word in its output.
    async fn more(&mut self);

    /// Waits for its end.
    ///
    /// # Errors
    /// When its end cannot be learnt.
    async fn wait(self: Box<Self>) -> Result<ProgramOutput>;

    /// Ends it at once.
    ///
    /// # Errors
    /// When it cannot be ended.
    async fn kill(&mut self) -> Result<()>;
}
