//! The host's end of the socket to the node's first process.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

use super::{
    Error,
    protocol::{Event, Request, Spawn},
};

/// What is known of one process of the node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Process {
    /// It was asked for.
    Starting,
    /// It runs, with this id inside the node.
    Running(i32),
    /// It ended.
    Exited {
        /// The exit code, or 128 plus the signal; -1 when it could not be started.
        code: i32,
        /// The same in words.
        status: String,
    },
}

type Table = HashMap<String, Process>;

/// The host's end.
pub(crate) struct Link {
    write: tokio::sync::Mutex<OwnedWriteHalf>,
    table: watch::Sender<Table>,
    commands: Mutex<HashMap<String, Spawn>>,
    reader: tokio::task::JoinHandle<()>,
    /// The first process's id on the host.
    pub(crate) pid: i32,
    /// The kind of link that carries the node's address.
    pub(crate) kind: String,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Link {
    /// Waits for the first process to connect and to report that it is set up.
    pub(crate) async fn accept(listener: UnixListener, log: &Path) -> Result<Arc<Self>, Error> {
        let (stream, _) = listener
            .accept()
            .await
            .map_err(Error::system("waiting for the node's first process"))?;
        let pid = stream
            .peer_cred()
            .map_err(Error::system("asking who connected"))?
            .pid()
            .ok_or_else(|| Error::Inside("the first process has no id".into()))?;
        let (read, write) = UnixStream::into_split(stream);
        let mut lines = BufReader::new(read);
        let kind = match next(&mut lines).await? {
            Some(Event::Up { link }) => link,
            Some(Event::Failed { what }) => return Err(Error::Inside(what)),
            other => {
                return Err(Error::Inside(format!(
                    "the first process began with {other:?}\n{}",
                    tail(log)
                )));
            }
        };
        let table = watch::Sender::new(Table::new());
        let reader = tokio::spawn(read_events(lines, table.clone()));
        Ok(Arc::new(Self {
            write: tokio::sync::Mutex::new(write),
            table,
            commands: Mutex::default(),
            reader,
            pid,
            kind,
        }))
    }

    async fn send(&self, request: &Request) -> Result<(), Error> {
        let mut line = serde_json::to_vec(request).map_err(|e| Error::Inside(e.to_string()))?;
        line.push(b'\n');
        self.write
            .lock()
            .await
            .write_all(&line)
            .await
            .map_err(Error::system("asking the node's first process"))
    }

    /// Starts a process and waits until it runs.
    pub(crate) async fn spawn(&self, spawn: Spawn) -> Result<(), Error> {
        let name = spawn.name.clone();
        self.table
            .send_modify(|t| drop(t.insert(name.clone(), Process::Starting)));
        self.commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(name.clone(), spawn.clone());
        let log = spawn.log.clone();
        self.send(&Request::Spawn(spawn)).await?;
        match self.until(&name, |p| *p != Process::Starting).await? {
            Process::Exited { code: -1, status } => Err(self.ended(&name, &status, &log)),
            _ => Ok(()),
        }
    }

    /// Starts a process that was started before, with the same settings.
    pub(crate) async fn respawn(&self, name: &str) -> Result<(), Error> {
        let spawn = self
            .commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .cloned();
        match spawn {
            Some(spawn) => self.spawn(spawn).await,
            None => Err(Error::Inside(format!("no process {name} was ever started"))),
        }
    }

    /// Runs a program to its end; an exit code other than 0 is an error.
    pub(crate) async fn run(&self, spawn: Spawn) -> Result<(), Error> {
        let (name, log) = (spawn.name.clone(), spawn.log.clone());
        self.spawn(spawn).await?;
        match self.exited(&name).await? {
            (0, _) => Ok(()),
            (_, status) => Err(self.ended(&name, &status, &log)),
        }
    }

    fn ended(&self, name: &str, status: &str, log: &Path) -> Error {
        Error::Ended {
            name: name.to_owned(),
            status: status.to_owned(),
            log: tail(log),
        }
    }

    /// Waits until a process has ended.
    pub(crate) async fn exited(&self, name: &str) -> Result<(i32, String), Error> {
        match self
            .until(name, |p| matches!(p, Process::Exited { .. }))
            .await?
        {
            Process::Exited { code, status } => Ok((code, status)),
            _ => Ok((-1, String::new())),
        }
    }

    /// Resolves with an error as soon as one of these processes ends.
    pub(crate) async fn any_ends(&self, names: &[&str]) -> Error {
        let mut table = self.table.subscribe();
        let found = table
            .wait_for(|table| {
                names
                    .iter()
                    .any(|n| matches!(table.get(*n), Some(Process::Exited { .. })))
            })
            .await
            .map(|table| table.clone());
        let Ok(table) = found else {
            return Error::Inside("the node's first process is gone".into());
        };
        for name in names {
            if let Some(Process::Exited { status, .. }) = table.get(*name) {
                let log = self.log(name);
                return self.ended(name, status, &log);
            }
        }
        Error::Inside("a process ended".into())
    }

    /// The log of a process that was started.
    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.commands
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(name)
            .map(|spawn| spawn.log.clone())
            .unwrap_or_default()
    }

    pub(crate) async fn signal(&self, name: &str, signal: i32) -> Result<(), Error> {
        self.send(&Request::Signal {
            name: name.to_owned(),
            signal,
        })
        .await
    }

    pub(crate) fn state(&self, name: &str) -> Option<Process> {
        self.table.borrow().get(name).cloned()
    }

    async fn until(&self, name: &str, done: impl Fn(&Process) -> bool) -> Result<Process, Error> {
        let mut table = self.table.subscribe();
        let found = table
            .wait_for(|table| table.get(name).is_some_and(&done))
            .await
            .map_err(|_| Error::Inside("the node's first process is gone".into()))?
            .get(name)
            .cloned();
        found.ok_or_else(|| Error::Inside(format!("no process {name}")))
    }
}

async fn next(lines: &mut BufReader<OwnedReadHalf>) -> Result<Option<Event>, Error> {
    let mut line = String::new();
    match lines.read_line(&mut line).await {
        Ok(0) | Err(_) => Ok(None),
        Ok(_) => serde_json::from_str(&line)
            .map(Some)
            .map_err(|e| Error::Inside(format!("a bad event: {e}"))),
    }
}

async fn read_events(mut lines: BufReader<OwnedReadHalf>, table: watch::Sender<Table>) {
    while let Ok(Some(event)) = next(&mut lines).await {
        let (name, state) = match event {
            Event::Spawned { name, pid } => (name, Process::Running(pid)),
            Event::Exited { name, code, status } => (name, Process::Exited { code, status }),
            Event::Up { .. } | Event::Failed { .. } => continue,
        };
        table.send_modify(|table| drop(table.insert(name, state)));
    }
    // Everything inside has ended with the first process.
    table.send_modify(|table| {
        for state in table.values_mut() {
            if !matches!(state, Process::Exited { .. }) {
                *state = Process::Exited {
                    code: 137,
                    status: "ended with the node".into(),
                };
            }
        }
    });
}

/// The last lines of a log.
pub(crate) fn tail(path: &Path) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(15)..].join("\n")
}

/// Adds a deadline to a wait.
pub(crate) async fn within<T>(
    limit: Duration,
    what: &str,
    log: &Path,
    wait: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    tokio::time::timeout(limit, wait).await.unwrap_or_else(|_| {
        let log = tail(log);
        Err(Error::Late {
            what: what.to_owned(),
            after: limit,
            hint: if log.is_empty() {
                log
            } else {
                format!("; the end of its log:\n{log}")
            },
        })
    })
}
