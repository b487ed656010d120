//! Sockets and programs inside the node's network, made from the outside.
//!
//! A socket belongs to the network namespace in which it was made, whoever uses it afterwards. So a short-lived thread
//! enters the namespace, makes the socket and ends; the socket is then used like any other.

use std::{
    fs::File,
    io,
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    process::{Child, Command},
    sync::Arc,
    time::Duration,
};

use nix::sched::{CloneFlags, setns, unshare};

/// The namespaces of a node, held open by descriptors that keep no process alive.
#[derive(Debug, Clone)]
pub struct Inside {
    net: Arc<File>,
    mnt: Arc<File>,
    pid: Arc<File>,
    cgroup: Arc<File>,
}

impl Inside {
    /// Those of a process.
    ///
    /// # Errors
    /// When the process is gone or may not be looked at.
    pub fn of(pid: i32) -> io::Result<Self> {
        let open = |kind: &str| File::open(format!("/proc/{pid}/ns/{kind}")).map(Arc::new);
        Ok(Self {
            net: open("net")?,
            mnt: open("mnt")?,
            pid: open("pid")?,
            cgroup: open("cgroup")?,
        })
    }

    /// Runs `work` on a thread of its own inside the network namespace.
    ///
    /// # Errors
    /// Those of `work`, and of entering.
    pub fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let net = Arc::clone(&self.net);
        on_thread(move || {
            setns(&*net, CloneFlags::CLONE_NEWNET)?;
            work()
        })
    }

    /// A listener inside the node, to be used from the outside.
    ///
    /// # Errors
    /// Those of binding.
    pub fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        self.run(move || TcpListener::bind(address))
    }

    /// A connection made inside the node, to be used from the outside.
    ///
    /// # Errors
    /// Those of connecting.
    pub fn connect(&self, address: SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        self.run(move || TcpStream::connect_timeout(&address, timeout))
    }

    /// Starts a program inside the network and mount namespaces (its process stays outside of the node's process
    /// namespace): `ip`, `iptables`, `tc`.
    ///
    /// # Errors
    /// Those of entering and starting.
    pub fn spawn(&self, mut command: Command) -> io::Result<Child> {
        let (net, mnt) = (Arc::clone(&self.net), Arc::clone(&self.mnt));
        on_thread(move || {
            // A thread may enter a mount namespace only with a working directory of its own.
            unshare(CloneFlags::CLONE_FS)?;
            setns(&*net, CloneFlags::CLONE_NEWNET)?;
            setns(&*mnt, CloneFlags::CLONE_NEWNS)?;
            command.process_group(0).spawn()
        })
    }

    /// Runs `spawn` where the processes it starts are processes of the node, in all of its namespaces.
    ///
    /// # Errors
    /// Those of `spawn`, and of entering.
    pub(crate) fn among_its_processes<T: Send + 'static>(
        &self,
        spawn: impl FnOnce() -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let inside = self.clone();
        on_thread(move || {
            unshare(CloneFlags::CLONE_FS)?;
            setns(&*inside.net, CloneFlags::CLONE_NEWNET)?;
            setns(&*inside.cgroup, CloneFlags::CLONE_NEWCGROUP)?;
            // This thread stays where it is; its children are born there.
            setns(&*inside.pid, CloneFlags::CLONE_NEWPID)?;
            setns(&*inside.mnt, CloneFlags::CLONE_NEWNS)?;
            spawn()
        })
    }
}

fn on_thread<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    std::thread::Builder::new()
        .name("emu-inside".into())
        .spawn(work)?
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread inside the node panicked")))
}
