//! `exec`: a program in a pod.

use std::collections::BTreeMap;

use emu_cluster::{Program, ProgramInput};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

/// A program to run in a pod.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Exec {
    /// The pod.
    pub pod: Located<String>,
    /// The command line: a list of words, or a text for the shell.
    pub command: CommandLine,
    /// Variables beside those of the pod.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What it reads.
    #[serde(default)]
    pub stdin: Option<String>,
    /// The container whose variables it has; the first one if absent.
    #[serde(default)]
    pub container: Option<String>,
    /// A name: the program goes on while the next steps are done, and `wait` asks for it by this name. It is ended with
    /// the scenario.
    #[serde(default)]
    pub background: Option<Located<String>>,
}

/// A command line.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a list of words, or a text for the shell")]
pub enum CommandLine {
    /// Words.
    Words(Vec<String>),
    /// For `sh -c`.
    Shell(String),
}

impl Exec {
    pub(super) fn title(&self) -> String {
        let command = match &self.command {
            CommandLine::Words(words) => words.join(" "),
            CommandLine::Shell(text) => text.lines().next().unwrap_or_default().to_owned(),
        };
        format!("in {}: {command}", self.pod)
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let (cluster, pod) = play.world.pod(&self.pod)?;
        let argv = match &self.command {
            CommandLine::Words(words) => words.clone(),
            CommandLine::Shell(text) => vec!["sh".into(), "-c".into(), text.clone()],
        };
        if argv.is_empty() {
            return Err(Trouble::new("the command line is empty").at(&self.pod));
        }
        let program = Program {
            argv,
            env: self.env.clone(),
            container: self.container.clone(),
            directory: play.folder.clone(),
            stdin: self.stdin.as_ref().map_or(ProgramInput::Nothing, |text| {
                ProgramInput::Bytes(text.clone().into_bytes())
            }),
            ..Program::default()
        };
        if let Some(name) = &self.background {
            let running = cluster.start(&pod, program).await.map_err(Trouble::from)?;
            play.keep_program(name, pod.clone(), running);
            return Ok(Observation::done().by(&pod));
        }
        let output = cluster.exec(&pod, program).await.map_err(Trouble::from)?;
        Ok(Observation::program(output).by(&pod))
    }
}
