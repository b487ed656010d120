//! What happens in a directory.

use std::{
    ffi::OsString,
    io,
    os::fd::{AsFd, AsRawFd, RawFd},
    path::Path,
};

use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify};
use tokio::io::unix::AsyncFd;

/// The events of a directory's entries, with the directory's own end.
pub(crate) struct DirectoryEvents(AsyncFd<Descriptor>);

struct Descriptor(Inotify);

impl AsRawFd for Descriptor {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl DirectoryEvents {
    /// Watches a directory, which must exist.
    pub(crate) fn new(directory: &Path) -> io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?;
        inotify.add_watch(
            directory,
            AddWatchFlags::IN_MOVED_TO
                | AddWatchFlags::IN_MOVED_FROM
                | AddWatchFlags::IN_CREATE
                | AddWatchFlags::IN_ATTRIB
                | AddWatchFlags::IN_MODIFY
                | AddWatchFlags::IN_MOVE_SELF
                | AddWatchFlags::IN_DELETE
                | AddWatchFlags::IN_DELETE_SELF,
        )?;
        #[expect(
            deprecated,
            reason = "its successor is unsafe, which this crate forbids; the descriptor is owned and stays the same"
        )]
        let events = AsyncFd::new(Descriptor(inotify))?;
        Ok(Self(events))
    }

    /// The names of the entries something happened to; without end if the directory is gone.
    pub(crate) async fn next(&mut self) -> io::Result<Vec<OsString>> {
        loop {
            let mut ready = self.0.readable().await?;
            match ready.get_inner().0.read_events() {
                Ok(events) => {
                    return Ok(events.into_iter().filter_map(|event| event.name).collect());
                }
                Err(nix::errno::Errno::EAGAIN) => ready.clear_ready(),
                Err(error) => return Err(error.into()),
            }
        }
    }
}
