//! Our own agent on a node.

use std::{
    collections::HashMap,
    io,
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use emu_agent::{
    Endpoint, KeySource, ListenerId, NodeKeys, NodeKeysError, SdkSettings, Twin, TwinConfig,
    TwinError, TwinListener,
};
use emu_core::journal::PodRef;

use super::{
    agent::{Agent, Family, LastWords, bound},
    config::NodeCredentials,
    gate::loopback_socket,
    node::{AgentNeeds, Node, Up},
    pod::Passed,
    relay::Target,
    space,
};
use crate::token::TokenIssuer;

/// Starts the twin. It dies as Amazon's agent does where it cannot bind what it wants to bind.
pub(super) async fn start(node: &Node, needs: &AgentNeeds) -> io::Result<Result<Up, LastWords>> {
    let spec = &node.spec.agent;
    let families = bound(&spec.bind_hosts);
    if families.contains(&Family::V6) && !(node.spec.ipv6 && space::has_ipv6()) {
        return Ok(Err(LastWords(format!(
            "Unable to start server: listen tcp {}:{}: bind: cannot assign requested address",
            Family::V6.host(),
            spec.port
        ))));
    }
    let config = &needs.config;
    let upstream = node.upstream_gate(loopback_socket()?, needs)?;
    let endpoint = Endpoint::Environment(format!("http://{}", upstream.address()));
    let credentials = Arc::new(Keys {
        node: node.spec.name.clone(),
        allowed: node.spec.imds.is_none_or(|imds| imds.enabled),
        source: Arc::clone(&config.node_credentials),
    });
    let mut twin = TwinConfig::new(&config.name, endpoint, credentials);
    twin.sdk = SdkSettings::new(&config.region);
    twin.settings = spec
        .settings
        .clone()
        .unwrap_or_else(|| config.agent.clone());
    twin.sdk.max_attempts = twin.settings.max_attempts;
    twin.clock = node.clock.clone();
    twin.journal = Some(config.journal.clone());
    twin.node = node.spec.name.clone();
    twin.keys = Some(Arc::new(KeySet(Arc::clone(&config.issuer))));
    let twin = match Twin::start(twin) {
        Ok(twin) => Arc::new(twin),
        Err(e @ TwinError::RenewalTooSlow { .. }) => {
            return Ok(Err(LastWords(format!("panic: {e}"))));
        }
        Err(e) => return Err(io::Error::other(e)),
    };
    let (weak, ended) = (Arc::downgrade(&twin), Arc::clone(&needs.ended));
    let watch = tokio::spawn(async move {
        if let Some(twin) = weak.upgrade() {
            let crashed = twin.crashed();
            ended(LastWords(format!("panic: {}", crashed.await)));
        }
    });
    Ok(Ok(Up {
        agent: Arc::new(OnNode {
            twin: Mutex::new(Some(twin)),
            families,
            doors: Mutex::default(),
            watch: watch.abort_handle(),
        }),
        upstream,
        // It writes its own start into the journal.
        started: None,
    }))
}

/// The twin and, for each pod, a socket through which that pod's connections reach it: so it knows whose they are.
struct OnNode {
    twin: Mutex<Option<Arc<Twin>>>,
    families: Vec<Family>,
    doors: Mutex<HashMap<(PodRef, Family), (ListenerId, SocketAddr)>>,
    watch: tokio::task::AbortHandle,
}

#[async_trait]
impl Agent for OnNode {
    fn answers(&self, family: Family) -> bool {
        self.families.contains(&family)
    }

    async fn target(&self, family: Family, pod: &PodRef) -> io::Result<Arc<dyn Target>> {
        let mut doors = lock(&self.doors);
        let key = (pod.clone(), family);
        if let Some((_, address)) = doors.get(&key) {
            return Ok(Arc::new(Passed(*address)));
        }
        let twin = lock(&self.twin).clone();
        let twin = twin.ok_or(io::ErrorKind::ConnectionRefused)?;
        let socket = TcpListener::bind("127.0.0.1:0")?;
        let address = socket.local_addr()?;
        let id = twin.add_listener(TwinListener {
            socket,
            address: family.host().into(),
            pod: Some(pod.clone()),
        })?;
        doors.insert(key, (id, address));
        Ok(Arc::new(Passed(address)))
    }

    fn forget(&self, pod: &PodRef) {
        let mut doors = lock(&self.doors);
        for family in [Family::V4, Family::V6] {
            if let Some((id, _)) = doors.remove(&(pod.clone(), family))
                && let Some(twin) = lock(&self.twin).as_ref()
            {
                twin.remove_listener(id);
            }
        }
    }

    async fn stop(&self) {
        self.watch.abort();
        lock(&self.doors).clear();
        // Dropped, it stops at once.
        drop(lock(&self.twin).take());
    }
}

impl Drop for OnNode {
    fn drop(&mut self) {
        self.watch.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The node's keys, which a node gets from its metadata.
struct Keys {
    node: String,
    allowed: bool,
    source: Arc<dyn NodeCredentials>,
}

#[async_trait]
impl emu_agent::NodeCredentials for Keys {
    async fn keys(&self) -> Result<NodeKeys, NodeKeysError> {
        // The texts of the SDK's chain; inferred for a node without a role.
        const NO_ROLE: &str = "no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error \
                               StatusCode: 404, request to EC2 IMDS failed";
        const TURNED_OFF: &str = "no EC2 IMDS role found, operation error ec2imds: GetMetadata, http response error \
                                  StatusCode: 403, request to EC2 IMDS failed";
        if !self.allowed {
            return Err(NodeKeysError(TURNED_OFF.into()));
        }
        let keys = self.source.keys(&self.node).await;
        let keys = keys.ok_or_else(|| NodeKeysError(NO_ROLE.into()))?;
        Ok(NodeKeys {
            access_key_id: keys.access_key_id,
            secret_access_key: keys.secret_access_key,
            session_token: keys.session_token,
        })
    }
}

/// The cluster's public keys, for the profiles that check tokens themselves.
struct KeySet(Arc<TokenIssuer>);

#[async_trait]
impl KeySource for KeySet {
    async fn key_set(&self) -> Result<String, String> {
        Ok(self.0.key_set())
    }
}
