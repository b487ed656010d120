//! A listener at the address by which a cluster reaches this machine. It stays while worlds come and go.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
};

use emu_core::exchanges::{Arrival, Exchanges};
use futures::future::BoxFuture;
use tokio::{net::TcpStream, sync::watch};

use crate::sandbox::gate::{Door, Gate, socket_on};

/// Serves one connection to its end.
pub(super) type Take = Arc<dyn Fn(TcpStream) -> BoxFuture<'static, ()> + Send + Sync>;

/// The listener; it refuses while nobody serves.
pub(super) struct Port {
    gate: Gate,
    slot: Arc<Slot>,
    /// The address that others use, where connections are carried here from another one.
    reached: Option<IpAddr>,
}

#[derive(Default)]
struct Slot {
    take: Mutex<Option<Take>>,
    /// Changes when open connections are to end.
    cut: watch::Sender<()>,
}

impl Port {
    /// Binds a free port of this address.
    pub(super) fn open(host: IpAddr) -> io::Result<Self> {
        let slot = Arc::<Slot>::default();
        let serving = Arc::clone(&slot);
        let serve = move |arrival: Arrival| {
            let stream = arrival.into_stream();
            let slot = Arc::clone(&serving);
            let take = slot
                .take
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .clone();
            let mut cut = slot.cut.subscribe();
            tokio::spawn(async move {
                let Some(take) = take else { return };
                tokio::select! {
                    () = take(stream) => {}
                    _ = cut.changed() => {}
                }
            });
        };
        let gate = Gate::new(socket_on(host)?, &Exchanges::default(), Arc::new(serve))?;
        Ok(Self {
            gate,
            slot,
            reached: None,
        })
    }

    /// The same for connections that come to another address, and are carried here with their port.
    pub(super) fn open_behind(reached: IpAddr, listen: IpAddr) -> io::Result<Self> {
        let mut port = Self::open(listen)?;
        port.reached = Some(reached);
        Ok(port)
    }

    /// Where others find it.
    pub(super) fn address(&self) -> SocketAddr {
        let here = self.gate.address();
        SocketAddr::new(self.reached.unwrap_or(here.ip()), here.port())
    }

    /// Serves connections from now on.
    pub(super) fn serve(&self, take: Take) -> io::Result<()> {
        *self
            .slot
            .take
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = Some(take);
        self.gate.set(Door::Open)
    }

    /// Opens or shuts it for those who come, and ends what is open.
    pub(super) fn set(&self, door: Door) -> io::Result<()> {
        let outcome = self.gate.set(door);
        self.slot.cut.send_replace(());
        outcome
    }

    /// Serves nobody any more.
    pub(super) fn close(&self) {
        *self
            .slot
            .take
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = None;
        // What cannot be shut is not served either.
        let _ = self.set(Door::Refuse);
    }
}

/// Carries a connection on to an address of this machine.
pub(super) fn pass_on(address: SocketAddr) -> Take {
    Arc::new(move |mut near| {
        Box::pin(async move {
            if let Ok(mut far) = TcpStream::connect(address).await {
                let _ = near.set_nodelay(true);
                let _ = far.set_nodelay(true);
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        })
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn it_refuses_until_it_serves_and_ends_what_is_open() {
        let port = Port::open(Ipv4Addr::LOCALHOST.into()).unwrap();
        assert!(TcpStream::connect(port.address()).await.is_err());
        let echo: Take = Arc::new(|mut stream| {
            Box::pin(async move {
                let mut buffer = [0; 4];
                while stream.read_exact(&mut buffer).await.is_ok() {
                    stream.write_all(&buffer).await.unwrap();
                }
            })
        });
        port.serve(Arc::clone(&echo)).unwrap();
        let mut stream = TcpStream::connect(port.address()).await.unwrap();
        let mut answer = [0; 4];
        stream.write_all(b"ping").await.unwrap();
        stream.read_exact(&mut answer).await.unwrap();
        port.close();
        assert!(matches!(stream.read(&mut answer).await, Ok(0) | Err(_)));
        assert!(TcpStream::connect(port.address()).await.is_err());
        port.serve(echo).unwrap();
        assert!(TcpStream::connect(port.address()).await.is_ok());
    }
}
