//! The sockets: listeners that come and go, connections with time limits, an end without loose ends.

mod connection;
mod listener;

pub use listener::{Listener, ListenerId};

use std::{
    collections::HashMap,
    fmt, io,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use emu_cloud::Cloud;
use emu_core::exchanges::Served;
use tokio::runtime::Handle;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    control::{Control, Extension, Reset},
    fault::Faults,
    front::Front,
    throttle::Throttles,
};

/// The fake AWS on its sockets. Clones are the same gateway; the last one dropped closes it.
#[derive(Clone)]
pub struct Gateway(Arc<Inner>);

struct Inner {
    front: Arc<Front>,
    runtime: Handle,
    stop: CancellationToken,
    tasks: TaskTracker,
    listeners: Mutex<HashMap<ListenerId, (SocketAddr, CancellationToken)>>,
    last_id: AtomicU64,
    control_addr: Option<SocketAddr>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({:?})", self.0.control_addr)
    }
}

impl Gateway {
    /// Starts answering. Must be called within a Tokio runtime, which does the work.
    ///
    /// # Errors
    /// When a socket cannot be used, or there is no runtime.
    pub fn start(cloud: Arc<Cloud>, listeners: Vec<Listener>) -> io::Result<Self> {
        let runtime = Handle::try_current().map_err(io::Error::other)?;
        let control_addr = listeners
            .iter()
            .find(|listener| listener.control)
            .map(Listener::addr)
            .transpose()?;
        let faults = Faults::default();
        let gateway = Self(Arc::new(Inner {
            front: Arc::new(Front {
                control: Control::new(),
                throttles: Throttles::default(),
                faults,
                cloud,
            }),
            runtime,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            listeners: Mutex::default(),
            last_id: AtomicU64::new(0),
            control_addr,
        }));
        for listener in listeners {
            gateway.add(listener)?;
        }
        Ok(gateway)
    }

    /// The address of the first listener on which the control API can be reached: the emulator's endpoint.
    pub fn addr(&self) -> Option<SocketAddr> {
        self.0.control_addr
    }

    /// Takes a listener. May be called from any thread.
    ///
    /// # Errors
    /// When the socket cannot be used.
    pub fn add(&self, listener: Listener) -> io::Result<ListenerId> {
        let inner = &self.0;
        let addr = listener.addr()?;
        let id = ListenerId(inner.last_id.fetch_add(1, Relaxed) + 1);
        let stop = inner.stop.child_token();
        let task = {
            let _runtime = inner.runtime.enter();
            listener.serve(Arc::clone(&inner.front), stop.clone(), inner.tasks.clone())?
        };
        inner.tasks.spawn_on(task, &inner.runtime);
        self.listeners().insert(id, (addr, stop));
        Ok(id)
    }

    /// Serves a connection that was accepted elsewhere, such as in a pod's own network. May be called from any thread.
    pub fn serve(&self, stream: Served, pod: Option<emu_core::journal::PodRef>) {
        let inner = &self.0;
        let source = crate::front::Source {
            pod,
            control: false,
            peer: stream.stream().peer_addr().ok().map(|peer| peer.ip()),
        };
        let task = connection::serve(stream, source, Arc::clone(&inner.front), inner.stop.clone());
        inner.tasks.spawn_on(task, &inner.runtime);
    }

    /// Lets go of a listener and of its connections, each after the answer it is at. `false` if there is none.
    pub fn remove(&self, id: ListenerId) -> bool {
        match self.listeners().remove(&id) {
            Some((_, stop)) => {
                stop.cancel();
                true
            }
            None => false,
        }
    }

    /// Stops: no new connections, answers under way are finished, at most `within` of real time. `true` if all ended.
    pub async fn stop(&self, within: Duration) -> bool {
        self.0.stop.cancel();
        self.0.tasks.close();
        tokio::time::timeout(within, self.0.tasks.wait())
            .await
            .is_ok()
    }

    /// The faults of API calls.
    pub fn faults(&self) -> &Faults {
        &self.0.front.faults
    }

    /// The cloud behind it.
    pub fn cloud(&self) -> &Arc<Cloud> {
        &self.0.front.cloud
    }

    /// What `GET /_emu/ready` answers. Not ready until told so.
    pub fn set_ready(&self, ready: bool) {
        self.0.front.control.set_ready(ready);
    }

    /// What else is to be reset by `POST /_emu/reset`, after the cloud, the faults and the throttles.
    pub fn on_reset(&self, reset: Reset) {
        self.0.front.control.on_reset(reset);
    }

    /// Further requests of the control API: asked for whatever below `/_emu/` is not known here.
    pub fn extend(&self, extension: Extension) {
        self.0.front.control.extend(extension);
    }

    fn listeners(&self) -> MutexGuard<'_, HashMap<ListenerId, (SocketAddr, CancellationToken)>> {
        self.0
            .listeners
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}
