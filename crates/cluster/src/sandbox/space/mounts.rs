//! Where files appear in a pod, and the steps that make them appear there without touching the machine's own tree.

use std::{
    collections::BTreeMap,
    ffi::CString,
    fs, io,
    os::{
        fd::{AsRawFd, OwnedFd, RawFd},
        unix::ffi::OsStrExt,
    },
    path::{Component, Path, PathBuf},
};

use super::steps::Step;

/// A directory or file of this machine that a pod sees at another place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Shown {
    /// What.
    pub(crate) source: PathBuf,
    /// Where: an absolute path, which need not exist.
    pub(crate) target: PathBuf,
    /// The pod cannot write there.
    pub(crate) read_only: bool,
}

/// The steps, and the descriptors whose numbers they use: keep them until the child has been forked.
pub(super) struct MountSteps {
    pub(super) steps: Vec<Step>,
    pub(super) reserved: Vec<OwnedFd>,
}

/// Plans the mounts. Where the place does not exist, the nearest directory above it is covered by an empty file system
/// in which everything that was there is shown again, and the place is made in that.
pub(super) fn plan(shown: &[Shown]) -> io::Result<MountSteps> {
    let mut places = Vec::new();
    let mut covered: BTreeMap<PathBuf, ()> = BTreeMap::new();
    for one in shown {
        let (there, missing) = resolve(&one.target)?;
        if missing.as_os_str().is_empty() {
            places.push((there, one));
            continue;
        }
        if there == Path::new("/") {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                format!(
                    "cannot mount at {}: its first directory does not exist here",
                    one.target.display()
                ),
            ));
        }
        covered.insert(there.clone(), ());
        places.push((there.join(missing), one));
    }
    let mut out = MountSteps {
        steps: Vec::new(),
        reserved: Vec::new(),
    };
    // Sorted, so a directory is covered before those below it.
    for directory in covered.keys() {
        let fd = OwnedFd::from(fs::File::open("/dev/null")?);
        cover(directory, fd.as_raw_fd(), &mut out.steps)?;
        out.reserved.push(fd);
    }
    for (place, one) in places {
        if let Some(directory) = covered.keys().rev().find(|d| place.starts_with(d)) {
            make_directories(directory, &place, one, &mut out.steps)?;
        }
        out.steps.push(Step::Show {
            source: c_path(&one.source)?,
            target: c_path(&place)?,
            read_only: one.read_only,
            optional: false,
        });
    }
    Ok(out)
}

fn cover(directory: &Path, fd: RawFd, steps: &mut Vec<Step>) -> io::Result<()> {
    steps.push(Step::OpenAs(c_path(directory)?, fd));
    steps.push(Step::Tmpfs(c_path(directory)?));
    let old = PathBuf::from(format!("/proc/self/fd/{fd}"));
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let at = c_path(&directory.join(entry.file_name()))?;
        if kind.is_symlink() {
            if let Ok(to) = fs::read_link(entry.path()) {
                steps.push(Step::Link {
                    to: c_path(&to)?,
                    at,
                });
            }
            continue;
        }
        steps.push(if kind.is_dir() {
            Step::Directory(at.clone())
        } else {
            Step::File(at.clone())
        });
        steps.push(Step::Show {
            source: c_path(&old.join(entry.file_name()))?,
            target: at,
            read_only: false,
            optional: true,
        });
    }
    Ok(())
}

fn make_directories(
    from: &Path,
    place: &Path,
    one: &Shown,
    steps: &mut Vec<Step>,
) -> io::Result<()> {
    let Ok(below) = place.strip_prefix(from) else {
        return Ok(());
    };
    let mut at = from.to_path_buf();
    let count = below.components().count();
    for (i, part) in below.components().enumerate() {
        at.push(part);
        let last = i + 1 == count;
        steps.push(if last && one.source.is_file() {
            Step::File(c_path(&at)?)
        } else {
            Step::Directory(c_path(&at)?)
        });
    }
    Ok(())
}

/// Splits a path into what exists, with its symbolic links followed, and what does not.
fn resolve(path: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let mut there = PathBuf::from("/");
    let mut parts = path.components().peekable();
    while let Some(part) = parts.peek() {
        match part {
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
            Component::ParentDir => {
                return Err(io::Error::new(
                    io::ErrorKind::InvalidInput,
                    format!("{} contains ..", path.display()),
                ));
            }
            Component::Normal(name) => match fs::canonicalize(there.join(name)) {
                Ok(real) => there = real,
                Err(e) if e.kind() == io::ErrorKind::NotFound => break,
                Err(e) => return Err(e),
            },
        }
        parts.next();
    }
    Ok((there, parts.collect()))
}

pub(super) fn c_path(path: &Path) -> io::Result<CString> {
    CString::new(path.as_os_str().as_bytes()).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn splits_at_what_exists() {
        let dir = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(dir.path()).unwrap();
        fs::create_dir(root.join("run")).unwrap();
        std::os::unix::fs::symlink(root.join("run"), root.join("link")).unwrap();
        assert_eq!(
            resolve(&root.join("link/secrets/x")).unwrap(),
            (root.join("run"), PathBuf::from("secrets/x"))
        );
        assert_eq!(
            resolve(&root.join("run")).unwrap(),
            (root.join("run"), PathBuf::new())
        );
        assert!(resolve(&root.join("run/../x")).is_err());
    }
}
