//! What twins on a cluster's nodes tell the emulator of: one event of the journal a line.

use std::time::Duration;

use emu_core::{Event, Journal, journal::Entry};
use tokio::{
    io::{AsyncBufReadExt as _, BufReader},
    net::TcpStream,
};

/// The variable that tells a twin where to send its events, `HOST:PORT`.
pub(crate) const WHERE: &str = "EMU_AGENT_EVENTS";
/// The variable that tells a twin its node.
pub(crate) const NODE: &str = "EMU_AGENT_NODE";
/// How long what a twin tells may be on its way, in real time.
const TOLD: Duration = Duration::from_secs(1);

/// Writes down what one twin tells, until it ends. Nodes are named as `name` has it.
pub(crate) async fn record(stream: TcpStream, journal: &Journal, name: impl Fn(&str) -> String) {
    let mut lines = BufReader::new(stream).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(mut event) = serde_json::from_str(&line) else {
            continue;
        };
        match &mut event {
            Event::AgentRequest { node, .. } => *node = name(node),
            Event::Log { node, .. } => *node = node.as_deref().map(&name),
            // Nothing else is a twin's to tell.
            _ => continue,
        }
        journal.record(event);
    }
}

/// A twin tells of a request as it answers it, on another way: waits until one that is later than `before` is here too.
pub(crate) async fn until_told(journal: &Journal, before: u64) {
    let mut written = journal.subscribe();
    let told = async {
        loop {
            written.mark_unchanged();
            let new = journal.since(before);
            let is_request = |entry: &Entry| matches!(entry.event, Event::AgentRequest { .. });
            if new.iter().any(|entry| is_request(entry)) || written.changed().await.is_err() {
                return;
            }
        }
    };
    // One that was restarted meanwhile tells nothing.
    let _ = tokio::time::timeout(TOLD, told).await;
}
