//! The vDSO: the small library that the kernel maps into each program and that reads the clocks without a system call.
//! Here its ELF image is parsed and the places found where the stub goes and which symbols lead to it.

use crate::error::VdsoError;
use std::ops::Range;

/// The clock functions that are redirected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Function {
    ClockGettime,
    Gettimeofday,
    Time,
}

/// One symbol that leads to a clock function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Symbol {
    pub(crate) function: Function,
    /// Where `st_value` is, from the start of the image.
    pub(crate) value_at: u64,
    /// The kernel's function, from the start of the image.
    pub(crate) value: u64,
}

/// What was found in an image; all places are counted from its start.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// Where the stub goes.
    pub(crate) stub: u64,
    /// End of the mapped pages.
    pub(crate) pages_end: u64,
    /// A `syscall` instruction.
    pub(crate) syscall: Option<u64>,
    pub(crate) symbols: Vec<Symbol>,
}

struct Bytes<'a>(&'a [u8]);

impl Bytes<'_> {
    fn get<const N: usize>(&self, at: usize) -> Result<[u8; N], VdsoError> {
        self.0
            .get(at..at.saturating_add(N))
            .and_then(|slice| slice.try_into().ok())
            .ok_or(VdsoError::Damaged("a field lies outside the image"))
    }
    fn u16(&self, at: usize) -> Result<usize, VdsoError> {
        self.get(at).map(|b| usize::from(u16::from_le_bytes(b)))
    }
    fn u32(&self, at: usize) -> Result<usize, VdsoError> {
        self.get(at).map(|b| u32::from_le_bytes(b) as usize)
    }
    fn u64(&self, at: usize) -> Result<usize, VdsoError> {
        self.get(at).map(|b| u64::from_le_bytes(b) as usize)
    }
    fn name(&self, at: usize) -> &[u8] {
        let rest = self.0.get(at..).unwrap_or_default();
        let end = rest.iter().position(|&b| b == 0).unwrap_or(0);
        &rest[..end]
    }
}

const PT_LOAD: usize = 1;
const PT_DYNAMIC: usize = 2;
const DT_HASH: usize = 4;
const DT_STRTAB: usize = 5;
const DT_SYMTAB: usize = 6;
const SHT_DYNSYM: usize = 11;
const SYMBOL_LEN: usize = 24;
/// The fewest scratch slots worth having.
const SLOTS_LEN: usize = 256;

/// Finds the places in `image`, the whole pages of a vDSO, for a stub of `stub_len` bytes.
pub(crate) fn parse(image: &[u8], stub_len: usize) -> Result<Image, VdsoError> {
    let elf = Bytes(image);
    if elf.get::<4>(0)? != *b"\x7fELF" {
        return Err(VdsoError::Damaged("no ELF magic"));
    }
    if image.get(4) != Some(&2) || elf.u16(18)? != 62 {
        return Err(VdsoError::NotX86_64);
    }
    let (phoff, shoff) = (elf.u64(32)?, elf.u64(40)?);
    let (phnum, shnum) = (elf.u16(56)?, elf.u16(60)?);
    let (mut end, mut dynamic) = (0, None);
    for i in 0..phnum {
        let at = phoff.saturating_add(i * 56);
        match elf.u32(at)? {
            PT_LOAD => end = elf.u64(at + 8)?.saturating_add(elf.u64(at + 40)?),
            PT_DYNAMIC => dynamic = Some(elf.u64(at + 8)?),
            _ => {}
        }
    }
    // The section headers lie behind what is loaded; debuggers read them, so they stay.
    let sections_end = shoff.saturating_add(shnum * 64);
    if shoff != 0 && sections_end <= image.len() {
        end = end.max(sections_end);
    }
    let stub = end.next_multiple_of(64);
    let room = image.len().saturating_sub(stub);
    let needed = stub_len + SLOTS_LEN;
    if room < needed {
        return Err(VdsoError::NoPadding { room, needed });
    }

    let (mut symtab, mut strtab, mut hash) = (None, None, None);
    let mut at = dynamic.ok_or(VdsoError::Damaged("no dynamic section"))?;
    loop {
        let value = elf.u64(at + 8)?;
        match elf.u64(at)? {
            0 => break,
            DT_HASH => hash = Some(value),
            DT_STRTAB => strtab = Some(value),
            DT_SYMTAB => symtab = Some(value),
            _ => {}
        }
        at += 16;
    }
    let symtab = symtab.ok_or(VdsoError::Damaged("no symbol table"))?;
    let strtab = strtab.ok_or(VdsoError::Damaged("no string table"))?;
    let count = match hash {
        Some(hash) => elf.u32(hash + 4)?,
        None => symbols_by_section(&elf, shoff, shnum)?,
    };
    let mut symbols = Vec::new();
    for i in 0..count {
        let at = symtab.saturating_add(i * SYMBOL_LEN);
        let name = elf.name(strtab.saturating_add(elf.u32(at)?));
        let function = match name.strip_prefix(b"__vdso_").unwrap_or(name) {
            b"clock_gettime" => Function::ClockGettime,
            b"gettimeofday" => Function::Gettimeofday,
            b"time" => Function::Time,
            _ => continue,
        };
        let (value_at, value) = (at as u64 + 8, elf.u64(at + 8)? as u64);
        symbols.push(Symbol {
            function,
            value_at,
            value,
        });
    }
    if !symbols.iter().any(|s| s.function == Function::ClockGettime) {
        return Err(VdsoError::Damaged("no clock_gettime"));
    }
    let code = image.get(0x400..end.min(image.len())).unwrap_or_default();
    let syscall = code
        .windows(2)
        .position(|w| w == [0x0f, 0x05])
        .map(|i| i as u64 + 0x400);
    Ok(Image {
        stub: stub as u64,
        pages_end: image.len() as u64,
        syscall,
        symbols,
    })
}

/// Newer kernels may leave out the old hash table, whose length is that of the symbol table.
fn symbols_by_section(elf: &Bytes<'_>, shoff: usize, shnum: usize) -> Result<usize, VdsoError> {
    for i in 0..shnum {
        let at = shoff.saturating_add(i * 64);
        if elf.u32(at + 4)? == SHT_DYNSYM {
            return Ok(elf.u64(at + 32)? / SYMBOL_LEN);
        }
    }
    Err(VdsoError::Damaged(
        "neither a hash table nor a section for the symbols",
    ))
}

/// The address range of the vDSO in the text of a `/proc/PID/maps`.
pub(crate) fn range_in_maps(maps: &str) -> Option<Range<u64>> {
    let line = maps.lines().find(|line| line.ends_with("[vdso]"))?;
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    Some(u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<u8> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let range = range_in_maps(&maps).expect("this machine has a vDSO");
        let mut image = vec![0; (range.end - range.start) as usize];
        crate::sys::peek(std::process::id() as i32, range.start, &mut image).unwrap();
        image
    }

    #[test]
    fn the_running_kernels_vdso_has_room_and_the_functions() {
        let image = parse(&own(), 288).unwrap();
        for function in [
            Function::ClockGettime,
            Function::Gettimeofday,
            Function::Time,
        ] {
            assert!(
                image.symbols.iter().any(|s| s.function == function),
                "{function:?}"
            );
        }
        assert!(image.syscall.is_some());
        assert_eq!(image.stub % 64, 0);
    }

    #[test]
    fn damaged_images_are_refused_and_never_panic() {
        let good = own();
        assert_eq!(
            parse(&[], 288).unwrap_err(),
            VdsoError::Damaged("a field lies outside the image")
        );
        assert!(matches!(
            parse(&good, good.len()),
            Err(VdsoError::NoPadding { .. })
        ));
        let mut small = good.clone();
        small[4] = 1;
        assert_eq!(parse(&small, 288).unwrap_err(), VdsoError::NotX86_64);
        for at in (0..good.len().min(0x600)).step_by(3) {
            let mut bad = good.clone();
            bad[at] ^= 0xff;
            let _ = parse(&bad, 288);
            let _ = parse(&good[..at], 288);
        }
    }
}
