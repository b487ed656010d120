//! One connection after another, one request after another.

use std::{future::Future, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{Instant, timeout, timeout_at},
};

use super::{
    Cancel, Request, Response,
    body::{self, Discarded, Incoming},
    request::{self, BodyLength, Expect, Refusal},
    response::{self, reason},
    route::{Route, Routes},
};

/// Go's limit on a head: 1 MiB and one buffer.
const MAX_HEAD: usize = (1 << 20) + 4_096;
/// How long a request may take to arrive, a reply to be taken, and a connection may be idle. Real time: it guards
/// against slow peers.
const PATIENCE: Duration = Duration::from_secs(30);

/// What answers requests.
pub(crate) trait Handler: Send + Sync + 'static {
    /// The paths it serves.
    fn routes(&self) -> &Routes;

    /// The wall clock, in seconds since 1970.
    fn now(&self) -> i64;

    /// Answers a request for the path with that index. `cancel` fires when the client hangs up.
    fn handle(
        &self,
        route: usize,
        request: &Request<'_>,
        peer: SocketAddr,
        cancel: &Cancel,
    ) -> impl Future<Output = Response> + Send;

    /// Told of a request that no path serves or that was redirected.
    fn unrouted(&self, _request: &Request<'_>, _response: &Response) {}
}

/// A listener that is being served. Dropping it stops it at once.
#[derive(Debug)]
pub(crate) struct Server {
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Stops accepting, closes what is idle, and waits for what is being answered.
    pub(crate) async fn shut_down(
        mut self,
        limit: Duration,
    ) -> Result<(), tokio::time::error::Elapsed> {
        self.stop.send_replace(true);
        timeout(limit, &mut self.task).await.map(|_| ())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Serves a listener. `tag` comes back with every request.
pub(crate) fn serve<H: Handler>(listener: TcpListener, handler: Arc<H>) -> Server {
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(accept(listener, handler, stopped));
    Server { stop, task }
}

async fn accept<H: Handler>(
    listener: TcpListener,
    handler: Arc<H>,
    mut stopped: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    let for_connections = stopped.clone();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    let _ = stream.set_nodelay(true);
                    let connection = Connection {
                        stream,
                        peer,
                        handler: Arc::clone(&handler),
                        stopped: for_connections.clone(),
                    };
                    connections.spawn(connection.run());
                }
                // Out of descriptors, say: wait for one of ours to close rather than spin.
                Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
            },
            Some(_) = connections.join_next() => {}
            () = stop(&mut stopped) => break,
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

/// As much as a head may take.
fn within_limit(buffer: &[u8]) -> &[u8] {
    &buffer[..buffer.len().min(MAX_HEAD)]
}

/// Resolves when the server is to stop.
async fn stop(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

struct Connection<H> {
    stream: TcpStream,
    peer: SocketAddr,
    handler: Arc<H>,
    stopped: watch::Receiver<bool>,
}

impl<H: Handler> Connection<H> {
    async fn run(mut self) {
        let mut buffer = Vec::new();
        let mut out = Vec::new();
        let mut after_post = false;
        let mut deadline = Instant::now() + PATIENCE;
        loop {
            let at_end = match self.head(&mut buffer, after_post, deadline).await {
                Some(at_end) => at_end,
                None => return,
            };
            let request = match request::parse(within_limit(&buffer)) {
                Ok(request) => request,
                Err(refusal) => {
                    let refusal = match refusal {
                        Refusal::Incomplete if at_end => Refusal::Status(400, None),
                        Refusal::Incomplete => Refusal::Status(431, None),
                        other => other,
                    };
                    self.refuse(&refusal).await;
                    return;
                }
            };
            after_post = request.method == "POST";
            out.clear();
            let mut background = None;
            let response = if request.expect == Expect::Other {
                let mut response = Response::empty(417);
                response.close = true;
                response
            } else {
                match self.handler.routes().find(&request) {
                    Route::Handler(route) => self.answer(route, &request, &mut background).await,
                    Route::Answer(response) => {
                        self.handler.unrouted(&request, &response);
                        response
                    }
                }
            };
            if response.abort {
                return;
            }
            let (length, body, expect) = (request.length, request.body, request.expect);
            let mut keep = !*self.stopped.borrow();
            let mut leftover = None;
            if body != BodyLength::Known(0) {
                if expect == Expect::Continue {
                    // The body was never asked for, so nobody knows whether it will come.
                    keep = false;
                } else if keep && !request.close && !response.close {
                    // Go reads the body before it replies, so that a client that sends first and reads later gets on.
                    let mut rest = buffer[length..].to_vec();
                    let incoming = Incoming {
                        stream: &mut self.stream,
                        buffer: &mut rest,
                    };
                    let discarded = timeout_at(deadline, body::discard(incoming, body)).await;
                    keep = discarded == Ok(Discarded::Done);
                    leftover = Some(rest);
                }
            }
            let reuse = response::write(&mut out, &response, &request, keep, self.handler.now());
            if !matches!(
                timeout(PATIENCE, self.stream.write_all(&out)).await,
                Ok(Ok(()))
            ) {
                return;
            }
            if !reuse {
                self.close().await;
                return;
            }
            match leftover {
                Some(rest) => buffer = rest,
                None => drop(buffer.drain(..length)),
            }
            buffer.extend(background);
            deadline = Instant::now() + PATIENCE;
        }
    }

    /// Reads until a head is there, complete or beyond repair. `Some(true)` if the client has closed its side, nothing
    /// if there is nobody to reply to.
    async fn head(
        &mut self,
        buffer: &mut Vec<u8>,
        after_post: bool,
        deadline: Instant,
    ) -> Option<bool> {
        let mut strip = if after_post { 4 } else { 0 };
        loop {
            // Some old clients send a line break too much after a POST.
            while strip > 0 && matches!(buffer.first(), Some(b'\r' | b'\n')) {
                buffer.remove(0);
                strip -= 1;
            }
            if !matches!(
                request::parse(within_limit(buffer)),
                Err(Refusal::Incomplete)
            ) || buffer.len() >= MAX_HEAD
            {
                return Some(false);
            }
            let read = tokio::select! {
                biased;
                read = self.stream.read_buf(buffer) => read,
                () = stop(&mut self.stopped), if buffer.is_empty() => return None,
                () = tokio::time::sleep_until(deadline) => return None,
            };
            match read {
                Ok(0) if buffer.is_empty() => return None,
                Ok(0) => return Some(true),
                Ok(_) => {}
                Err(_) => return None,
            }
        }
    }

    /// Lets the handler answer, and watches for the client to hang up meanwhile.
    async fn answer(
        &mut self,
        route: usize,
        request: &Request<'_>,
        background: &mut Option<u8>,
    ) -> Response {
        let cancel = Cancel::default();
        let mut answer = pin!(self.handler.handle(route, request, self.peer, &cancel));
        if request.body == BodyLength::Known(0) && request.length > 0 {
            let mut byte = [0];
            tokio::select! {
                biased;
                response = &mut answer => return response,
                read = self.stream.read(&mut byte) => match read {
                    Ok(1..) => *background = Some(byte[0]),
                    _ => cancel.cancel(),
                },
            }
        }
        answer.await
    }

    async fn refuse(&mut self, refusal: &Refusal) {
        const HEADERS: &str =
            "\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\r\n";
        let text = match refusal {
            Refusal::TransferEncoding => {
                format!("HTTP/1.1 501 Not Implemented{HEADERS}Unsupported transfer encoding")
            }
            Refusal::Status(status, text) => {
                let reason = reason(*status);
                let text = text.map(|text| format!(": {text}")).unwrap_or_default();
                format!("HTTP/1.1 {status} {reason}{text}{HEADERS}{status} {reason}{text}")
            }
            Refusal::Incomplete => return,
        };
        if self.stream.write_all(text.as_bytes()).await.is_ok() {
            self.close().await;
        }
    }

    /// Closes so that the client can still read what it was sent.
    async fn close(&mut self) {
        let _ = self.stream.shutdown().await;
        let mut sink = [0; 1_024];
        let drained = async { while matches!(self.stream.read(&mut sink).await, Ok(1..)) {} };
        let _ = timeout(Duration::from_millis(500), drained).await;
    }
}
