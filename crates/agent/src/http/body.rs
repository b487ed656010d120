//! Request bodies: never looked at, but read away so that the connection can be used again.

use tokio::{io::AsyncReadExt, net::TcpStream};

use super::request::BodyLength;

/// Go reads at most this much of a body nobody asked for.
const MAX_DISCARD: u64 = 256 << 10;

/// What became of the body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Discarded {
    /// Read to its end.
    Done,
    /// Too long, broken or cut off: the connection cannot be used again.
    Lost,
}

/// The part of a connection that has been received but not used.
pub(super) struct Incoming<'a> {
    pub(super) stream: &'a mut TcpStream,
    pub(super) buffer: &'a mut Vec<u8>,
}

impl Incoming<'_> {
    async fn fill(&mut self) -> bool {
        matches!(self.stream.read_buf(self.buffer).await, Ok(1..))
    }

    async fn take(&mut self, mut count: u64) -> bool {
        loop {
            let here = count.min(self.buffer.len() as u64);
            self.buffer.drain(..here as usize);
            count -= here;
            if count == 0 {
                return true;
            }
            if !self.fill().await {
                return false;
            }
        }
    }

    async fn line(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.buffer.iter().position(|&c| c == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=at).collect();
                line.pop();
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                return Some(line);
            }
            if self.buffer.len() > 4_096 || !self.fill().await {
                return None;
            }
        }
    }
}

/// Reads a body away.
pub(super) async fn discard(mut incoming: Incoming<'_>, length: BodyLength) -> Discarded {
    let done = match length {
        BodyLength::Known(length) if length >= MAX_DISCARD => false,
        BodyLength::Known(length) => incoming.take(length).await,
        BodyLength::Chunked => chunks(&mut incoming).await.is_some(),
    };
    if done {
        Discarded::Done
    } else {
        Discarded::Lost
    }
}

async fn chunks(incoming: &mut Incoming<'_>) -> Option<()> {
    let mut total = 0;
    loop {
        let line = incoming.line().await?;
        let size = line.split(|&c| c == b';').next()?.trim_ascii();
        let size = std::str::from_utf8(size)
            .ok()
            .filter(|s| !s.starts_with('+'))?;
        let size = u64::from_str_radix(size, 16).ok()?;
        if size == 0 {
            // Trailers, up to the empty line.
            while !incoming.line().await?.is_empty() {}
            return Some(());
        }
        total += size;
        if total > MAX_DISCARD || !incoming.take(size).await || !incoming.line().await?.is_empty() {
            return None;
        }
    }
}
