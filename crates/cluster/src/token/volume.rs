//! The file a pod reads its token from.

use std::{
    fs, io,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use emu_core::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest a kubelet keeps a token however long it lives. Source: kubelet's token manager.
const LONGEST_KEPT: i128 = 24 * 3_600 * 1_000_000_000;

/// When a kubelet fetches a fresh token: at 80 % of the old one's life, or after 24 hours if that is earlier. The
/// kubelet's jitter of up to 10 s is left out so that runs repeat.
pub fn refresh_at(issued_at: Timestamp, expires_at: Timestamp) -> Timestamp {
    let issued = issued_at.as_nanosecond();
    let life = (expires_at.as_nanosecond() - issued).max(0);
    let kept = (life / 5 * 4).min(LONGEST_KEPT);
    Timestamp::from_nanosecond(issued + kept).unwrap_or(Timestamp::MAX)
}

/// What can go wrong with the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TokenFault {
    /// There is no file (catalogue C6).
    Missing,
    /// The file belongs to root and has mode 0600: programs that do not run as root cannot read it (C5).
    Unreadable,
    /// The file is not replaced any more (C1 from the other side).
    Stale,
    /// Garbage follows the token (C10).
    Corrupt,
    /// A line break follows the token (C4).
    Newline,
}

/// One projected token's file. The directory is the volume; the file is replaced atomically.
#[derive(Debug)]
pub struct TokenVolume {
    directory: PathBuf,
    file: PathBuf,
    mode: u32,
    owner: (Option<u32>, Option<u32>),
    fault: Option<TokenFault>,
    token: String,
}

impl TokenVolume {
    /// A volume at `directory`, which exists, whose token is at `path` within it. `owner` is the user and group the file
    /// is given, where the process may give files away.
    pub fn new(
        directory: impl Into<PathBuf>,
        path: &Path,
        mode: u32,
        owner: (Option<u32>, Option<u32>),
    ) -> Self {
        let directory = directory.into();
        Self {
            file: directory.join(path),
            directory,
            mode,
            owner,
            fault: None,
            token: String::new(),
        }
    }

    /// Where the file is, as seen from outside the pod.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// The token the kubelet holds, whether or not the file shows it.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// Puts a fresh token into the file.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn replace(&mut self, token: String) -> io::Result<()> {
        self.token = token;
        if self.fault == Some(TokenFault::Stale) {
            return Ok(());
        }
        self.write()
    }

    /// Makes the file go wrong, or right again.
    ///
    /// # Errors
    /// Those of the file system.
    pub fn set_fault(&mut self, fault: Option<TokenFault>) -> io::Result<()> {
        self.fault = fault;
        match fault {
            Some(TokenFault::Missing) => match fs::remove_file(&self.file) {
                Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
                _ => Ok(()),
            },
            Some(TokenFault::Stale) => Ok(()),
            _ => self.write(),
        }
    }

    fn write(&self) -> io::Result<()> {
        let (suffix, mode, owner) = match self.fault {
            Some(TokenFault::Missing) => return Ok(()),
            // As reported in the field: webhook#232.
            Some(TokenFault::Corrupt) => (" 11:11:49.78 v3.go:79] EOF", self.mode, self.owner),
            Some(TokenFault::Newline) => ("\n", self.mode, self.owner),
            Some(TokenFault::Unreadable) => ("", 0o600, (None, None)),
            Some(TokenFault::Stale) | None => ("", self.mode, self.owner),
        };
        if let Some(parent) = self.file.parent() {
            fs::create_dir_all(parent)?;
        }
        let fresh = self.directory.join("..token.new");
        fs::write(&fresh, [self.token.as_str(), suffix].concat())?;
        fs::set_permissions(&fresh, fs::Permissions::from_mode(mode))?;
        if owner != (None, None) {
            std::os::unix::fs::chown(&fresh, owner.0, owner.1)?;
        }
        fs::rename(&fresh, &self.file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn refreshed_at_80_percent_or_after_a_day() {
        assert_eq!(refresh_at(at(0), at(86_400)), at(69_120));
        assert_eq!(refresh_at(at(0), at(600)), at(480));
        assert_eq!(refresh_at(at(0), at(7 * 86_400)), at(86_400));
    }

    #[test]
    fn faults_show_in_the_file_and_heal() {
        let dir = tempfile::tempdir().unwrap();
        let mut volume = TokenVolume::new(dir.path(), Path::new("t"), 0o644, (None, None));
        let read = || fs::read_to_string(dir.path().join("t"));
        volume.replace("one".into()).unwrap();
        assert_eq!(read().unwrap(), "one");
        volume.set_fault(Some(TokenFault::Stale)).unwrap();
        volume.replace("two".into()).unwrap();
        assert_eq!(read().unwrap(), "one");
        volume.set_fault(Some(TokenFault::Newline)).unwrap();
        assert_eq!(read().unwrap(), "two\n");
        volume.set_fault(Some(TokenFault::Missing)).unwrap();
        assert!(read().is_err());
        volume.set_fault(None).unwrap();
        assert_eq!(read().unwrap(), "two");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }
}
