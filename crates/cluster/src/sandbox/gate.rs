//! A listening socket of a pod that is open, refuses, or swallows everything.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::fd::{AsFd, OwnedFd},
    sync::{Arc, Mutex, PoisonError},
};

use emu_core::exchanges::{Arrival, Exchanges, Listening};
use tokio::{net::TcpListener, task::AbortHandle};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use super::space;

/// What a gate does with those who come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// They are served.
    Open,
    /// Connection refused.
    Refuse,
    /// Their packets vanish.
    Blackhole,
}

/// Takes accepted connections.
pub(crate) type Serve = Arc<dyn Fn(Arrival) + Send + Sync>;

/// A bound socket. Dropping it closes it.
pub(crate) struct Gate {
    socket: OwnedFd,
    address: SocketAddr,
    serve: Serve,
    state: Mutex<State>,
    exchanges: Exchanges,
    _listening: Listening,
}

struct State {
    door: Option<Door>,
    accepting: Option<AbortHandle>,
}

impl Gate {
    /// A gate for a bound socket; it refuses until it is told otherwise.
    pub(crate) fn new(socket: OwnedFd, exchanges: &Exchanges, serve: Serve) -> io::Result<Self> {
        let address = std::net::TcpListener::from(socket.try_clone()?).local_addr()?;
        let again = socket.try_clone()?;
        Ok(Self {
            _listening: exchanges.listen(move || somebody_waits(&again)),
            exchanges: exchanges.clone(),
            socket,
            address,
            serve,
            state: Mutex::new(State {
                door: None,
                accepting: None,
            }),
        })
    }

    /// The address it is bound to.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Opens or shuts it. Must be called within a runtime.
    pub(crate) fn set(&self, door: Door) -> io::Result<()> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.door == Some(door) {
            return Ok(());
        }
        let socket = self.socket.as_fd();
        match door {
            Door::Refuse => {
                // One that never listened refuses already; shut down, it would hand its end of reading on to what it
                // accepts later.
                if let Some(accepting) = state.accepting.take() {
                    accepting.abort();
                    space::refuse_connections(socket)?;
                }
                space::set_blackhole(socket, false)?;
            }
            Door::Open | Door::Blackhole => {
                space::set_blackhole(socket, door == Door::Blackhole)?;
                if state.accepting.is_none() {
                    space::start_listening(socket)?;
                    let listener = TcpListener::from_std(self.socket.try_clone()?.into())?;
                    let (exchanges, serve) = (self.exchanges.clone(), Arc::clone(&self.serve));
                    let task = tokio::spawn(accept(listener, exchanges, serve));
                    state.accepting = Some(task.abort_handle());
                }
            }
        }
        state.door = Some(door);
        Ok(())
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some(accepting) = state.accepting.take() {
            accepting.abort();
        }
    }
}

/// A socket on a free loopback port of this machine, not yet listening.
pub(crate) fn loopback_socket() -> io::Result<OwnedFd> {
    socket_on(Ipv4Addr::LOCALHOST.into())
}

/// A socket on a free port of an address of this machine, not yet listening.
pub(crate) fn socket_on(address: IpAddr) -> io::Result<OwnedFd> {
    loop {
        let found = std::net::TcpListener::bind((address, 0))?.local_addr()?;
        // Bound by number: a port the kernel chose is lost when the socket refuses for a while.
        match bind_to(found) {
            Err(e) if e.kind() == io::ErrorKind::AddrInUse => {}
            other => return other,
        }
    }
}

fn bind_to(address: SocketAddr) -> io::Result<OwnedFd> {
    use nix::sys::socket::{
        AddressFamily, SockFlag, SockType, SockaddrStorage, bind, setsockopt, socket,
        sockopt::ReuseAddr,
    };
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::Inet,
        SocketAddr::V6(_) => AddressFamily::Inet6,
    };
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let fd = socket(family, SockType::Stream, flags, None)?;
    // Or it could not listen again while connections it had are still remembered.
    setsockopt(&fd, ReuseAddr, &true)?;
    let address = SockaddrStorage::from(address);
    bind(std::os::fd::AsRawFd::as_raw_fd(&fd), &address)?;
    Ok(fd)
}

/// Whether a connection is there that nobody has accepted.
pub(crate) fn somebody_waits(socket: &OwnedFd) -> bool {
    let mut looked_at = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    let found = poll(&mut looked_at, PollTimeout::ZERO).is_ok_and(|n| n > 0);
    // One that was shut down, or never listened, is "ready" as well, but has hung up.
    found && looked_at[0].revents() == Some(PollFlags::POLLIN)
}

async fn accept(listener: TcpListener, exchanges: Exchanges, serve: Serve) {
    loop {
        match exchanges.accept(&listener).await {
            Ok(arrival) => serve(arrival),
            // The gate was shut.
            Err(e) if e.raw_os_error() == Some(libc::EINVAL) => return,
            Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(e) => {
                // Out of descriptors, most likely: let others finish first.
                tracing::warn!("cannot accept: {e}");
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        }
    }
}
