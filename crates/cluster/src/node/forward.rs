//! TCP connections carried between the host and the inside of a node by tasks of ours.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinSet,
};

use super::netns::Inside;

/// How long a connection to the target may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Where a forwarder connects to.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// An address of the host.
    Host(SocketAddr),
    /// An address inside the node.
    Inside(Inside, SocketAddr),
}

/// What a forwarder does to connections on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LinkFault {
    /// Nothing.
    #[default]
    None,
    /// Closes each connection at once; those that are open as well.
    Refuse,
    /// Accepts and never answers; open connections carry nothing more.
    Drop,
    /// Waits this long before it connects.
    Latency(Duration),
}

/// A running forwarder; dropping it closes its listener and its connections.
#[derive(Debug)]
pub struct Forward {
    address: SocketAddr,
    fault: watch::Sender<LinkFault>,
    connections: Arc<AtomicU64>,
    task: tokio::task::JoinHandle<()>,
}

impl Forward {
    pub(crate) fn start(listener: std::net::TcpListener, target: Target) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let listener = TcpListener::from_std(listener)?;
        let (fault, faults) = watch::channel(LinkFault::None);
        let connections = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(accept(listener, target, faults, Arc::clone(&connections)));
        Ok(Self {
            address,
            fault,
            connections,
            task,
        })
    }

    /// Where it listens: on the host or inside the node, as it was made.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How many connections it has accepted.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Relaxed)
    }

    /// Disturbs it, or with [`LinkFault::None`] lets it work again. Open connections notice as well.
    pub fn disturb(&self, fault: LinkFault) {
        self.fault.send_replace(fault);
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: Target,
    faults: watch::Receiver<LinkFault>,
    connections: Arc<AtomicU64>,
) {
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.fetch_add(1, Ordering::Relaxed);
                    running.spawn(carry(stream, target.clone(), faults.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "forwarder cannot accept");
                    tokio::task::yield_now().await;
                }
            },
            Some(_) = running.join_next(), if !running.is_empty() => {}
        }
    }
}

async fn carry(mut near: TcpStream, target: Target, mut faults: watch::Receiver<LinkFault>) {
    let fault = *faults.borrow_and_update();
    match fault {
        LinkFault::None => {}
        LinkFault::Refuse => return reset(&near),
        LinkFault::Drop => return hold(near, faults).await,
        LinkFault::Latency(time) => tokio::time::sleep(time).await,
    }
    let far = match target {
        Target::Host(address) => tokio::time::timeout(CONNECT, TcpStream::connect(address))
            .await
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())),
        Target::Inside(inside, address) => {
            let made = tokio::task::spawn_blocking(move || {
                let stream = inside.connect(address, CONNECT)?;
                stream.set_nonblocking(true)?;
                Ok(stream)
            })
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)));
            made.and_then(TcpStream::from_std)
        }
    };
    let mut far = match far {
        Ok(far) => far,
        Err(error) => {
            tracing::debug!(%error, "forwarder cannot connect");
            return reset(&near);
        }
    };
    let _ = near.set_nodelay(true);
    let _ = far.set_nodelay(true);
    tokio::select! {
        _ = copy_bidirectional(&mut near, &mut far) => {}
        fault = cut(&mut faults) => match fault {
            LinkFault::Drop => hold(near, faults).await,
            _ => reset(&near),
        }
    }
}

/// Resolves when an open connection must stop carrying.
async fn cut(faults: &mut watch::Receiver<LinkFault>) -> LinkFault {
    match faults
        .wait_for(|fault| matches!(fault, LinkFault::Refuse | LinkFault::Drop))
        .await
    {
        Ok(fault) => *fault,
        Err(_) => LinkFault::Refuse,
    }
}

/// Keeps a connection open and silent until the fault is over, then resets it.
async fn hold(near: TcpStream, mut faults: watch::Receiver<LinkFault>) {
    let _ = faults.wait_for(|fault| *fault != LinkFault::Drop).await;
    reset(&near);
}

/// Makes the peer see a reset rather than an orderly end.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    async fn echo() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    #[tokio::test]
    async fn carries_and_is_disturbed() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let forward = Forward::start(listener, Target::Host(echo().await)).unwrap();
        let mut stream = TcpStream::connect(forward.address()).await.unwrap();
        stream.write_all(b"ping").await.unwrap();
        let mut answer = [0; 4];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"ping");
        forward.disturb(LinkFault::Refuse);
        assert!(matches!(stream.read(&mut answer).await, Ok(0) | Err(_)));
        forward.disturb(LinkFault::None);
        let mut stream = TcpStream::connect(forward.address()).await.unwrap();
        stream.write_all(b"pong").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"pong");
        assert_eq!(forward.connections(), 2);
    }
}
