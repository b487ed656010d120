//! From paths to files.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::LoadError;

/// The scenario files at these paths: files as they are, folders with all `.yaml` and `.yml` files below them, in order.
/// A folder that leads back to itself is walked once.
///
/// # Errors
/// If a path does not exist or cannot be read, or nothing is found at all.
pub fn discover(paths: &[PathBuf]) -> Result<Vec<PathBuf>, LoadError> {
    let mut found = Vec::new();
    let mut walked = BTreeSet::new();
    for path in paths {
        let kind = fs::metadata(path).map_err(|e| LoadError::file(path, e.to_string(), None))?;
        if kind.is_dir() {
            walk(path, &mut walked, &mut found)?;
        } else {
            found.push(path.clone());
        }
    }
    if found.is_empty() {
        let first = paths.first().map_or(Path::new("."), PathBuf::as_path);
        return Err(LoadError::file(
            first,
            "no scenario files here",
            Some("scenario files end in .yaml or .yml"),
        ));
    }
    Ok(found)
}

fn walk(
    folder: &Path,
    walked: &mut BTreeSet<PathBuf>,
    found: &mut Vec<PathBuf>,
) -> Result<(), LoadError> {
    let failed = |e: std::io::Error| LoadError::file(folder, e.to_string(), None);
    if !walked.insert(fs::canonicalize(folder).map_err(failed)?) {
        return Ok(());
    }
    let mut entries: Vec<PathBuf> = fs::read_dir(folder)
        .map_err(failed)?
        .map(|entry| entry.map(|e| e.path()))
        .collect::<Result<_, _>>()
        .map_err(failed)?;
    entries.sort();
    for entry in entries {
        let hidden = entry
            .file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if hidden {
            continue;
        }
        if entry.is_dir() {
            walk(&entry, walked, found)?;
        } else if entry.extension().is_some_and(|e| e == "yaml" || e == "yml") {
            found.push(entry);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_of_folders_ends() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a.yaml"), "x").unwrap();
        fs::write(folder.path().join("notes.txt"), "x").unwrap();
        std::os::unix::fs::symlink(folder.path(), folder.path().join("again")).unwrap();
        let found = discover(&[folder.path().to_owned()]).unwrap();
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn nothing_there_is_said() {
        let folder = tempfile::tempdir().unwrap();
        assert!(discover(&[folder.path().to_owned()]).is_err());
        assert!(discover(&[folder.path().join("no")]).is_err());
    }
}
