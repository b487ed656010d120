//! A node's folder on the host: everything it writes, and what must be removed when it is gone.
//!
//! A lock file in it is held by the owner for as long as it lives, however it dies; a folder whose lock is free is a
//! leftover, and [`sweep`] removes it with its processes and cgroups.

use std::{
    fs::{self, File},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::{Error, cgroup::Hierarchies};

const LOCK: &str = "lock";
const RECORD: &str = "run.json";
const PREFIX: &str = "node-";

/// The default folder of all run directories: `EMU_RUN_DIR`, else `emu-UID` in the folder for temporary files.
pub fn default_root() -> PathBuf {
    match std::env::var_os("EMU_RUN_DIR") {
        Some(path) if !path.is_empty() => PathBuf::from(path),
        _ => std::env::temp_dir().join(format!("emu-{}", nix::unistd::getuid())),
    }
}

/// What is needed to remove a node whose owner is gone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The owner's process id.
    pub(crate) owner: u32,
    /// The node's cgroups.
    pub(crate) cgroups: Hierarchies,
}

/// A run directory that is ours.
#[derive(Debug)]
pub(crate) struct RunDir {
    path: PathBuf,
    // Held, never read: dropping it frees the lock.
    _lock: Flock<File>,
}

impl RunDir {
    /// Makes a new one below `root` and takes its lock.
    pub(crate) fn create(root: &Path) -> Result<Self, Error> {
        let mut builder = fs::DirBuilder::new();
        builder
            .mode(0o700)
            .recursive(true)
            .create(root)
            .map_err(Error::file("making", root))?;
        // Nobody sweeps while a folder exists whose lock is not yet taken.
        let _guard = lock(&root.join(LOCK), FlockArg::LockExclusive)?;
        for number in 0..u32::MAX {
            let path = root.join(format!("{PREFIX}{}-{number}", std::process::id()));
            match fs::DirBuilder::new().mode(0o755).create(&path) {
                Ok(()) => {
                    let lock = lock(&path.join(LOCK), FlockArg::LockExclusiveNonblock)?;
                    return Ok(Self { path, _lock: lock });
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(source) => {
                    return Err(Error::File {
                        doing: "making",
                        path,
                        source,
                    });
                }
            }
        }
        Err(Error::Unavailable(format!(
            "no free run directory below {}",
            root.display()
        )))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The last part of the path: unique on this machine.
    pub(crate) fn id(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    pub(crate) fn write_record(&self, cgroups: &Hierarchies) -> Result<(), Error> {
        let record = Record {
            owner: std::process::id(),
            cgroups: cgroups.clone(),
        };
        write_json(&self.path.join(RECORD), &record)
    }

    pub(crate) fn remove(self) -> Result<(), Error> {
        remove_dir(&self.path)
    }
}

/// Writes a value as JSON.
pub(crate) fn write_json(path: &Path, value: &impl Serialize) -> Result<(), Error> {
    let text = serde_json::to_vec_pretty(value)
        .map_err(|e| Error::file("writing", path)(std::io::Error::other(e)))?;
    fs::write(path, text).map_err(Error::file("writing", path))
}

fn lock(path: &Path, how: FlockArg) -> Result<Flock<File>, Error> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(Error::file("opening", path))?;
    Flock::lock(file, how).map_err(|(_, errno)| Error::file("locking", path)(errno.into()))
}

fn remove_dir(path: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(Error::File {
            doing: "removing",
            path: path.to_owned(),
            source,
        }),
    }
}

/// Removes what a dead owner left in one run directory; `false` when the owner lives.
pub(crate) fn sweep_one(path: &Path) -> Result<bool, Error> {
    let file = match File::open(path.join(LOCK)) {
        Ok(file) => file,
        // Made without a lock: its owner died in between.
        Err(_) => return remove_dir(path).map(|()| true),
    };
    let Ok(_lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
        return Ok(false);
    };
    let record = fs::read(path.join(RECORD))
        .ok()
        .and_then(|text| serde_json::from_slice::<Record>(&text).ok());
    if let Some(record) = record {
        // Everything of the node is in its cgroups, so this also ends what still runs.
        record.cgroups.remove(Duration::from_secs(10))?;
    }
    remove_dir(path)?;
    Ok(true)
}

/// Removes what nodes of dead owners left below `root`: processes, cgroups, files. Returns the folders removed.
///
/// # Errors
/// When something could not be removed.
pub fn sweep(root: &Path) -> Result<Vec<PathBuf>, Error> {
    if !root.exists() {
        return Ok(Vec::new());
    }
    let _guard = lock(&root.join(LOCK), FlockArg::LockExclusive)?;
    let mut swept = Vec::new();
    let entries = fs::read_dir(root).map_err(Error::file("reading", root))?;
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().starts_with(PREFIX) && sweep_one(&entry.path())? {
            swept.push(entry.path());
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dead_runs_are_swept() {
        let root = tempfile::tempdir().unwrap();
        let alive = RunDir::create(root.path()).unwrap();
        let dead = root.path().join("node-1-0");
        fs::create_dir(&dead).unwrap();
        File::create(dead.join(LOCK)).unwrap();
        let unlocked = root.path().join("node-2-0");
        fs::create_dir(&unlocked).unwrap();
        fs::create_dir(root.path().join("other")).unwrap();
        let mut swept = sweep(root.path()).unwrap();
        swept.sort();
        assert_eq!(swept, [dead.clone(), unlocked]);
        assert!(!dead.exists() && alive.path().exists());
        assert!(root.path().join("other").exists());
        let path = alive.path().to_owned();
        drop(alive);
        assert_eq!(sweep(root.path()).unwrap(), [path]);
    }

    #[test]
    fn two_of_one_process_differ() {
        let root = tempfile::tempdir().unwrap();
        let a = RunDir::create(root.path()).unwrap();
        let b = RunDir::create(root.path()).unwrap();
        assert_ne!(a.id(), b.id());
    }
}
