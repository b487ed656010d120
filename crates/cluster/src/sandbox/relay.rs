//! Carries connections on, with what faults do to them.

use std::{io, sync::Arc, time::Duration};

use async_trait::async_trait;
use emu_core::{Clock, exchanges::Arrival};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
};

use super::faults::Faults;
use crate::fault::{FaultPlace, NetworkFaultKind};

/// A two-way stream of bytes.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Wire for T {}

/// What stands at the far end.
#[async_trait]
pub(crate) trait Target: Send + Sync {
    /// Serves one connection to its end.
    async fn serve(&self, wire: Box<dyn Wire>) -> io::Result<()>;
}

/// One piece of the network.
pub(crate) struct Route {
    /// Where faults may lie on it, the nearest first.
    pub(crate) places: Vec<FaultPlace>,
    pub(crate) faults: Arc<Faults>,
    pub(crate) clock: Clock,
}

impl Route {
    /// Carries one connection to `target`.
    pub(crate) async fn carry(&self, arrival: Arrival, target: &dyn Target) {
        let mut changes = self.faults.changes();
        changes.mark_unchanged();
        let _ = arrival.stream.set_nodelay(true);
        let outcome = match self.faults.strike(&self.places) {
            Some(NetworkFaultKind::Refuse | NetworkFaultKind::Reset) => reset(&arrival.stream),
            Some(NetworkFaultKind::Blackhole) => swallow(&mut arrival.into_stream()).await,
            Some(NetworkFaultKind::Answer {
                status,
                body,
                content_type,
            }) => answer(&mut arrival.into_stream(), status, &content_type, &body).await,
            Some(NetworkFaultKind::Latency(wait)) => {
                let stream = arrival.into_stream();
                let mut timer = self.clock.timer();
                timer.sleep(wait.get()).await;
                let served = self.clock.exchanges().resume(stream).serve();
                drop(timer);
                target.serve(Box::new(served)).await
            }
            Some(NetworkFaultKind::Truncate(bytes)) => cut(arrival, target, Some(bytes)).await,
            Some(NetworkFaultKind::LoseAnswer) => cut(arrival, target, None).await,
            None => {
                // A fault that comes later cuts what runs.
                tokio::select! {
                    outcome = target.serve(Box::new(arrival.serve())) => outcome,
                    _ = changes.changed() => Ok(()),
                }
            }
        };
        if let Err(e) = outcome {
            tracing::debug!("a connection broke: {e}");
        }
    }
}

/// Copies both ways until both are done.
pub(crate) async fn copy(mut a: Box<dyn Wire>, mut b: TcpStream) -> io::Result<()> {
    let _ = b.set_nodelay(true);
    tokio::io::copy_bidirectional(&mut a, &mut b)
        .await
        .map(drop)
}

/// Makes the other side see "connection reset by peer" when the stream is dropped.
pub(crate) fn reset(stream: &TcpStream) -> io::Result<()> {
    stream.set_zero_linger()
}

/// Reads what comes and never answers.
async fn swallow(stream: &mut TcpStream) -> io::Result<()> {
    tokio::io::copy(stream, &mut tokio::io::sink())
        .await
        .map(drop)
}

/// Reads one request's head and gives an answer of one's own.
async fn answer(
    stream: &mut TcpStream,
    status: u16,
    content_type: &str,
    body: &str,
) -> io::Result<()> {
    let mut head = Vec::new();
    let mut buffer = [0; 2048];
    while !head.windows(4).any(|w| w == b"\r\n\r\n") && head.len() < 65_536 {
        match stream.read(&mut buffer).await? {
            0 => return Ok(()),
            n => head.extend_from_slice(&buffer[..n]),
        }
    }
    let reason = http::StatusCode::from_u16(status)
        .ok()
        .and_then(|s| s.canonical_reason())
        .unwrap_or("Unknown");
    let text = format!(
        "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await?;
    stream.shutdown().await?;
    // What is still on the way is read, or the answer could be lost to a reset.
    let rest = swallow(stream);
    let _ = tokio::time::timeout(Duration::from_secs(1), rest).await;
    Ok(())
}

/// Serves the connection, but lets only so many bytes of the answer through; without a number, none, once it is there.
async fn cut(mut arrival: Arrival, target: &dyn Target, bytes: Option<u64>) -> io::Result<()> {
    let stream = &mut arrival.stream;
    let (near, far) = tokio::io::duplex(64 * 1024);
    let between = async {
        let (mut from_far, mut to_far) = tokio::io::split(near);
        let (mut from_pod, mut to_pod) = stream.split();
        let back = async {
            match bytes {
                Some(bytes) => {
                    let mut some = (&mut from_far).take(bytes);
                    tokio::io::copy(&mut some, &mut to_pod).await.map(drop)
                }
                None => from_far.read(&mut [0; 1]).await.map(drop),
            }
        };
        tokio::select! {
            done = back => done,
            // Ends only with an error: a client that has sent all waits for its answer.
            broken = async {
                tokio::io::copy(&mut from_pod, &mut to_far).await?;
                std::future::pending::<io::Result<()>>().await
            } => broken,
        }
    };
    // When the target is done it lets go of its end, and `between` comes to its own.
    let served = async {
        target.serve(Box::new(far)).await?;
        std::future::pending::<io::Result<()>>().await
    };
    let outcome = tokio::select! {
        done = between => done,
        broken = served => broken,
    };
    match bytes {
        Some(_) => stream.shutdown().await?,
        None => reset(stream)?,
    }
    outcome
}
