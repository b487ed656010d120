//! One layer: a tar stream of an image's files, always the same bytes for the same files.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, Read, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{Error, Image};

/// Something in an image's file system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    /// A folder.
    Folder {
        /// Permission bits.
        mode: u32,
    },
    /// A file with these bytes.
    File {
        /// The bytes.
        bytes: Vec<u8>,
        /// Permission bits.
        mode: u32,
    },
    /// A copy of a local file.
    Copy {
        /// The local file.
        source: PathBuf,
        /// Permission bits.
        mode: u32,
    },
    /// A symbolic link.
    Link {
        /// Where it points.
        target: String,
    },
}

/// A writer that counts and hashes.
pub(super) struct Hashing<W> {
    inner: W,
    hash: Sha256,
    size: u64,
}

impl<W: Write> Hashing<W> {
    pub(super) fn new(inner: W) -> Self {
        Self {
            inner,
            hash: Sha256::new(),
            size: 0,
        }
    }

    /// The digest in hexadecimal, and the size.
    pub(super) fn finish(self) -> (String, u64) {
        (hex::encode(self.hash.finalize()), self.size)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let written = self.inner.write(buffer)?;
        self.hash.update(&buffer[..written]);
        self.size += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Writes an image's layer.
pub(super) fn write(image: &Image, out: impl Write) -> Result<(), Error> {
    let mut tar = tar::Builder::new(out);
    tar.mode(tar::HeaderMode::Deterministic);
    let mut folders = BTreeSet::new();
    // Folders named explicitly come first, so that their modes count.
    for (path, entry) in &image.entries {
        if let Entry::Folder { mode } = entry {
            folder(&mut tar, &mut folders, Path::new(path), *mode)
                .map_err(Error::file(Path::new(path)))?;
        }
    }
    for (path, entry) in &image.entries {
        let at = Path::new(path);
        if let Some(parent) = at.parent() {
            folder(&mut tar, &mut folders, parent, 0o755).map_err(Error::file(at))?;
        }
        match entry {
            Entry::Folder { .. } => {}
            Entry::File { bytes, mode } => {
                append(&mut tar, at, *mode, bytes.len() as u64, bytes.as_slice())
                    .map_err(Error::file(at))?;
            }
            Entry::Copy { source, mode } => {
                let file = File::open(source).map_err(Error::file(source))?;
                let size = file.metadata().map_err(Error::file(source))?.len();
                append(&mut tar, at, *mode, size, file.take(size)).map_err(Error::file(source))?;
            }
            Entry::Link { target } => {
                let mut header = header(tar::EntryType::Symlink, 0o777, 0);
                tar.append_link(&mut header, at, target)
                    .map_err(Error::file(at))?;
            }
        }
    }
    tar.finish().map_err(Error::file(Path::new(&image.name)))
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn append<W: Write>(
    tar: &mut tar::Builder<W>,
    at: &Path,
    mode: u32,
    size: u64,
    data: impl Read,
) -> io::Result<()> {
    let mut header = header(tar::EntryType::Regular, mode, size);
    tar.append_data(&mut header, at, data)
}

fn folder<W: Write>(
    tar: &mut tar::Builder<W>,
    known: &mut BTreeSet<PathBuf>,
    path: &Path,
    mode: u32,
) -> io::Result<()> {
    if path.as_os_str().is_empty() || known.contains(path) {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        folder(tar, known, parent, 0o755)?;
    }
    known.insert(path.to_owned());
    let mut header = header(tar::EntryType::Directory, mode, 0);
    tar.append_data(&mut header, path, io::empty())
}
