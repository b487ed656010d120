//! Programs that await an answer of ours: before the clock jumps, they must have it, or their time limits pass with it.
//!
//! A program that waits for an answer looks as much at rest as one that sleeps. Which of the two it is shows on our side
//! alone: a connection not accepted yet, bytes not read yet, a question not answered yet.

use std::{
    collections::HashMap,
    io::{self, IoSlice},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
};

/// How long an answer may be under way, in real time, before it counts as one that only a jump brings (a fault that lets
/// the client wait, say).
pub const PATIENCE: Duration = Duration::from_millis(400);

/// The exchanges that are under way between programs and the emulator. Clones are the same.
#[derive(Clone, Default)]
pub struct Exchanges(Arc<Inner>);

#[derive(Default)]
struct Inner {
    last_id: AtomicU64,
    /// Listeners that are being asked for a connection this moment.
    accepting: AtomicUsize,
    open: Mutex<HashMap<u64, Arc<Exchange>>>,
    waiting: Mutex<HashMap<u64, Waiting>>,
}

/// Tells whether a connection waits to be accepted.
type Waiting = Box<dyn Fn() -> bool + Send + Sync>;

/// One connection.
struct Exchange {
    /// The same socket once more, to look for bytes that nobody has read.
    socket: Option<std::net::TcpStream>,
    state: State,
}

struct State {
    /// Bytes are being read this moment.
    reading: AtomicBool,
    /// The client has said something and has not been answered.
    unanswered: AtomicBool,
    /// When that began.
    since: Mutex<Instant>,
}

impl State {
    fn new(unanswered: bool) -> Self {
        Self {
            reading: AtomicBool::new(false),
            unanswered: AtomicBool::new(unanswered),
            since: Mutex::new(Instant::now()),
        }
    }

    fn ask(&self) {
        *lock(&self.since) = Instant::now();
        self.unanswered.store(true, SeqCst);
    }

    fn answer(&self) {
        self.unanswered.store(false, SeqCst);
    }
}

impl Exchange {
    /// Whether the client awaits something that is on its way.
    fn is_under_way(&self) -> bool {
        // First the bytes, then who took them: what was read a moment ago is marked by now.
        let unread = self.socket.as_ref().is_some_and(has_unread);
        let state = &self.state;
        let asked = unread || state.reading.load(SeqCst) || state.unanswered.load(SeqCst);
        asked && lock(&state.since).elapsed() < PATIENCE
    }
}

fn has_unread(socket: &std::net::TcpStream) -> bool {
    matches!(socket.peek(&mut [0]), Ok(1))
}

impl Exchanges {
    /// Whether nobody awaits anything of ours. A program that was answered a moment ago may be about to ask again: look at
    /// the programs before and after.
    pub fn are_quiet(&self) -> bool {
        // In the order in which a connection passes through them, so that none slips by.
        let waits = lock(&self.0.waiting).values().any(|waits| waits());
        !waits
            && self.0.accepting.load(SeqCst) == 0
            && !lock(&self.0.open).values().any(|e| e.is_under_way())
    }

    /// Counts who waits at a listener, as `waits` tells, until the answer is dropped.
    pub fn listen(&self, waits: impl Fn() -> bool + Send + Sync + 'static) -> Listening {
        let id = self.id();
        lock(&self.0.waiting).insert(id, Box::new(waits));
        Listening {
            exchanges: self.clone(),
            id,
        }
    }

    /// Accepts a connection; from its first moment it is counted.
    ///
    /// # Errors
    /// Those of the socket.
    pub async fn accept(&self, listener: &TcpListener) -> io::Result<Arrival> {
        std::future::poll_fn(|cx| {
            self.0.accepting.fetch_add(1, SeqCst);
            let accepted = listener.poll_accept(cx);
            let outcome = accepted.map_ok(|(stream, _)| self.resume(stream));
            self.0.accepting.fetch_sub(1, SeqCst);
            outcome
        })
        .await
    }

    /// Counts a connection again that was not counted while its client had to wait.
    pub fn resume(&self, stream: TcpStream) -> Arrival {
        let exchange = Exchange {
            socket: None,
            state: State::new(true),
        };
        Arrival {
            stream,
            open: Some(self.open(exchange)),
        }
    }

    fn open(&self, exchange: Exchange) -> Open {
        let (id, exchange) = (self.id(), Arc::new(exchange));
        lock(&self.0.open).insert(id, Arc::clone(&exchange));
        Open {
            exchanges: self.clone(),
            id,
            exchange,
        }
    }

    fn id(&self) -> u64 {
        self.0.last_id.fetch_add(1, SeqCst)
    }
}

/// A listener that is looked at; see [`Exchanges::listen`].
pub struct Listening {
    exchanges: Exchanges,
    id: u64,
}

impl Drop for Listening {
    fn drop(&mut self) {
        lock(&self.exchanges.0.waiting).remove(&self.id);
    }
}

struct Open {
    exchanges: Exchanges,
    id: u64,
    exchange: Arc<Exchange>,
}

impl Drop for Open {
    fn drop(&mut self) {
        lock(&self.exchanges.0.open).remove(&self.id);
    }
}

/// A connection that has come and is not served yet. Made from a stream, it is one that nobody counts.
pub struct Arrival {
    /// The connection.
    pub stream: TcpStream,
    open: Option<Open>,
}

impl From<TcpStream> for Arrival {
    fn from(stream: TcpStream) -> Self {
        Self { stream, open: None }
    }
}

impl Arrival {
    /// Counts it no longer: the client is to wait.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Serves it: counted from each question to its answer.
    pub fn serve(self) -> Served {
        let Self { stream, open } = self;
        let open = open.map(|arrived| {
            use std::os::fd::AsFd;
            // Without a second descriptor, what is not read yet is not seen; the rest is.
            let socket = stream.as_fd().try_clone_to_owned().ok();
            let watched = arrived.exchanges.open(Exchange {
                socket: socket.map(Into::into),
                state: State::new(false),
            });
            drop(arrived);
            watched
        });
        Served { stream, open }
    }
}

/// A served connection, counted as long as a question is not answered.
pub struct Served {
    stream: TcpStream,
    open: Option<Open>,
}

impl Served {
    /// The connection beneath.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    fn state(&self) -> Option<&State> {
        self.open.as_ref().map(|open| &open.exchange.state)
    }

    fn wrote(&self, outcome: &Poll<io::Result<usize>>, given: usize) {
        let Some(state) = self.state() else { return };
        match outcome {
            Poll::Ready(Ok(n)) if *n < given => state.ask(),
            Poll::Ready(_) => state.answer(),
            // There is more to come, as soon as the client has read what it has.
            Poll::Pending => state.ask(),
        }
    }
}

impl From<TcpStream> for Served {
    fn from(stream: TcpStream) -> Self {
        Self { stream, open: None }
    }
}

impl AsyncRead for Served {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if let Some(state) = this.state() {
            state.reading.store(true, SeqCst);
        }
        let outcome = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if let Some(state) = this.state() {
            if buffer.filled().len() > before {
                state.ask();
            }
            state.reading.store(false, SeqCst);
        }
        outcome
    }
}

impl AsyncWrite for Served {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.wrote(&outcome, bytes.len());
        outcome
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_write_vectored(cx, bytes);
        this.wrote(&outcome, bytes.iter().map(|b| b.len()).sum());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let outcome = Pin::new(&mut this.stream).poll_shutdown(cx);
        if let Some(state) = this.state() {
            state.answer();
        }
        outcome
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    /// A client's side and ours.
    async fn pair(exchanges: &Exchanges) -> (TcpStream, Arrival) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (client, arrival) =
            tokio::join!(TcpStream::connect(address), exchanges.accept(&listener));
        (client.unwrap(), arrival.unwrap())
    }

    #[tokio::test]
    async fn from_the_question_to_the_answer_it_is_not_quiet() {
        let exchanges = Exchanges::default();
        assert!(exchanges.are_quiet());
        let (mut client, arrival) = pair(&exchanges).await;
        assert!(!exchanges.are_quiet(), "nobody serves it yet");
        let mut served = arrival.serve();
        assert!(exchanges.are_quiet(), "nothing was asked");

        for _ in 0..2 {
            client.write_all(b"question").await.unwrap();
            served.stream().readable().await.unwrap();
            assert!(!exchanges.are_quiet(), "asked and not read");
            served.read_exact(&mut [0; 8]).await.unwrap();
            assert!(!exchanges.are_quiet(), "read and not answered");
            served.write_all(b"answer").await.unwrap();
            assert!(exchanges.are_quiet(), "answered");
        }

        client.write_all(b"question").await.unwrap();
        served.read_exact(&mut [0; 8]).await.unwrap();
        drop(served);
        assert!(exchanges.are_quiet(), "hung up on");
    }

    #[tokio::test]
    async fn who_is_made_to_wait_is_not_counted() {
        let exchanges = Exchanges::default();
        let (mut client, arrival) = pair(&exchanges).await;
        client.write_all(b"question").await.unwrap();
        let _stream = arrival.into_stream();
        assert!(exchanges.are_quiet());

        let (_client, _never_served) = pair(&exchanges).await;
        assert!(!exchanges.are_quiet());
        let patience_ends = async {
            while !exchanges.are_quiet() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE * 10, patience_ends)
            .await
            .unwrap();
    }

    #[tokio::test]
    async fn who_waits_at_the_door_is_counted() {
        let exchanges = Exchanges::default();
        let waits = Arc::new(AtomicBool::new(true));
        let seen = Arc::clone(&waits);
        let listening = exchanges.listen(move || seen.load(SeqCst));
        assert!(!exchanges.are_quiet());
        waits.store(false, SeqCst);
        assert!(exchanges.are_quiet());
        waits.store(true, SeqCst);
        drop(listening);
        assert!(exchanges.are_quiet());
    }
}
