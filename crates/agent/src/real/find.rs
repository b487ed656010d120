//! Amazon's agent on this machine.

use std::{
    io,
    path::{Path, PathBuf},
};

/// The program's name in its image and in the cache folder.
pub(super) const PROGRAM: &str = "eks-pod-identity-agent";

/// What stands for a release that is not known.
const UNKNOWN: &str = "unknown";

/// Amazon's own agent, as a program on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RealAgent {
    path: PathBuf,
    version: String,
}

/// The file cannot be the agent.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] io::Error),
    /// It is not a program.
    #[error("it is not a program that can be run")]
    NotExecutable,
}

impl RealAgent {
    /// The newest one in emu's cache folder.
    pub fn find() -> Option<Self> {
        Self::find_in(&cache_folder()?)
    }

    /// The newest one in a cache folder.
    pub fn find_in(cache: &Path) -> Option<Self> {
        let folders = std::fs::read_dir(cache.join("agent")).ok()?;
        folders
            .filter_map(|folder| {
                let folder = folder.ok()?;
                let version = folder.file_name().into_string().ok()?;
                let agent = Self::at(&folder.path().join(PROGRAM)).ok()?;
                Some(Self { version, ..agent })
            })
            .max_by_key(|agent| sort_key(&agent.version))
    }

    /// The one at a path. Its version is the name of the folder it is in, if that looks like one, else `unknown`.
    ///
    /// # Errors
    /// When there is no program at the path.
    pub fn at(path: &Path) -> Result<Self, FindError> {
        use std::os::unix::fs::PermissionsExt;
        let metadata = std::fs::metadata(path)?;
        if !metadata.is_file() || metadata.permissions().mode() & 0o111 == 0 {
            return Err(FindError::NotExecutable);
        }
        let folder = path
            .parent()
            .and_then(Path::file_name)
            .and_then(|name| name.to_str());
        let version = folder.filter(|name| {
            name.trim_start_matches('v')
                .starts_with(|c: char| c.is_ascii_digit())
        });
        Ok(Self {
            path: path.into(),
            version: version.unwrap_or(UNKNOWN).into(),
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its release, or `unknown`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Asks the program for its release if its place does not tell.
    pub async fn ask_version(&mut self) {
        if self.version == UNKNOWN
            && let Some(version) = super::asked_version(&self.path).await
        {
            self.version = version;
        }
    }
}

/// Where emu keeps what it fetches: `$EMU_CACHE`, `$XDG_CACHE_HOME/emu` or `~/.cache/emu`.
pub(super) fn cache_folder() -> Option<PathBuf> {
    let set = |name| {
        std::env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    set("EMU_CACHE")
        .or_else(|| set("XDG_CACHE_HOME").map(|cache| cache.join("emu")))
        .or_else(|| set("HOME").map(|home| home.join(".cache/emu")))
}

/// Numbers compare as numbers.
fn sort_key(version: &str) -> Vec<(u64, String)> {
    version
        .trim_start_matches('v')
        .split(['.', '-'])
        .map(|part| (part.parse().unwrap_or(0), part.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn the_newest_is_found() {
        let cache = tempfile::tempdir().unwrap();
        assert_eq!(RealAgent::find_in(cache.path()), None);
        for version in ["0.1.9", "0.1.37", "0.1.4"] {
            let folder = cache.path().join("agent").join(version);
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(folder.join(PROGRAM), "#!/bin/sh\n").unwrap();
        }
        assert_eq!(
            RealAgent::find_in(cache.path()),
            None,
            "nothing is executable yet"
        );
        for version in ["0.1.9", "0.1.37", "0.1.4"] {
            let program = cache.path().join("agent").join(version).join(PROGRAM);
            std::fs::set_permissions(program, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        assert_eq!(
            RealAgent::find_in(cache.path()).unwrap().version(),
            "0.1.37"
        );
    }
}
