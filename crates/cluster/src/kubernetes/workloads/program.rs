//! Programs in pods, by the API server's `exec`.

use std::{
    io,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use emu_core::{Event, Journal, journal::PodRef};
use k8s_openapi::{api::core::v1::Pod, apimachinery::pkg::apis::meta::v1::Status};
use kube::{
    Api,
    api::{AttachParams, AttachedProcess},
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    sync::watch,
};

use super::{EndMarked, MARK, Workloads, failed, lock};
use crate::{
    cluster::{ClusterError, PodName, Result},
    program::{OutputTo, Program, ProgramInput, ProgramOutput, Running},
};

static NEXT: AtomicU64 = AtomicU64::new(0);

impl Workloads {
    /// Starts a program in a pod's container. Variables are set by the program `env` of the container.
    ///
    /// # Errors
    /// When the API server refuses.
    pub async fn start(&self, name: &PodName, program: Program) -> Result<Box<dyn Running>> {
        let pod = self.pod(name).await?;
        let first = program.argv.first().cloned().unwrap_or_default();
        if first.is_empty() {
            return Err(ClusterError::Program {
                pod: name.clone(),
                program: first,
                source: io::Error::new(io::ErrorKind::InvalidInput, "there is no command"),
            });
        }
        let mark = format!(
            "{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        );
        let command = self.command(&pod, &program, &mark);
        let mut params = AttachParams::default()
            .stdin(program.stdin != ProgramInput::Nothing)
            .stdout(true)
            .stderr(true)
            .max_stdout_buf_size(64 * 1024)
            .max_stderr_buf_size(64 * 1024);
        if let Some(container) = &program.container {
            params = params.container(container);
        }
        let api: Api<Pod> = Api::namespaced(self.client().clone(), &name.namespace);
        let process = api
            .exec(&name.name, &command, &params)
            .await
            .map_err(failed("start a program"))?;
        let reference = self.reference(&pod);
        self.config.journal.record(Event::ProgramStarted {
            pod: reference.clone(),
            program: first.clone(),
        });
        let state = Arc::new(State {
            output: Mutex::default(),
            changed: watch::Sender::new(false),
        });
        let follower = Follower {
            state: Arc::clone(&state),
            journal: self.config.journal.clone(),
            pod: reference,
            name: name.clone(),
            program: first,
        };
        let task = tokio::spawn(follower.follow(process, program));
        Ok(Box::new(PodProgram {
            state,
            task: Some(task),
            mark,
            end: self.config.end_marked.clone(),
            changes: None,
        }))
    }

    /// The command line with its variables, as `env` understands it.
    fn command(&self, pod: &Pod, program: &Program, mark: &str) -> Vec<String> {
        let spec = pod.spec.as_ref();
        let container = spec.and_then(|s| {
            let named = |c: &&k8s_openapi::api::core::v1::Container| {
                program.container.as_ref().is_none_or(|n| *n == c.name)
            };
            s.containers.iter().find(named)
        });
        let ours = container.is_some_and(|c| c.image.as_ref() == Some(&self.config.pod_image));
        let local = ours && !self.config.folders.is_empty();
        let mut words: Vec<String> = Vec::new();
        if local || !program.env.is_empty() || !program.unset.is_empty() {
            match ours && !self.config.env_program.is_empty() {
                true => words.extend(self.config.env_program.iter().cloned()),
                false => words.push(if local { "/usr/bin/env" } else { "env" }.into()),
            }
            for name in &program.unset {
                words.extend(["-u".to_owned(), name.clone()]);
            }
            if local {
                let here = std::env::current_dir().ok();
                let directory = program.directory.clone().or(here).filter(|directory| {
                    let folders = &self.config.folders;
                    folders.iter().any(|folder| directory.starts_with(folder))
                });
                if let Some(directory) = directory {
                    words.extend(["-C".to_owned(), directory.to_string_lossy().into_owned()]);
                }
                if let Ok(path) = std::env::var("PATH") {
                    words.push(format!("PATH={path}"));
                }
                words.push(format!("{MARK}={mark}"));
            }
            words.extend(
                program
                    .env
                    .iter()
                    .map(|(name, value)| format!("{name}={value}")),
            );
        }
        words.extend(program.argv.iter().cloned());
        words
    }
}

struct State {
    output: Mutex<ProgramOutput>,
    /// Whether it has ended.
    changed: watch::Sender<bool>,
}

struct Follower {
    state: Arc<State>,
    journal: Journal,
    pod: PodRef,
    name: PodName,
    program: String,
}

impl Follower {
    async fn follow(self, mut process: AttachedProcess, program: Program) -> Result<ProgramOutput> {
        let (out, err) = (process.stdout(), process.stderr());
        let (input, status) = (process.stdin(), process.take_status());
        let inherited = program.output == OutputTo::Inherited;
        let feed = async {
            if let Some(mut input) = input {
                let done = match program.stdin {
                    ProgramInput::Nothing => Ok(()),
                    ProgramInput::Bytes(bytes) => input.write_all(&bytes).await,
                    ProgramInput::Inherited => tokio::io::copy(&mut tokio::io::stdin(), &mut input)
                        .await
                        .map(drop),
                };
                // A program may end without reading its input.
                let _ = done.and(input.shutdown().await);
            }
            std::future::pending::<()>().await;
        };
        let read = async {
            tokio::join!(
                self.read(out, inherited.then(tokio::io::stdout), |o| &mut o.stdout),
                self.read(err, inherited.then(tokio::io::stderr), |o| &mut o.stderr),
            );
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        let status = tokio::select! {
            status = read => status,
            () = feed => None,
        };
        let code = status.as_ref().and_then(exit_code);
        lock(&self.state.output).code = code;
        self.state.changed.send_replace(true);
        self.journal.record(Event::ProgramExited {
            pod: self.pod,
            program: self.program.clone(),
            code,
        });
        if code.is_none() {
            let why = status.and_then(|s| s.message);
            return Err(ClusterError::Program {
                pod: self.name,
                program: self.program,
                source: io::Error::other(why.unwrap_or_else(|| "the connection broke".into())),
            });
        }
        Ok(lock(&self.state.output).clone())
    }

    async fn read<W: tokio::io::AsyncWrite + Unpin>(
        &self,
        from: Option<impl AsyncRead + Unpin>,
        mut to: Option<W>,
        part: impl Fn(&mut ProgramOutput) -> &mut Vec<u8>,
    ) {
        let Some(mut from) = from else {
            return;
        };
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(length @ 1..) = from.read(&mut buffer).await {
            let bytes = &buffer[..length];
            match &mut to {
                Some(to) => {
                    let _ = to.write_all(bytes).await;
                    let _ = to.flush().await;
                }
                None => {
                    part(&mut lock(&self.state.output)).extend_from_slice(bytes);
                    self.state.changed.send_replace(false);
                }
            }
        }
    }
}

fn exit_code(status: &Status) -> Option<i32> {
    if status.status.as_deref() == Some("Success") {
        return Some(0);
    }
    let causes = status.details.as_ref()?.causes.as_ref()?;
    let cause = causes
        .iter()
        .find(|c| c.reason.as_deref() == Some("ExitCode"))?;
    cause.message.as_deref()?.parse().ok()
}

struct PodProgram {
    state: Arc<State>,
    task: Option<tokio::task::JoinHandle<Result<ProgramOutput>>>,
    mark: String,
    end: Option<EndMarked>,
    changes: Option<watch::Receiver<bool>>,
}

impl PodProgram {
    fn end(&self) {
        if let (Some(end), false) = (&self.end, *self.state.changed.borrow()) {
            end(&self.mark);
        }
    }
}

impl Drop for PodProgram {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            self.end();
            task.abort();
        }
    }
}

#[async_trait]
impl Running for PodProgram {
    fn so_far(&self) -> ProgramOutput {
        lock(&self.state.output).clone()
    }

    async fn more(&mut self) {
        let state = &self.state;
        let changes = self.changes.get_or_insert_with(|| {
            let mut changes = state.changed.subscribe();
            changes.mark_changed();
            changes
        });
        if !*changes.borrow() {
            let _ = changes.changed().await;
        }
    }

    async fn wait(mut self: Box<Self>) -> Result<ProgramOutput> {
        match self.task.take() {
            Some(task) => task.await.unwrap_or_else(|e| {
                Err(ClusterError::System {
                    what: "follow a program".into(),
                    source: e.into(),
                })
            }),
            None => Ok(self.so_far()),
        }
    }

    async fn kill(&mut self) -> Result<()> {
        self.end();
        if self.end.is_none()
            && let Some(task) = self.task.take()
        {
            task.abort();
        }
        Ok(())
    }
}
