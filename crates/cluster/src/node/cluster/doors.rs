//! Listeners inside the node whose connections this process serves, each known by the pod it comes from.

use std::{io, net::SocketAddr, os::fd::OwnedFd, sync::Arc};

use emu_core::{
    exchanges::{Arrival, Exchanges, Listening},
    journal::PodRef,
};
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::{kubernetes::inhabitants::Inhabitants, sandbox::gate::somebody_waits};

/// Takes a connection, and the pod it comes from where that is known.
pub(super) type Take = Arc<dyn Fn(Arrival, Option<PodRef>) + Send + Sync>;

/// An open listener; dropping it closes it.
pub(super) struct Door(JoinHandle<()>, #[expect(dead_code)] Listening);

impl Door {
    pub(super) fn open(
        listener: std::net::TcpListener,
        exchanges: &Exchanges,
        inhabitants: Arc<Inhabitants>,
        take: Take,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let again = OwnedFd::from(listener.try_clone()?);
        let listening = exchanges.listen(move || somebody_waits(&again));
        let exchanges = exchanges.clone();
        let listener = TcpListener::from_std(listener)?;
        let task = tokio::spawn(async move {
            loop {
                match exchanges.accept(&listener).await {
                    Ok(arrival) => {
                        let peer = arrival.stream.peer_addr();
                        let pod = peer.ok().and_then(|peer| inhabitants.at(peer.ip()));
                        take(arrival, pod);
                    }
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept inside the node");
                        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    }
                }
            }
        });
        Ok(Self(task, listening))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Carries a connection on to an address of this machine.
pub(super) fn pass_on(address: SocketAddr) -> Take {
    Arc::new(move |arrival, _| {
        let mut near = arrival.serve();
        tokio::spawn(async move {
            if let Ok(mut far) = TcpStream::connect(address).await {
                let _ = near.stream().set_nodelay(true);
                let _ = far.set_nodelay(true);
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        });
    })
}
