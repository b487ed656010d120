//! The pause image: the process that holds a pod's namespaces. It is so small that its bytes are written here.

use super::{Entry, Image};

/// The pause image under this name: a program that ignores its children's ends, so that none stays a zombie, and sleeps
/// until it is told to end (SIGTERM, SIGINT), which the first process of a container must heed by itself.
pub fn pause(name: &str) -> Image {
    Image::new(name)
        .entry(
            "/pause",
            Entry::File {
                bytes: program(),
                mode: 0o755,
            },
        )
        .entrypoint(["/pause"])
}

/// Where the program is loaded.
const BASE: u64 = 0x40_0000;
/// The size of the ELF header and one program header.
const HEADERS: u64 = 0x78;
/// The size of the data, which stands between the headers and the code.
const DATA: u64 = 40;

/// At 0x400078 the kernel's structure of `rt_sigaction`: handler SIG_IGN (1), flags, restorer, mask. At 0x400098 the set of
/// SIGTERM (bit 14) and SIGINT (bit 1).
fn data() -> Vec<u8> {
    let mut bytes = vec![0; 40];
    bytes[0] = 1;
    bytes[32..].copy_from_slice(&0x4002_u64.to_le_bytes());
    bytes
}

/// `rt_sigaction(SIGCHLD, SIG_IGN)`; block the set; `rt_sigtimedwait` until one of it comes; exit 0.
#[cfg(target_arch = "x86_64")]
fn code() -> Vec<u8> {
    vec![
        0xb8, 13, 0, 0, 0, // mov eax, 13 (rt_sigaction)
        0xbf, 17, 0, 0, 0, // mov edi, 17 (SIGCHLD)
        0xbe, 0x78, 0, 0x40, 0, // mov esi, 0x400078
        0x31, 0xd2, // xor edx, edx
        0x41, 0xba, 8, 0, 0, 0, // mov r10d, 8
        0x0f, 0x05, // syscall
        0xb8, 14, 0, 0, 0, // mov eax, 14 (rt_sigprocmask)
        0x31, 0xff, // xor edi, edi (SIG_BLOCK)
        0xbe, 0x98, 0, 0x40, 0, // mov esi, 0x400098
        0x31, 0xd2, // xor edx, edx
        0x41, 0xba, 8, 0, 0, 0, // mov r10d, 8
        0x0f, 0x05, // syscall
        0xb8, 128, 0, 0, 0, // mov eax, 128 (rt_sigtimedwait)
        0xbf, 0x98, 0, 0x40, 0, // mov edi, 0x400098
        0x31, 0xf6, // xor esi, esi
        0x31, 0xd2, // xor edx, edx
        0x41, 0xba, 8, 0, 0, 0, // mov r10d, 8
        0x0f, 0x05, // syscall
        0x85, 0xc0, // test eax, eax
        0x78, 0xe6, // js to the mov of 128
        0x31, 0xff, // xor edi, edi
        0xb8, 60, 0, 0, 0, // mov eax, 60 (exit)
        0x0f, 0x05, // syscall
    ]
}

/// The same.
#[cfg(target_arch = "aarch64")]
fn code() -> Vec<u8> {
    let words: [u32; 26] = [
        0xd280_10c8, // mov x8, #134 (rt_sigaction)
        0xd280_0220, // mov x0, #17 (SIGCHLD)
        0xd280_0f01, // mov x1, #0x78
        0xf2a0_0801, // movk x1, #0x40, lsl #16
        0xd280_0002, // mov x2, #0
        0xd280_0103, // mov x3, #8
        0xd400_0001, // svc #0
        0xd280_10e8, // mov x8, #135 (rt_sigprocmask)
        0xd280_0000, // mov x0, #0 (SIG_BLOCK)
        0xd280_1301, // mov x1, #0x98
        0xf2a0_0801, // movk x1, #0x40, lsl #16
        0xd280_0002, // mov x2, #0
        0xd280_0103, // mov x3, #8
        0xd400_0001, // svc #0
        0xd280_1128, // mov x8, #137 (rt_sigtimedwait)
        0xd280_1300, // mov x0, #0x98
        0xf2a0_0800, // movk x0, #0x40, lsl #16
        0xd280_0001, // mov x1, #0
        0xd280_0002, // mov x2, #0
        0xd280_0103, // mov x3, #8
        0xd400_0001, // svc #0
        0xb7ff_ff20, // tbnz x0, #63, to the mov of 137
        0xd280_0ba8, // mov x8, #93 (exit)
        0xd280_0000, // mov x0, #0
        0xd400_0001, // svc #0
        0xd503_201f, // nop
    ];
    words.iter().flat_map(|w| w.to_le_bytes()).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn code() -> Vec<u8> {
    Vec::new()
}

fn program() -> Vec<u8> {
    let code = code();
    let size = HEADERS + DATA + code.len() as u64;
    let machine: u16 = if cfg!(target_arch = "aarch64") {
        183
    } else {
        62
    };
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend(2_u16.to_le_bytes()); // an executable
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes());
    elf.extend((BASE + HEADERS + DATA).to_le_bytes()); // entry
    elf.extend(64_u64.to_le_bytes()); // program headers
    elf.extend(0_u64.to_le_bytes()); // no sections
    elf.extend(0_u32.to_le_bytes());
    for half in [64_u16, 56, 1, 64, 0, 0] {
        elf.extend(half.to_le_bytes());
    }
    elf.extend(1_u32.to_le_bytes()); // PT_LOAD
    elf.extend(5_u32.to_le_bytes()); // read, execute
    for word in [0, BASE, BASE, size, size, 0x1000] {
        elf.extend(word.to_le_bytes());
    }
    elf.extend(data());
    elf.extend(code);
    elf
}

#[cfg(test)]
mod tests {
    use std::{io::Write, os::unix::fs::OpenOptionsExt};

    use super::*;

    #[test]
    fn it_runs_until_it_is_told_to_end() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pause");
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o755)
            .open(&path)
            .unwrap();
        file.write_all(&program()).unwrap();
        drop(file);
        let mut child = std::process::Command::new(&path).spawn().unwrap();
        // It must come to rest in a sleep, with SIGCHLD (bit 16) ignored.
        let status = format!("/proc/{}/status", child.id());
        let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
        loop {
            let text = std::fs::read_to_string(&status).unwrap();
            let ignored = text
                .lines()
                .find_map(|l| l.strip_prefix("SigIgn:"))
                .and_then(|hex| u64::from_str_radix(hex.trim(), 16).ok())
                .unwrap();
            if text.contains("State:\tS") && ignored & (1 << 16) != 0 {
                break;
            }
            assert!(
                std::time::Instant::now() < end && !text.contains("State:\tZ"),
                "{text}"
            );
            std::thread::yield_now();
        }
        let pid = nix::unistd::Pid::from_raw(child.id() as i32);
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
