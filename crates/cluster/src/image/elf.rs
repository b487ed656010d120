//! What a program needs to run elsewhere: its loader and libraries, found as the loader would find them, without running
//! anything.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use super::Error;

/// A program and the files beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closure {
    /// The program's real path.
    pub program: PathBuf,
    /// Path in the image to local file: the loader and every library, directly or indirectly needed.
    pub files: BTreeMap<PathBuf, PathBuf>,
}

/// What an ELF file says about its needs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// The loader (`PT_INTERP`); none in a static program or a library.
    pub interpreter: Option<String>,
    /// Names of libraries (`DT_NEEDED`).
    pub libraries: Vec<String>,
    /// Its own search path (`DT_RUNPATH`, `DT_RPATH`), folders separated by colons.
    pub search: Option<String>,
}

/// Reads an ELF file's needs. Only 64-bit little-endian files are known.
///
/// # Errors
/// With a reason, when the bytes are no such file or are damaged.
pub fn needs(bytes: &[u8]) -> Result<Needs, String> {
    let elf = Elf(bytes);
    if bytes.get(..4) != Some(b"\x7fELF") {
        return Err("not an ELF program".into());
    }
    if bytes.get(4) != Some(&2) || bytes.get(5) != Some(&1) {
        return Err("not a 64-bit little-endian program".into());
    }
    let table = elf.word(32)?;
    let (size, count) = (u64::from(elf.half(54)?), u64::from(elf.half(56)?));
    let mut needs = Needs::default();
    let mut loads = Vec::new();
    let mut dynamic = None;
    for number in 0..count {
        let at = number
            .checked_mul(size)
            .and_then(|offset| table.checked_add(offset))
            .ok_or("damaged program headers")?;
        let (kind, offset, address, length) = (
            elf.int(at)?,
            elf.word(at + 8)?,
            elf.word(at + 16)?,
            elf.word(at + 32)?,
        );
        match kind {
            1 => loads.push((address, offset, length)),
            2 => dynamic = Some((offset, length)),
            3 => needs.interpreter = Some(elf.text(offset)?),
            _ => {}
        }
    }
    let Some((start, length)) = dynamic else {
        return Ok(needs);
    };
    let mut strings = None;
    let (mut names, mut searches) = (Vec::new(), Vec::new());
    for at in (0..length / 16).map(|n| start.saturating_add(n * 16)) {
        let (tag, value) = (elf.word(at)?, elf.word(at.saturating_add(8))?);
        match tag {
            0 => break,
            1 => names.push(value),
            5 => strings = Some(value),
            15 | 29 => searches.push(value),
            _ => {}
        }
    }
    let strings = strings
        .and_then(|address| {
            loads
                .iter()
                .find(|(start, _, size)| address >= *start && address - start < *size)
                .and_then(|(start, offset, _)| (address - start).checked_add(*offset))
        })
        .ok_or("no string table")?;
    let string = |at: u64| elf.text(strings.saturating_add(at));
    needs.libraries = names.into_iter().map(string).collect::<Result<_, _>>()?;
    needs.search = searches.last().map(|at| string(*at)).transpose()?;
    Ok(needs)
}

struct Elf<'a>(&'a [u8]);

impl Elf<'_> {
    fn bytes<const N: usize>(&self, at: u64) -> Result<[u8; N], String> {
        usize::try_from(at)
            .ok()
            .and_then(|at| self.0.get(at..at.checked_add(N)?))
            .and_then(|slice| slice.try_into().ok())
            .ok_or_else(|| "the file is cut short".to_owned())
    }

    fn half(&self, at: u64) -> Result<u16, String> {
        self.bytes(at).map(u16::from_le_bytes)
    }

    fn int(&self, at: u64) -> Result<u32, String> {
        self.bytes(at).map(u32::from_le_bytes)
    }

    fn word(&self, at: u64) -> Result<u64, String> {
        self.bytes(at).map(u64::from_le_bytes)
    }

    fn text(&self, at: u64) -> Result<String, String> {
        let rest = usize::try_from(at)
            .ok()
            .and_then(|at| self.0.get(at..))
            .ok_or("the file is cut short")?;
        let end = rest
            .iter()
            .position(|b| *b == 0)
            .ok_or("an unterminated string")?;
        String::from_utf8(rest[..end].to_vec()).map_err(|e| e.to_string())
    }
}

/// Folders in which a loader looks by itself. Multi-architecture folders first, as on Debian.
fn default_folders() -> Vec<PathBuf> {
    let multi = match std::env::consts::ARCH {
        "aarch64" => "aarch64-linux-gnu",
        _ => "x86_64-linux-gnu",
    };
    ["/lib/", "/usr/lib/"]
        .iter()
        .map(|prefix| PathBuf::from(format!("{prefix}{multi}")))
        .chain(["/lib64", "/usr/lib64", "/lib", "/usr/lib"].map(PathBuf::from))
        .collect()
}

/// Folders of the loader's configuration, whose cache an image does not have.
fn configured_folders() -> Vec<PathBuf> {
    let mut files = vec![PathBuf::from("/etc/ld.so.conf")];
    files.extend(
        fs::read_dir("/etc/ld.so.conf.d")
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.path()),
    );
    files
        .iter()
        .filter_map(|file| fs::read_to_string(file).ok())
        .flat_map(|text| {
            text.lines()
                .map(str::trim)
                .filter(|line| line.starts_with('/'))
                .map(PathBuf::from)
                .collect::<Vec<_>>()
        })
        .collect()
}

/// Finds everything that a program needs.
///
/// # Errors
/// When the program cannot be read, is no ELF program, or a library is not found.
pub fn closure(program: &Path) -> Result<Closure, Error> {
    let program = fs::canonicalize(program).map_err(Error::file(program))?;
    let failed = |why: String| Error::Program {
        path: program.clone(),
        why,
    };
    let bytes = fs::read(&program).map_err(Error::file(&program))?;
    let first = needs(&bytes).map_err(failed)?;
    drop(bytes);
    let mut closure = Closure {
        program: program.clone(),
        files: BTreeMap::new(),
    };
    let Some(interpreter) = first.interpreter.clone() else {
        return Ok(closure);
    };
    let loader = PathBuf::from(&interpreter);
    let real = fs::canonicalize(&loader).map_err(Error::file(&loader))?;
    closure.files.insert(loader.clone(), real);
    let loader_name = loader.file_name().map(ToOwned::to_owned);
    // Whatever the loader finds by its cache goes where it also looks without one.
    let defaults = default_folders();
    let home = defaults
        .iter()
        .find(|folder| folder.join("libc.so.6").exists() || folder.join("libc.so").exists())
        .unwrap_or(&defaults[0])
        .clone();
    let mut waiting = vec![(program.clone(), first)];
    while let Some((of, needs)) = waiting.pop() {
        let own = search_folders(&of, needs.search.as_deref());
        for library in &needs.libraries {
            // musl's loader is its C library.
            if loader_name.as_deref() == Some(library.as_ref()) {
                continue;
            }
            let found = own
                .iter()
                .chain(&defaults)
                .cloned()
                .chain(configured_folders())
                .map(|folder| folder.join(library))
                .find(|path| path.exists())
                .ok_or_else(|| failed(format!("its library {library} is not found")))?;
            let target = home.join(library);
            if closure.files.contains_key(&target) {
                continue;
            }
            let real = fs::canonicalize(&found).map_err(Error::file(&found))?;
            let bytes = fs::read(&real).map_err(Error::file(&real))?;
            let next = self::needs(&bytes).map_err(|why| Error::Program {
                path: real.clone(),
                why,
            })?;
            closure.files.insert(target, real.clone());
            waiting.push((real, next));
        }
    }
    Ok(closure)
}

/// The folders of a file's own search path, with `$ORIGIN` replaced.
fn search_folders(file: &Path, search: Option<&str>) -> Vec<PathBuf> {
    let origin = file
        .parent()
        .unwrap_or_else(|| Path::new("/"))
        .to_string_lossy()
        .into_owned();
    search
        .unwrap_or_default()
        .split(':')
        .filter(|folder| !folder.is_empty())
        .map(|folder| {
            PathBuf::from(
                folder
                    .replace("${ORIGIN}", &origin)
                    .replace("$ORIGIN", &origin),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_test_program_is_understood() {
        let exe = std::env::current_exe().unwrap();
        let closure = closure(&exe).unwrap();
        if closure.files.is_empty() {
            eprintln!("skipped: this test program is static");
            return;
        }
        assert!(
            closure
                .files
                .keys()
                .any(|path| path.to_string_lossy().contains("libc."))
        );
        for source in closure.files.values() {
            assert!(source.is_file(), "{}", source.display());
        }
    }

    #[test]
    fn damaged_files_are_refused_not_followed() {
        assert!(needs(b"#!/bin/sh").unwrap_err().contains("not an ELF"));
        let bytes = fs::read("/proc/self/exe").unwrap();
        for length in [4, 20, 63, 64, 100, 500, 1000] {
            let _ = needs(&bytes[..length.min(bytes.len())]);
        }
        let mut bytes = bytes[..4096].to_vec();
        for at in 16..bytes.len() {
            let old = bytes[at];
            bytes[at] = 0xff;
            let _ = needs(&bytes);
            bytes[at] = old;
        }
    }
}
