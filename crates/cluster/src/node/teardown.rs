//! The end of a node.

use std::time::{Duration, Instant};

use super::{Error, Node, start::Built};

/// How long the kernel may take to let go of a cgroup.
const LIMIT: Duration = Duration::from_secs(10);

impl Built {
    /// Kills the first process, and with it everything inside, then removes cgroups and files. Blocks.
    pub(super) fn tear_down(&mut self) {
        if let Err(error) = self.try_tear_down() {
            tracing::warn!(%error, "the node left something behind");
        }
    }

    fn try_tear_down(&mut self) -> Result<(), Error> {
        if let Some(mut launched) = self.launched.take() {
            // Only the owner's end of the socket holds the node up; the undertaker then cleans up and ends. It is
            // killed only when it does not.
            let end = Instant::now() + LIMIT;
            while !launched
                .ended()
                .map_err(Error::system("waiting for the node"))?
            {
                if Instant::now() > end {
                    launched.kill().map_err(Error::system("killing the node"))?;
                    launched
                        .wait()
                        .map_err(Error::system("waiting for the node"))?;
                    break;
                }
                std::thread::sleep(Duration::from_millis(2));
            }
        }
        let Some(run) = self.run.take() else {
            return Ok(());
        };
        self.cgroups.remove(LIMIT)?;
        run.remove()
    }
}

impl Node {
    /// Ends the node and removes everything it made; returns how long that took. Ending it again does nothing.
    ///
    /// # Errors
    /// When something could not be removed.
    pub async fn stop(&self) -> Result<Duration, Error> {
        let began = Instant::now();
        self.end();
        let built = self.take();
        let Some(mut built) = built else {
            return Ok(began.elapsed());
        };
        tokio::task::spawn_blocking(move || built.try_tear_down())
            .await
            .map_err(|e| Error::Inside(e.to_string()))??;
        Ok(began.elapsed())
    }

    fn take(&self) -> Option<Built> {
        let mut built = self.built.lock();
        match &mut built {
            Ok(built) => built.take(),
            Err(poisoned) => poisoned.get_mut().take(),
        }
    }

    /// Kills the first process; the kernel ends everything inside.
    pub(super) fn end(&self) {
        let pid = nix::unistd::Pid::from_raw(self.link.pid);
        let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(mut built) = self.take() {
            self.end();
            built.tear_down();
        }
    }
}
