//! Container images written by our own code, without Docker: OCI archives with one layer from local programs.
//!
//! ```no_run
//! use emu_cluster::image::{self, Image};
//! # fn main() -> Result<(), image::Error> {
//! let probe = Image::new("emu.local/probe:1").program("/proc/self/exe".as_ref(), "/emu")?.entrypoint(["/emu", "probe"]);
//! image::write_archive("images.tar".as_ref(), &[image::pause("emu.local/pause:1"), probe])?;
//! # Ok(()) }
//! ```

mod archive;
pub mod elf;
mod emu;
mod layer;
mod pause;

use std::path::{Path, PathBuf};

pub use archive::write_archive;
pub use emu::{EMU_PROGRAM, emu, emu_reference};
pub use layer::Entry;
pub use pause::pause;

/// Why an image could not be written.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program is not one that can be put into an image.
    #[error("{}: {why}", path.display())]
    Program {
        /// The program.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl Error {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }
}

/// An image to be written: a name, files, and what is run.
#[derive(Debug, Clone)]
pub struct Image {
    pub(crate) name: String,
    pub(crate) entries: Vec<(String, Entry)>,
    pub(crate) entrypoint: Vec<String>,
    pub(crate) command: Vec<String>,
    pub(crate) env: Vec<String>,
    pub(crate) user: String,
}

impl Image {
    /// An image from scratch with a full reference (`registry/name:tag`), an empty `/tmp` and a sensible `PATH`.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            entries: vec![("tmp".into(), Entry::Folder { mode: 0o1777 })],
            entrypoint: Vec::new(),
            command: Vec::new(),
            env: vec!["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".into()],
            user: String::new(),
        }
    }

    /// Its reference.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Adds a file, folder or link at a path.
    #[must_use]
    pub fn entry(mut self, path: &str, entry: Entry) -> Self {
        self.entries
            .push((path.trim_matches('/').to_owned(), entry));
        self
    }

    /// Adds a local program at a path, and, when it is dynamically linked, its loader and libraries from this machine.
    ///
    /// # Errors
    /// When it is not an ELF program, or a library that it needs is not found.
    pub fn program(mut self, source: &Path, path: &str) -> Result<Self, Error> {
        let needs = elf::closure(source)?;
        self = self.entry(
            path,
            Entry::Copy {
                source: needs.program,
                mode: 0o755,
            },
        );
        for (path, source) in needs.files {
            let path = path.to_string_lossy();
            if !self
                .entries
                .iter()
                .any(|(known, _)| *known == path.trim_matches('/'))
            {
                self = self.entry(
                    &path,
                    Entry::Copy {
                        source,
                        mode: 0o755,
                    },
                );
            }
        }
        Ok(self)
    }

    /// What is run.
    #[must_use]
    pub fn entrypoint<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.entrypoint = words.into_iter().map(Into::into).collect();
        self
    }

    /// Its default arguments.
    #[must_use]
    pub fn command<S: Into<String>>(mut self, words: impl IntoIterator<Item = S>) -> Self {
        self.command = words.into_iter().map(Into::into).collect();
        self
    }

    /// Adds a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push(format!("{name}={value}"));
        self
    }

    /// Writes an archive with this image alone.
    ///
    /// # Errors
    /// When a file cannot be read or written.
    pub fn write_archive(&self, path: &Path) -> Result<(), Error> {
        write_archive(path, std::slice::from_ref(self))
    }
}
