//! The pause image: the process that holds a pod's namespaces. It is so small that its bytes are written here.

use super::{Entry, Image};

/// The pause image under this name: a program that ignores its children's ends, so that none stays a zombie, and sleeps.
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

/// `rt_sigaction(SIGCHLD, {SIG_IGN}, NULL, 8)`, then `pause()` for ever.
#[cfg(target_arch = "x86_64")]
fn code() -> Vec<u8> {
    let mut code = vec![
        0xb8, 13, 0, 0, 0, // mov eax, 13 (rt_sigaction)
        0xbf, 17, 0, 0, 0, // mov edi, 17 (SIGCHLD)
        0x48, 0x8d, 0x35, 23, 0, 0, 0, // lea rsi, [rip + 23] (the structure below)
        0x31, 0xd2, // xor edx, edx
        0x41, 0xba, 8, 0, 0, 0, // mov r10d, 8
        0x0f, 0x05, // syscall
        0xb8, 34, 0, 0, 0, // mov eax, 34 (pause)
        0x0f, 0x05, // syscall
        0xeb, 0xf7, // jmp to the mov
    ];
    while code.len() < 17 + 23 {
        code.push(0x90);
    }
    code.extend(sigaction());
    code
}

/// The same for arm64, which has no `pause`: `ppoll(NULL, 0, NULL, NULL, 0)`.
#[cfg(target_arch = "aarch64")]
fn code() -> Vec<u8> {
    let words: [u32; 14] = [
        0xd280_10c8, // mov x8, #134 (rt_sigaction)
        0xd280_0220, // mov x0, #17 (SIGCHLD)
        0x1000_0181, // adr x1, #48 (the structure below)
        0xd280_0002, // mov x2, #0
        0xd280_0103, // mov x3, #8
        0xd400_0001, // svc #0
        0xd280_0928, // mov x8, #73 (ppoll)
        0xd280_0000, // mov x0, #0
        0xd280_0001, // mov x1, #0
        0xd280_0002, // mov x2, #0
        0xd280_0003, // mov x3, #0
        0xd400_0001, // svc #0
        0x17ff_fffa, // b to the mov of 73
        0xd503_201f, // nop
    ];
    let mut code: Vec<u8> = words.iter().flat_map(|w| w.to_le_bytes()).collect();
    code.extend(sigaction());
    code
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn code() -> Vec<u8> {
    Vec::new()
}

/// The kernel's structure: handler SIG_IGN (1), flags, restorer, mask.
fn sigaction() -> Vec<u8> {
    let mut bytes = vec![0; 32];
    bytes[0] = 1;
    bytes
}

fn program() -> Vec<u8> {
    let code = code();
    let size = HEADERS + code.len() as u64;
    let machine: u16 = if cfg!(target_arch = "aarch64") {
        183
    } else {
        62
    };
    let mut elf = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    elf.extend(2_u16.to_le_bytes()); // an executable
    elf.extend(machine.to_le_bytes());
    elf.extend(1_u32.to_le_bytes());
    elf.extend((BASE + HEADERS).to_le_bytes()); // entry
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
    elf.extend(code);
    elf
}

#[cfg(test)]
mod tests {
    use std::{
        io::Write,
        os::unix::{fs::OpenOptionsExt, process::ExitStatusExt},
    };

    use super::*;

    #[test]
    fn it_runs_until_it_is_killed() {
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
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
    }
}
