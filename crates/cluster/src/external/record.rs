//! Which clusters hold something of ours: remembered in files, so that what a killed emu left can be removed.
//!
//! The owner holds a lock on its file for as long as it lives, however it dies.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use nix::fcntl::{Flock, FlockArg};
use serde::{Deserialize, Serialize};

use super::config::Access;

/// What is remembered of a cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub(super) name: String,
    pub(super) access: Access,
    pub(super) owner: u32,
}

/// A remembered cluster that is ours.
#[derive(Debug)]
pub(super) struct Record {
    path: PathBuf,
    // Held, never read: dropping it frees the lock.
    _lock: Flock<File>,
}

/// The folder of the files.
pub(super) fn folder() -> PathBuf {
    crate::kubernetes::install::cache_folder().join("clusters")
}

impl Record {
    /// Remembers a cluster; nothing when a living process does already.
    pub(super) fn create(folder: &Path, remembered: &Remembered) -> io::Result<Option<Self>> {
        fs::create_dir_all(folder)?;
        let path = folder.join(file_name(&remembered.access));
        loop {
            let file = File::options()
                .create(true)
                .truncate(false)
                .read(true)
                .write(true)
                .open(&path)?;
            let Ok(mut lock) = Flock::lock(file, FlockArg::LockExclusiveNonblock) else {
                return Ok(None);
            };
            // Whoever held it may have removed the file meanwhile.
            if !is_at(&lock, &path) {
                continue;
            }
            lock.set_len(0)?;
            lock.write_all(&serde_json::to_vec_pretty(remembered)?)?;
            return Ok(Some(Self { path, _lock: lock }));
        }
    }

    /// Forgets it.
    pub(super) fn forget(self) {
        let _ = fs::remove_file(&self.path);
    }
}

fn is_at(file: &File, path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    match (file.metadata(), fs::metadata(path)) {
        (Ok(ours), Ok(there)) => ours.ino() == there.ino() && ours.dev() == there.dev(),
        _ => false,
    }
}

/// One file a cluster: the context's letters, and a sum of all that names it.
fn file_name(access: &Access) -> String {
    let mut sum = 0xcbf2_9ce4_8422_2325_u64;
    let files = access.kubeconfig.iter().map(|f| f.to_string_lossy());
    let files: Vec<_> = files.collect();
    for byte in format!("{}\0{}", access.context, files.join("\0")).bytes() {
        sum = (sum ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    let plain: String = access
        .context
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .take(60)
        .collect();
    format!("{plain}-{sum:016x}.json")
}

/// Clusters whose owner is dead, each with its lock taken.
pub(super) fn left_behind(folder: &Path) -> Vec<(Record, Remembered)> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let path = entry.path();
            if path.extension().is_none_or(|e| e != "json") {
                return None;
            }
            let file = File::options().read(true).write(true).open(&path).ok()?;
            let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).ok()?;
            let text = fs::read(&path).ok()?;
            let remembered = serde_json::from_slice(&text).ok()?;
            Some((Record { path, _lock: lock }, remembered))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_living_owner_keeps_its_cluster() {
        let folder = tempfile::tempdir().unwrap();
        let remembered = Remembered {
            name: "dev".into(),
            access: Access {
                kubeconfig: vec!["/home/me/.kube/config".into()],
                context: "arn:aws:eks/dev".into(),
            },
            owner: 1,
        };
        let first = Record::create(folder.path(), &remembered).unwrap().unwrap();
        assert!(
            Record::create(folder.path(), &remembered)
                .unwrap()
                .is_none()
        );
        assert!(left_behind(folder.path()).is_empty());
        drop(first);
        let left = left_behind(folder.path());
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].1, remembered);
        for (record, _) in left {
            record.forget();
        }
        assert!(left_behind(folder.path()).is_empty());
        assert!(
            Record::create(folder.path(), &remembered)
                .unwrap()
                .is_some()
        );
    }
}
