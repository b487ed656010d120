//! Programs with the limits that questions to them have.

use std::{ffi::OsStr, time::Duration};

use super::{Error, Programs, programs::Answer};

/// How long a question may take that is answered at once or not at all.
const QUESTION: Duration = Duration::from_secs(20);

/// The programs, asked and told.
#[derive(Clone, Debug)]
pub(super) struct Commands(pub(super) Programs);

impl Commands {
    /// Asks something that changes nothing.
    pub(super) async fn ask(&self, words: &[&str]) -> Result<Answer, Error> {
        self.run(words, QUESTION, &mut |_| {}).await
    }

    /// Runs a program, which may take long.
    pub(super) async fn run(
        &self,
        words: &[&str],
        limit: Duration,
        line: &mut (dyn FnMut(&str) + Send),
    ) -> Result<Answer, Error> {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        self.0.run(&words, limit, line).await
    }

    /// Runs a program where nothing can be awaited: when something is dropped. Says whether it succeeded.
    pub(super) fn run_blocking(&self, words: &[&str]) -> bool {
        let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
        let null = || std::process::Stdio::null();
        self.0.command(&words).is_ok_and(|mut command| {
            let status = command.stdout(null()).stderr(null()).status();
            status.is_ok_and(|status| status.success())
        })
    }
}
