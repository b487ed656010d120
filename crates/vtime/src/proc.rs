//! What `/proc` says of traced programs.

use std::fs;

/// The value of one line of a `/proc/.../status`-like text.
pub(crate) fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(str::trim)
}

fn status(tid: i32) -> Option<String> {
    fs::read_to_string(format!("/proc/{tid}/status")).ok()
}

/// The threads of a process; none when it is gone.
pub(crate) fn threads_of(pid: i32) -> Vec<i32> {
    fs::read_dir(format!("/proc/{pid}/task"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect()
}

/// The process that a thread belongs to; the thread itself when it is gone.
pub(crate) fn process_of(tid: i32) -> i32 {
    status(tid)
        .and_then(|s| field(&s, "Tgid")?.parse().ok())
        .unwrap_or(tid)
}

/// Who traces a process already; 0: nobody.
pub(crate) fn tracer_of(pid: i32) -> i32 {
    status(pid)
        .and_then(|s| field(&s, "TracerPid")?.parse().ok())
        .unwrap_or(0)
}

/// A process's name as the kernel knows it.
pub(crate) fn name_of(pid: i32) -> String {
    fs::read_to_string(format!("/proc/{pid}/comm"))
        .map(|s| s.trim().to_owned())
        .unwrap_or_default()
}

/// Whether a thread has ended, though nobody has been told yet.
pub(crate) fn is_dead(tid: i32) -> bool {
    status(tid).is_none_or(|s| field(&s, "State").is_none_or(|state| state.starts_with(['Z', 'X'])))
}

/// How a thread is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Activity {
    /// It sleeps until something wakes it (or is stopped, or has ended).
    pub(crate) blocked: bool,
    /// How often it has given up the processor so far.
    pub(crate) switches: u64,
}

/// How a thread is doing now; a thread that is gone is blocked for good.
pub(crate) fn activity(tid: i32) -> Activity {
    let Some(text) = status(tid) else {
        return Activity {
            blocked: true,
            switches: 0,
        };
    };
    let count = |name| {
        field(&text, name)
            .and_then(|n| n.parse::<u64>().ok())
            .unwrap_or(0)
    };
    Activity {
        blocked: field(&text, "State")
            .is_none_or(|state| state.starts_with(['S', 'T', 'Z', 'X', 'I'])),
        switches: count("voluntary_ctxt_switches") + count("nonvoluntary_ctxt_switches"),
    }
}

/// The signals, as bits, for which a program has a handler.
pub(crate) fn caught_signals(tid: i32) -> u64 {
    status(tid)
        .and_then(|s| u64::from_str_radix(field(&s, "SigCgt")?, 16).ok())
        .unwrap_or(0)
}

/// The address of a program's vDSO, from its auxiliary vector.
pub(crate) fn vdso_address(pid: i32) -> Option<u64> {
    const AT_SYSINFO_EHDR: u64 = 33;
    let auxv = fs::read(format!("/proc/{pid}/auxv")).ok()?;
    auxv.chunks_exact(16).find_map(|entry| {
        let (key, value) = entry.split_at(8);
        (u64::from_ne_bytes(key.try_into().ok()?) == AT_SYSINFO_EHDR)
            .then(|| value.try_into().ok().map(u64::from_ne_bytes))?
    })
}

/// The POSIX timers of a process: id and clock.
pub(crate) fn posix_timers(pid: i32) -> Vec<(i32, i32)> {
    let text = fs::read_to_string(format!("/proc/{pid}/timers")).unwrap_or_default();
    let mut timers = Vec::new();
    let mut id = None;
    for line in text.lines() {
        if let Some(n) = line.strip_prefix("ID:") {
            id = n.trim().parse().ok();
        } else if let Some(clock) = line.strip_prefix("ClockID:") {
            timers.extend(id.take().zip(clock.trim().parse().ok()));
        }
    }
    timers
}

/// What `fdinfo` says of a timer descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct TimerFdInfo {
    pub(crate) clock: i32,
    /// Expirations that nobody has read yet.
    pub(crate) ticks: i64,
    /// The flags it was armed with.
    pub(crate) flags: i32,
}

/// Reads `fdinfo` of descriptor `fd` of a process or thread.
pub(crate) fn timerfd_info(pid: i32, fd: i32) -> Option<TimerFdInfo> {
    let text = fs::read_to_string(format!("/proc/{pid}/fdinfo/{fd}")).ok()?;
    Some(TimerFdInfo {
        clock: field(&text, "clockid")?.parse().ok()?,
        ticks: field(&text, "ticks")?.parse().ok()?,
        flags: field(&text, "settime flags")
            .and_then(|f| i32::from_str_radix(f, 8).ok())
            .unwrap_or(0),
    })
}

/// The numbers of a process's timer descriptors.
pub(crate) fn timerfds(pid: i32) -> Vec<i32> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else {
        return Vec::new();
    };
    entries
        .flatten()
        .filter(|e| {
            fs::read_link(e.path()).is_ok_and(|to| to.as_os_str() == "anon_inode:[timerfd]")
        })
        .filter_map(|e| e.file_name().to_str()?.parse().ok())
        .collect()
}
