//! The sandbox's files: a directory that goes with it, or, if it was killed, with the next one that starts.

use std::{
    fs::{self, File},
    io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

const PREFIX: &str = "emu-sandbox-";
const LOCK: &str = "lock";

/// The directory of a running sandbox.
pub(super) struct Directory {
    directory: TempDir,
    /// Held as long as the sandbox lives; the kernel lets go of it however the process ends.
    _lock: File,
}

impl Directory {
    /// Makes one, and removes those of sandboxes that were killed.
    pub(super) fn new() -> io::Result<Self> {
        sweep(&std::env::temp_dir());
        let directory = tempfile::Builder::new().prefix(PREFIX).tempdir()?;
        // Locked before it has its name: nobody finds it unlocked.
        let unnamed = directory.path().join("lock.new");
        let lock = File::create(&unnamed)?;
        lock.lock()?;
        fs::rename(unnamed, directory.path().join(LOCK))?;
        fs::create_dir(directory.path().join("empty"))?;
        // Programs that run as another user must be able to walk to their token.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o711))?;
        Ok(Self {
            directory,
            _lock: lock,
        })
    }

    pub(super) fn path(&self) -> &Path {
        self.directory.path()
    }

    /// An empty directory.
    pub(super) fn empty(&self) -> PathBuf {
        self.path().join("empty")
    }
}

fn sweep(temporary: &Path) {
    for entry in fs::read_dir(temporary).into_iter().flatten().flatten() {
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        // One that is just being made has no lock yet: it is left alone.
        let Ok(lock) = File::options().write(true).open(entry.path().join(LOCK)) else {
            continue;
        };
        if lock.try_lock().is_ok() {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_left_is_swept_and_what_lives_is_not() {
        let alive = Directory::new().unwrap();
        let dead = std::env::temp_dir().join(format!("{PREFIX}dead-{}", std::process::id()));
        fs::create_dir(&dead).unwrap();
        File::create(dead.join(LOCK)).unwrap();
        let other = Directory::new().unwrap();
        assert!(alive.empty().is_dir() && other.empty().is_dir() && !dead.exists());
        let path = alive.path().to_owned();
        drop(alive);
        assert!(!path.exists());
    }
}
