//! How the node's first process is started: the one place where virtual time comes in.

use std::{
    fs::File,
    io,
    process::{Child, Command, Stdio},
    sync::Arc,
};

/// Starts the first process of a node.
pub trait Launcher: Send + Sync {
    /// Starts `command` and everything that descends from it. Standard output and error go to `log`.
    ///
    /// # Errors
    /// When it cannot be started.
    fn launch(&self, command: Command, log: File) -> io::Result<Box<dyn Launched>>;

    /// Whether the node's clock may jump.
    fn jumps(&self) -> bool {
        false
    }
}

/// A started first process.
pub trait Launched: Send {
    /// Waits until it has ended.
    ///
    /// # Errors
    /// When it cannot be awaited.
    fn wait(&mut self) -> io::Result<()>;
    /// Whether it has ended.
    ///
    /// # Errors
    /// When that cannot be told.
    fn ended(&mut self) -> io::Result<bool>;
    /// Kills it.
    ///
    /// # Errors
    /// When it cannot be killed.
    fn kill(&mut self) -> io::Result<()>;
}

/// Starts it as an ordinary child process, under real time.
#[derive(Debug, Clone, Copy, Default)]
pub struct Direct;

impl Launcher for Direct {
    fn launch(&self, mut command: Command, log: File) -> io::Result<Box<dyn Launched>> {
        command
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log);
        Ok(Box::new(command.spawn()?))
    }
}

/// Starts it under a virtual clock: everything in the node, the pods included, has the group's time.
#[derive(Debug, Clone)]
pub struct Virtual(pub Arc<emu_vtime::Group>);

impl Launcher for Virtual {
    fn launch(&self, mut command: Command, log: File) -> io::Result<Box<dyn Launched>> {
        self.0.prepare(&mut command);
        Direct.launch(command, log)
    }

    fn jumps(&self) -> bool {
        true
    }
}

impl Launched for Child {
    fn wait(&mut self) -> io::Result<()> {
        Self::wait(self).map(drop)
    }

    fn ended(&mut self) -> io::Result<bool> {
        self.try_wait().map(|status| status.is_some())
    }

    fn kill(&mut self) -> io::Result<()> {
        Self::kill(self)
    }
}
