//! What the twin writes down, sent to the emulator that installed it: events of the journal, one JSON object a line.

use std::time::Duration;

use emu_core::{Clock, Journal};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// The variable that names the emulator's listener, `HOST:PORT`.
const WHERE: &str = "EMU_AGENT_EVENTS";
/// The variable that names the node.
const NODE: &str = "EMU_AGENT_NODE";
/// How many events are kept while the emulator is away.
const KEPT: usize = 1_000;
/// How long to wait, in real time, before connecting again.
const AGAIN: Duration = Duration::from_millis(200);

/// A journal whose events are sent on, and the node's name, if somebody asked for them.
pub(super) fn journal(clock: &Clock) -> Option<(Journal, String)> {
    let address = super::set(WHERE)?;
    let journal = Journal::new(clock.clone(), KEPT);
    tokio::spawn(send(address, journal.clone()));
    Some((journal, super::set(NODE).unwrap_or_default()))
}

async fn send(address: String, journal: Journal) {
    let mut written = journal.subscribe();
    let mut sent = 0;
    loop {
        if let Ok(mut stream) = TcpStream::connect(&address).await {
            let _ = stream.set_nodelay(true);
            loop {
                written.mark_unchanged();
                let mut lines = String::new();
                let mut last = sent;
                for entry in journal.since(sent) {
                    last = entry.seq;
                    if let Ok(line) = serde_json::to_string(&entry.event) {
                        lines.push_str(&line);
                        lines.push('\n');
                    }
                }
                if stream.write_all(lines.as_bytes()).await.is_err() {
                    break;
                }
                sent = last;
                // The emulator says nothing; it hangs up when a world ends, and what is written then is lost.
                let mut nothing = [0; 1];
                tokio::select! {
                    changed = written.changed() => if changed.is_err() { return },
                    _ = stream.read(&mut nothing) => break,
                }
            }
        }
        // The emulator is between two worlds, or gone.
        tokio::time::sleep(AGAIN).await;
    }
}
