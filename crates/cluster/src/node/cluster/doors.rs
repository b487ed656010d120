//! Listeners inside the node whose connections this process serves, each known by the pod it comes from.

use std::{io, net::SocketAddr, sync::Arc};

use emu_core::journal::PodRef;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};

use crate::kubernetes::inhabitants::Inhabitants;

/// Takes a connection, and the pod it comes from where that is known.
pub(super) type Take = Arc<dyn Fn(TcpStream, Option<PodRef>) + Send + Sync>;

/// An open listener; dropping it closes it.
pub(super) struct Door(JoinHandle<()>);

impl Door {
    pub(super) fn open(
        listener: std::net::TcpListener,
        inhabitants: Arc<Inhabitants>,
        take: Take,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let listener = TcpListener::from_std(listener)?;
        let task = tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, peer)) => take(stream, inhabitants.at(peer.ip())),
                    Err(error) => {
                        tracing::warn!(%error, "cannot accept inside the node");
                        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    }
                }
            }
        });
        Ok(Self(task))
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Carries a connection on to an address of this machine.
pub(super) fn pass_on(address: SocketAddr) -> Take {
    Arc::new(move |mut near, _| {
        tokio::spawn(async move {
            if let Ok(mut far) = TcpStream::connect(address).await {
                let _ = near.set_nodelay(true);
                let _ = far.set_nodelay(true);
                let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
            }
        });
    })
}
