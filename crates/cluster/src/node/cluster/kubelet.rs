//! Whether the kubelet is at work.
//!
//! After a jump it finds its runtime silent for hours and skips its work: it sleeps for 0.1 s, looks again, sleeps for 0.2 s
//! and so on up to 5 s. A next jump before it has found its runtime would make it sleep ever longer. Its log tells of each
//! sleep, and its health check whether it has done a round since the jump.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::{Duration, Instant},
};

use crate::node::netns::Inside;

/// What it writes when it goes to sleep (Kubernetes 1.24 to 1.36).
const SKIPS: &str = "Skipping pod synchronization";
/// Its first sleep; each is twice as long as the one before.
const SLEEP: Duration = Duration::from_millis(100);
const LONGEST_SLEEP: Duration = Duration::from_secs(5);
/// What it takes to wake and look.
const LOOK: Duration = Duration::from_millis(5);
/// Where its health check answers, inside the node.
const HEALTH: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 10248);
const ANSWER: Duration = Duration::from_millis(500);

/// What is known of the kubelet since the last jump.
pub(super) struct Kubelet {
    log: PathBuf,
    read: u64,
    sleeps: u32,
    asleep_until: Instant,
}

impl Kubelet {
    pub(super) fn new(log: PathBuf) -> Self {
        let mut kubelet = Self {
            log,
            read: 0,
            sleeps: 0,
            asleep_until: Instant::now(),
        };
        kubelet.forget();
        kubelet
    }

    /// A jump is about to come.
    pub(super) fn forget(&mut self) {
        self.read = self.log.metadata().map_or(0, |log| log.len());
        self.sleeps = 0;
        self.asleep_until = Instant::now();
    }

    /// Whether it works, or does not run at all.
    pub(super) fn is_awake(&mut self, inside: &Inside) -> bool {
        let healthy = match health(inside) {
            Ok(healthy) => healthy,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return true,
            Err(_) => false,
        };
        // What it writes right after the round that the check saw.
        std::thread::sleep(LOOK);
        // No log, no sleeps that could be known of.
        let _ = self.read_on();
        healthy && Instant::now() >= self.asleep_until
    }

    fn read_on(&mut self) -> io::Result<()> {
        let mut log = File::open(&self.log)?;
        log.seek(SeekFrom::Start(self.read))?;
        let mut text = Vec::new();
        log.read_to_end(&mut text)?;
        let whole = text.iter().rposition(|b| *b == b'\n').map_or(0, |n| n + 1);
        self.read += whole as u64;
        let text = String::from_utf8_lossy(&text[..whole]);
        for _ in text.lines().filter(|line| line.contains(SKIPS)) {
            let sleep = SLEEP.saturating_mul(1 << self.sleeps.min(10));
            self.sleeps += 1;
            self.asleep_until = Instant::now() + sleep.min(LONGEST_SLEEP) + LOOK;
        }
        Ok(())
    }
}

/// The kubelet's health check: that its last round was not long ago.
fn health(inside: &Inside) -> io::Result<bool> {
    let mut stream = inside.connect(HEALTH, ANSWER)?;
    stream.set_read_timeout(Some(ANSWER))?;
    stream.write_all(b"GET /healthz HTTP/1.0\r\n\r\n")?;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer)?;
    Ok(answer.ends_with(b" 200"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_sleep_is_twice_as_long() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kubelet.log");
        std::fs::write(&path, format!("{SKIPS} long ago\n")).unwrap();
        let mut kubelet = Kubelet::new(path.clone());
        let append = |text: &str| {
            let mut log = File::options().append(true).open(&path).unwrap();
            log.write_all(text.as_bytes()).unwrap();
        };
        kubelet.read_on().unwrap();
        assert_eq!(kubelet.sleeps, 0, "from before the jump");
        append(&format!("E1125 \"{SKIPS}\"\nE1125 \"Skipping"));
        kubelet.read_on().unwrap();
        assert_eq!(kubelet.sleeps, 1);
        append(" pod synchronization\"\n");
        let start = Instant::now();
        kubelet.read_on().unwrap();
        assert_eq!(kubelet.sleeps, 2);
        assert!(kubelet.asleep_until >= start + 2 * SLEEP);
        kubelet.forget();
        assert!(kubelet.sleeps == 0 && kubelet.asleep_until <= Instant::now());
    }
}
