//! One connection: which HTTP it speaks, and how long it may take about it.

use std::{pin::pin, sync::Arc, time::Duration};

use emu_core::exchanges::Served;
use hyper::{
    server::conn::{http1, http2},
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::front::{Front, Source};

/// How long a client may take to say its first word, in real time.
const FIRST_BYTE: Duration = Duration::from_secs(60);
/// How long a client may take for a request's head, waiting between two requests included.
const HEAD: Duration = Duration::from_secs(60);
/// The largest head of a request.
const LARGEST_HEAD: usize = 128 * 1024;

/// Serves a connection until its end or until `stop`, when the answer under way is still finished.
pub(super) async fn serve(
    stream: Served,
    source: Source,
    front: Arc<Front>,
    stop: CancellationToken,
) {
    // Small answers are not to wait for more.
    let _ = stream.stream().set_nodelay(true);
    let http2 = tokio::select! {
        found = tokio::time::timeout(FIRST_BYTE, speaks_http2(stream.stream())) => match found {
            Ok(Ok(http2)) => http2,
            _ => return,
        },
        () = stop.cancelled() => return,
    };
    let service = service_fn(move |request| {
        let (front, source) = (Arc::clone(&front), source.clone());
        async move { front.answer(&source, request).await }
    });
    let io = TokioIo::new(stream);
    // How a connection ends is the client's affair: resets and garbage are not worth a word.
    if http2 {
        let connection = http2::Builder::new(TokioExecutor::new())
            .timer(TokioTimer::new())
            .keep_alive_interval(Some(HEAD))
            .max_header_list_size(LARGEST_HEAD as u32)
            .serve_connection(io, service);
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    } else {
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .half_close(true)
            .max_buf_size(LARGEST_HEAD)
            .serve_connection(io, service);
        let mut connection = pin!(connection);
        tokio::select! {
            _ = connection.as_mut() => return,
            () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
        }
        let _ = connection.await;
    }
}

/// HTTP/2 without TLS begins with `PRI * HTTP/2.0`; no method of HTTP/1.1 begins with `PR` here.
async fn speaks_http2(stream: &TcpStream) -> std::io::Result<bool> {
    let mut start = [0; 2];
    let n = stream.peek(&mut start).await?;
    Ok(start[..n] == *b"PR")
}
