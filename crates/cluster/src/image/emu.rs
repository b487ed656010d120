//! Emu's own image: the program with what it needs, for the twin, for pods without an image of their own, and for whoever
//! runs emu in a container.

use std::{fs::File, io, path::Path};

use sha2::{Digest, Sha256};

use super::{Entry, Error, Image};

/// Where the program is in its image.
pub const EMU_PROGRAM: &str = "/usr/bin/emu";

/// The reference of an image of this very program: nodes that have it need not be given it again.
///
/// # Errors
/// When the program cannot be read.
pub fn emu_reference(program: &Path) -> Result<String, Error> {
    let mut file = File::open(program).map_err(Error::file(program))?;
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut hash).map_err(Error::file(program))?;
    let digest = hex::encode(hash.finalize());
    Ok(format!(
        "emu.local/emu:{}-{}",
        env!("CARGO_PKG_VERSION"),
        &digest[..12]
    ))
}

/// An image whose entrypoint is this program; it comes up as an emulator that everybody reaches. The probe is in it when
/// it lies beside the program.
///
/// # Errors
/// When the program cannot be put into an image.
pub fn emu(reference: &str, program: &Path) -> Result<Image, Error> {
    let mut image = Image::new(reference)
        .program(program, EMU_PROGRAM)?
        .entrypoint([EMU_PROGRAM])
        .command(["up", "--addr", "0.0.0.0:4566"]);
    // This machine's authorities, where they are as Debian has them.
    let authorities = Path::new("/etc/ssl/certs/ca-certificates.crt");
    if authorities.is_file() {
        let source = authorities.to_owned();
        let mode = 0o644;
        image = image.entry(
            "/etc/ssl/certs/ca-certificates.crt",
            Entry::Copy { source, mode },
        );
    }
    let probe = program.with_file_name("emu-probe");
    if probe.is_file() {
        image = image.program(&probe, "/usr/bin/emu-probe")?;
    }
    Ok(image)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_tells_programs_apart() {
        let this = std::env::current_exe().unwrap();
        let reference = emu_reference(&this).unwrap();
        assert!(reference.starts_with("emu.local/emu:"), "{reference}");
        assert_eq!(reference, emu_reference(&this).unwrap());
        assert_ne!(reference, emu_reference(Path::new("/bin/sh")).unwrap());
        let image = emu(&reference, &this).unwrap();
        assert_eq!(image.name(), reference);
        assert!(image.entries.iter().any(|(path, _)| path == "usr/bin/emu"));
    }
}
