//! Which folders of this machine a container must see so that this machine's programs run in it.

use std::path::{Path, PathBuf};

/// System folders that hold programs, libraries and their configuration.
const SYSTEM: [&str; 10] = [
    "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/usr", "/opt", "/etc", "/nix", "/gnu",
];

/// The system's folders that are here: what a program of this machine needs besides itself.
pub(crate) fn library_folders() -> Vec<PathBuf> {
    let folders = SYSTEM.iter().map(PathBuf::from);
    folders.filter(|folder| folder.is_dir()).collect()
}

/// The system's folders; those of `PATH`, each with the folder above it (a Python environment has its libraries there);
/// this program's; the working directory; `more`. None that holds `private`, where run directories are.
pub fn program_folders(private: &Path, more: &[PathBuf]) -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let wanted = SYSTEM
        .iter()
        .map(PathBuf::from)
        .chain(std::env::split_paths(&path).filter_map(|p| p.parent().map(Path::to_owned)))
        .chain(
            std::env::current_exe()
                .ok()
                .and_then(|p| p.parent().map(Path::to_owned)),
        )
        .chain(std::env::current_dir().ok())
        .chain(more.iter().cloned());
    choose(wanted, private, &|path| path.is_dir())
}

fn choose(
    wanted: impl Iterator<Item = PathBuf>,
    private: &Path,
    exists: &dyn Fn(&Path) -> bool,
) -> Vec<PathBuf> {
    // The pod's own, or the node's.
    const NEVER: [&str; 6] = ["/proc", "/sys", "/dev", "/run", "/var", "/tmp"];
    let mut chosen: Vec<PathBuf> = Vec::new();
    for path in wanted {
        let covered = chosen.iter().any(|known| path.starts_with(known));
        let refused = !path.is_absolute()
            || path == Path::new("/")
            || private.starts_with(&path)
            || NEVER.iter().any(|never| path == Path::new(never));
        if !covered && !refused && exists(&path) {
            chosen.push(path);
        }
    }
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_twice_and_nothing_private() {
        let wanted = [
            "/usr",
            "/usr/local",
            "/",
            "/home/me/venv",
            "/tmp",
            "/home",
            "relative",
            "/none",
        ];
        let chosen = choose(
            wanted.iter().map(PathBuf::from),
            Path::new("/home/me/run"),
            &|path| path != Path::new("/none"),
        );
        assert_eq!(chosen, [Path::new("/usr"), Path::new("/home/me/venv")]);
    }
}
