//! The stub: a small piece of code that is written into the zero padding at the end of a program's vDSO.
//! It calls the kernel's own clock functions and adds the offset kept beside it.
//!
//! Header (written by the tracer), then code, all relative to the instruction pointer:
//!
//! | offset | what |
//! |---|---|
//! | 0x00 | magic |
//! | 0x08 | wall offset: seconds, nanoseconds |
//! | 0x18 | monotonic offset: seconds, nanoseconds |
//! | 0x28 | address of the kernel's `clock_gettime` |
//! | 0x30 | address of the kernel's `gettimeofday` |
//! | 0x38 | watch: when not 0, every clock read tells the tracer first |

// `global_asm!` counts as unsafe code: the text below defines two read-only symbols and nothing else.
#![allow(unsafe_code)]

use std::arch::global_asm;

/// Where the offsets are: four words.
pub(crate) const OFFSETS: u64 = 0x08;
/// Where the address of the kernel's `clock_gettime` goes.
pub(crate) const KERNEL_CLOCK_GETTIME: usize = 0x28;
/// Where the address of the kernel's `gettimeofday` goes.
pub(crate) const KERNEL_GETTIMEOFDAY: usize = 0x30;
/// Where the watch word is.
pub(crate) const WATCH: u64 = 0x38;

global_asm!(
    r#"
    .pushsection .rodata.emu_vtime_stub, "a", @progbits
    .balign 64
    .globl emu_vtime_stub
    .hidden emu_vtime_stub
emu_vtime_stub:
    .ascii "VTIME1\0\0"
.Lvt_real_sec:  .quad 0
.Lvt_real_nsec: .quad 0
.Lvt_mono_sec:  .quad 0
.Lvt_mono_nsec: .quad 0
.Lvt_orig_cgt:  .quad 0
.Lvt_orig_gtod: .quad 0
.Lvt_watch:     .quad 0

.Lvt_cgt:                       # int clock_gettime(clockid_t edi, struct timespec *rsi)
    cmpl $0, .Lvt_watch(%rip)
    jne  8f
7:  push %rsi
    push %rdi
    sub  $8, %rsp
    call *.Lvt_orig_cgt(%rip)
    add  $8, %rsp
    pop  %rdi
    pop  %rsi
    test %eax, %eax
    jnz  9f
    cmp  $11, %edi
    ja   9f
    mov  $0x921, %ecx           # REALTIME 0, REALTIME_COARSE 5, REALTIME_ALARM 8, TAI 11
    bt   %edi, %ecx
    jc   1f
    mov  $0x2d2, %ecx           # MONOTONIC 1, RAW 4, COARSE 6, BOOTTIME 7, BOOTTIME_ALARM 9
    bt   %edi, %ecx
    jnc  9f
.Lvt_mono_1:
    mov  .Lvt_mono_sec(%rip), %rcx
.Lvt_mono_2:
    mov  .Lvt_mono_nsec(%rip), %rdx
.Lvt_mono_3:
    jmp  .Lvt_add
1:
.Lvt_real_1:
    mov  .Lvt_real_sec(%rip), %rcx
.Lvt_real_2:
    mov  .Lvt_real_nsec(%rip), %rdx
.Lvt_add:
    add  8(%rsi), %rdx
    cmp  $1000000000, %rdx
    jb   3f
    sub  $1000000000, %rdx
    inc  %rcx
3:  mov  %rdx, 8(%rsi)
    add  %rcx, (%rsi)
9:  ret
.Lvt_tell:
8:  push %rdi                   # tell the tracer: a raw clock read that the filter hands to it
    push %rsi
    mov  $228, %eax
    mov  $1, %edi
    xor  %esi, %esi
    syscall
.Lvt_told:
    pop  %rsi
    pop  %rdi
    jmp  7b

    .balign 16
.Lvt_gtod:                      # int gettimeofday(struct timeval *rdi, struct timezone *rsi)
    push %rdi
    push %rsi
    test %rsi, %rsi             # a time zone is wanted: let the kernel's function fill it
    jz   1f
    sub  $8, %rsp
    call *.Lvt_orig_gtod(%rip)
    add  $8, %rsp
1:  pop  %rsi
    pop  %rdi
    test %rdi, %rdi
    jz   8f
    push %rdi
    sub  $16, %rsp
    xor  %edi, %edi
    mov  %rsp, %rsi
    call .Lvt_cgt
.Lvt_gtod_read:
    pop  %rcx
    pop  %rax
    pop  %rdi
    mov  %rcx, (%rdi)
    mov  $1000, %ecx
    xor  %edx, %edx
    div  %rcx
    mov  %rax, 8(%rdi)
8:  xor  %eax, %eax
    ret

    .balign 16
.Lvt_time:                      # time_t time(time_t *rdi)
    push %rdi
    sub  $16, %rsp
    xor  %edi, %edi
    mov  %rsp, %rsi
    call .Lvt_cgt
.Lvt_time_read:
    pop  %rax
    pop  %rcx
    pop  %rdi
    test %rdi, %rdi
    jz   1f
    mov  %rax, (%rdi)
1:  ret
    .balign 32
.Lvt_end:
    .globl emu_vtime_stub_marks
    .hidden emu_vtime_stub_marks
emu_vtime_stub_marks:
    .long .Lvt_end - emu_vtime_stub
    .long .Lvt_cgt - emu_vtime_stub
    .long .Lvt_gtod - emu_vtime_stub
    .long .Lvt_time - emu_vtime_stub
    .long .Lvt_mono_1 - emu_vtime_stub
    .long .Lvt_mono_2 - emu_vtime_stub
    .long .Lvt_real_1 - emu_vtime_stub
    .long .Lvt_real_2 - emu_vtime_stub
    .long .Lvt_told - emu_vtime_stub
    .long .Lvt_mono_3 - emu_vtime_stub
    .long .Lvt_add - emu_vtime_stub
    .long .Lvt_tell - emu_vtime_stub
    .long .Lvt_gtod_read - emu_vtime_stub
    .long .Lvt_time_read - emu_vtime_stub
    .popsection
"#,
    options(att_syntax)
);

/// Offsets of places in the stub, from its first byte.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Marks {
    /// Length; the scratch slots begin here.
    pub(crate) len: u64,
    /// Our `clock_gettime`.
    pub(crate) clock_gettime: u64,
    /// Our `gettimeofday`.
    pub(crate) gettimeofday: u64,
    /// Our `time`.
    pub(crate) time: u64,
    /// Between the two loads of an offset (second load, first load): a thread stopped at the second goes back to
    /// the first, or it would add the seconds of one offset and the nanoseconds of another.
    pub(crate) torn: [(u64, u64); 2],
    /// After the system call that tells of a watched clock read.
    pub(crate) told: u64,
    /// Where an offset has been read already, so that the reading is one from before a jump.
    pub(crate) read: [(u64, u64); 4],
}

/// How many numbers the table of marks holds.
pub(crate) const MARKS: usize = 14;

/// The stub's bytes, as they are before the tracer fills in the header.
pub(crate) fn bytes() -> &'static [u8] {
    crate::sys::stub_bytes(marks().len as usize)
}

/// The places in the stub.
pub(crate) fn marks() -> Marks {
    let [
        len,
        cgt,
        gtod,
        time,
        mono_1,
        mono_2,
        real_1,
        real_2,
        told,
        mono_3,
        add,
        tell,
        gtod_read,
        time_read,
    ] = crate::sys::stub_marks().map(u64::from);
    Marks {
        len,
        clock_gettime: cgt,
        gettimeofday: gtod,
        time,
        torn: [(mono_2, mono_1), (real_2, real_1)],
        told,
        read: [
            (mono_3, real_1),
            (add, tell),
            (gtod_read, time),
            (time_read, len),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stub_is_small_and_starts_with_its_magic() {
        let bytes = bytes();
        assert_eq!(&bytes[..8], b"VTIME1\0\0");
        assert!(bytes.len() < 512, "{} bytes", bytes.len());
        assert_eq!(marks().clock_gettime, 0x40);
    }
}
