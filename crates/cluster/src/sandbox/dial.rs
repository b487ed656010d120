//! Connections that begin inside a space.

use std::{
    io,
    net::SocketAddr,
    os::fd::OwnedFd,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::net::{TcpSocket, TcpStream};

use super::space::Space;

/// How many sockets are made at once: each time costs a process.
const BATCH: usize = 16;

/// Connects from within a space; without one, from this process's own network.
pub(super) struct Dialer {
    space: Option<Arc<Space>>,
    sockets: Mutex<[Vec<OwnedFd>; 2]>,
}

impl Dialer {
    pub(super) fn new(space: Option<Arc<Space>>) -> Self {
        Self {
            space,
            sockets: Mutex::default(),
        }
    }

    pub(super) async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let Some(space) = &self.space else {
            return TcpStream::connect(address).await;
        };
        let family = usize::from(address.is_ipv6());
        let kept = self.lock()[family].pop();
        let socket = match kept {
            Some(socket) => socket,
            None => {
                let space = Arc::clone(space);
                let ipv6 = address.is_ipv6();
                let mut made =
                    tokio::task::spawn_blocking(move || space.sockets(ipv6, BATCH)).await??;
                let one = made.pop().ok_or(io::ErrorKind::UnexpectedEof)?;
                self.lock()[family].append(&mut made);
                one
            }
        };
        TcpSocket::from_std_stream(socket.into())
            .connect(address)
            .await
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, [Vec<OwnedFd>; 2]> {
        self.sockets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
