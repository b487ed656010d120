//! `wait`: for a program that `exec` started in the background.

use std::time::Duration;

use emu_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    file::{Located, Matcher},
    run::{Observation, Play, Trouble},
};

/// What to wait for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Wait {
    /// The program's name: what its `exec` says under `background`.
    pub program: Located<String>,
    /// `exit`, the default, or what it has written: `{ stdout: { contains: ready } }`.
    #[serde(rename = "for")]
    pub until: Until,
    /// How long to wait, in real time; 30 s if absent.
    pub timeout: Option<Span>,
}

/// The moment a wait ends at.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`exit`, or a map of stdout, stderr with what must have been written"
)]
pub enum Until {
    /// The program has ended.
    Ended(Exit),
    /// It has written this since it was started.
    Written(Box<Written>),
}

/// The word `exit`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Exit {
    /// The program has ended.
    Exit,
}

/// What a program must have written; all of it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Written {
    /// To standard output.
    pub stdout: Option<Matcher>,
    /// To standard error.
    pub stderr: Option<Matcher>,
}

impl Default for Until {
    fn default() -> Self {
        Self::Ended(Exit::Exit)
    }
}

impl Wait {
    const TIMEOUT: Duration = Duration::from_secs(30);

    pub(super) fn title(&self) -> String {
        let what = match &self.until {
            Until::Ended(_) => "its end".to_owned(),
            Until::Written(written) => {
                let Written { stdout, stderr } = &**written;
                let texts: Vec<String> = stdout
                    .iter()
                    .chain(stderr)
                    .map(Matcher::to_string)
                    .collect();
                texts.join(" and ")
            }
        };
        format!("{} for {what}", self.program)
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let limit = self.timeout.map_or(Self::TIMEOUT, Span::get);
        let deadline = tokio::time::Instant::now() + limit;
        let (pod, program) = play.program(&self.program)?;
        loop {
            let output = program.so_far();
            let ended = output.code.is_some() || output.signal.is_some();
            let reached = match &self.until {
                Until::Ended(_) => ended,
                Until::Written(written) => {
                    let Written { stdout, stderr } = &**written;
                    let fits = |wanted: &Option<Matcher>, text: &dyn Fn() -> String| {
                        wanted.as_ref().is_none_or(|m| m.fits(&text()))
                    };
                    fits(stdout, &|| output.stdout_text()) && fits(stderr, &|| output.stderr_text())
                }
            };
            if reached {
                return Ok(match ended {
                    true => Observation::program(output),
                    false => Observation::program_so_far(output),
                }
                .by(pod));
            }
            let late = tokio::time::Instant::now() >= deadline;
            if ended || late {
                let why = match ended {
                    true => format!("`{}` ended without it", self.program),
                    false => format!(
                        "`{}` did not get there within {}",
                        self.program,
                        Span::from(limit)
                    ),
                };
                return Err(Trouble::new(why)
                    .at(&self.program)
                    .help(format!("it wrote: {}", written(&output))));
            }
            // A program whose end cannot be learnt must not keep this thread busy.
            tokio::task::yield_now().await;
            let _ = tokio::time::timeout_at(deadline, program.more()).await;
        }
    }
}

fn written(output: &emu_cluster::ProgramOutput) -> String {
    let text = output.stdout_text() + &output.stderr_text();
    match text.trim() {
        "" => "nothing".to_owned(),
        text => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wait(json: serde_json::Value) -> Result<Until, serde_json::Error> {
        serde_json::from_value(json)
    }

    #[test]
    fn two_things_can_be_waited_for() {
        assert!(matches!(wait("exit".into()), Ok(Until::Ended(_))));
        let text = serde_json::json!({ "stdout": { "contains": "ready" } });
        assert!(matches!(wait(text), Ok(Until::Written(_))));
        assert!(wait("end".into()).is_err());
        assert!(wait(serde_json::json!({ "stdin": "x" })).is_err());
    }
}
