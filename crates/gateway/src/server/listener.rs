//! One listening socket.

use std::{
    future::Future,
    io,
    net::{SocketAddr, TcpListener, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use emu_core::journal::PodRef;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::connection;
use crate::front::{Front, Source};

/// A socket to answer on, and what is known of whoever connects to it.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    pub(super) pod: Option<PodRef>,
    pub(super) control: bool,
}

/// Names a listener of a running gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListenerId(pub(super) u64);

impl Listener {
    /// A socket on the outside: the services and the control API.
    pub fn control(socket: TcpListener) -> Self {
        Self {
            socket,
            pod: None,
            control: true,
        }
    }

    /// A socket for the services alone, such as that of a node.
    pub fn services(socket: TcpListener) -> Self {
        Self {
            socket,
            pod: None,
            control: false,
        }
    }

    /// A socket inside a pod: the services alone, and whoever connects is that pod.
    pub fn pod(socket: TcpListener, pod: PodRef) -> Self {
        Self {
            socket,
            pod: Some(pod),
            control: false,
        }
    }

    /// The same, with or without the control API.
    #[must_use]
    pub fn with_control(mut self, allowed: bool) -> Self {
        self.control = allowed;
        self
    }

    /// Opens a socket on the outside.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn bind(addr: impl ToSocketAddrs) -> io::Result<Self> {
        TcpListener::bind(addr).map(Self::control)
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the socket does not know.
    pub fn addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The task that accepts connections until `stop`. Must be called within the runtime.
    pub(super) fn serve(
        self,
        front: Arc<Front>,
        stop: CancellationToken,
        tasks: TaskTracker,
    ) -> io::Result<impl Future<Output = ()> + Send + 'static> {
        self.socket.set_nonblocking(true)?;
        let socket = tokio::net::TcpListener::from_std(self.socket)?;
        let source = Source {
            pod: self.pod,
            control: self.control,
            peer: None,
        };
        Ok(async move {
            loop {
                let accepted = tokio::select! {
                    accepted = socket.accept() => accepted,
                    () = stop.cancelled() => return,
                };
                match accepted {
                    Ok((stream, peer)) => {
                        let source = Source {
                            peer: Some(peer.ip()),
                            ..source.clone()
                        };
                        tasks.spawn(connection::serve(
                            stream.into(),
                            source,
                            Arc::clone(&front),
                            stop.clone(),
                        ));
                    }
                    // Out of descriptors, or the peer left already: the socket itself is well.
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(20)).await;
                    }
                }
            }
        })
    }
}
