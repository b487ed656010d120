//! An open file handed from one process of a user to another.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    os::{
        fd::{BorrowedFd, OwnedFd},
        unix::net::UnixDatagram,
    },
    path::{Path, PathBuf},
};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recvmsg, sendmsg,
};

/// Where one descriptor can be sent, in a folder that no other user enters.
pub(crate) struct Mailbox {
    socket: UnixDatagram,
    path: PathBuf,
    _folder: tempfile::TempDir,
}

impl Mailbox {
    pub(crate) fn new() -> io::Result<Self> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("door");
        Ok(Self {
            socket: UnixDatagram::bind(&path)?,
            path,
            _folder: folder,
        })
    }

    /// Its name for [`send`].
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// What was sent.
    ///
    /// # Errors
    /// When nothing has come.
    pub(crate) fn take(&self) -> io::Result<OwnedFd> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
        recvmsg(
            &self.socket,
            &mut [IoSliceMut::new(&mut [0])],
            &mut ancillary,
            flags,
        )?;
        let sent = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut sent) => sent.next(),
            _ => None,
        });
        sent.ok_or_else(|| io::ErrorKind::InvalidData.into())
    }
}

/// Sends a descriptor to the mailbox of this name.
pub(crate) fn send(mailbox: &Path, descriptor: BorrowedFd<'_>) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.connect(mailbox)?;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut ancillary = SendAncillaryBuffer::new(&mut space);
    let descriptors = [descriptor];
    ancillary.push(SendAncillaryMessage::ScmRights(&descriptors));
    let flags = SendFlags::DONTWAIT;
    sendmsg(&socket, &[IoSlice::new(&[0])], &mut ancillary, flags)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _, os::fd::AsFd as _};

    use super::*;

    #[test]
    fn an_open_file_arrives() {
        let mailbox = Mailbox::new().unwrap();
        assert!(mailbox.take().is_err(), "nothing was sent");
        let mut file = tempfile::tempfile().unwrap();
        send(mailbox.path(), file.as_fd()).unwrap();
        let mut arrived = File::from(mailbox.take().unwrap());
        arrived.write_all(b"here").unwrap();
        file.write_all(b".").unwrap();
        assert_eq!(file.metadata().unwrap().len(), 5, "one file, one position");
    }
}
