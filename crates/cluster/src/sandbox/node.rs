//! A node of the sandbox: its clock, its metadata, its agent and the agent's way to EKS Auth.

use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};

use emu_core::{Clock, Event, journal::PodRef};

use super::{
    agent::{Agent, Family, LastWords},
    config::{AgentKind, NodeSpec, SandboxConfig},
    faults::Faults,
    gate::{Door, Gate, Serve},
    imds::Metadata,
    isolation::Isolation,
    pod::Passed,
    programs::Spawner,
    real,
    relay::Route,
    relay::Target,
    twin,
};
use crate::{
    cluster::{AgentState, ClusterError, Result},
    fault::FaultPlace,
};

/// A node.
pub(super) struct Node {
    pub(super) spec: NodeSpec,
    pub(super) uid: String,
    /// Its clock, which may be off.
    pub(super) clock: Clock,
    pub(super) metadata: Arc<Metadata>,
    agent: RwLock<Option<Arc<dyn Agent>>>,
    state: Mutex<AgentState>,
    /// One start or stop at a time.
    turn: tokio::sync::Mutex<()>,
    /// The way to EKS Auth of the agent that runs.
    upstream: Mutex<Option<Arc<Gate>>>,
}

/// What starting an agent needs of its sandbox.
#[derive(Clone)]
pub(super) struct AgentNeeds {
    pub(super) config: Arc<SandboxConfig>,
    pub(super) isolation: Isolation,
    pub(super) faults: Arc<Faults>,
    pub(super) spawner: Arc<Spawner>,
    pub(super) group: Option<Arc<emu_vtime::Group>>,
    /// An empty directory.
    pub(super) empty: std::path::PathBuf,
    /// Called when an agent has ended by itself.
    pub(super) ended: Arc<dyn Fn(LastWords) + Send + Sync>,
}

impl Node {
    pub(super) fn new(spec: NodeSpec, config: &SandboxConfig) -> Self {
        let clock = config.clock.skewed(spec.clock_offset);
        let state = match spec.agent.kind {
            AgentKind::Absent => AgentState::Absent,
            _ => AgentState::Stopped,
        };
        Self {
            uid: config.ids.uuid().to_string(),
            metadata: Arc::new(Metadata::new(
                &spec.name,
                &config.region,
                clock.clone(),
                config.ids.clone(),
                Arc::clone(&config.node_credentials),
            )),
            clock,
            agent: RwLock::default(),
            state: Mutex::new(state),
            turn: tokio::sync::Mutex::default(),
            upstream: Mutex::default(),
            spec,
        }
    }

    pub(super) fn state(&self) -> AgentState {
        lock(&self.state).clone()
    }

    /// Whether the agent listens there now.
    pub(super) fn answers(&self, family: Family) -> bool {
        self.running().is_some_and(|a| a.answers(family))
    }

    /// Takes a pod's connections, if the agent runs.
    pub(super) async fn agent_target(
        &self,
        family: Family,
        pod: &PodRef,
    ) -> Option<Arc<dyn Target>> {
        let agent = self.running()?;
        match agent.target(family, pod).await {
            Ok(target) => Some(target),
            Err(e) => {
                tracing::warn!("no way to the agent of {}: {e}", self.spec.name);
                None
            }
        }
    }

    /// A pod is gone.
    pub(super) fn forget(&self, pod: &PodRef) {
        if let Some(agent) = self.running() {
            agent.forget(pod);
        }
    }

    fn running(&self) -> Option<Arc<dyn Agent>> {
        self.agent
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn set_running(&self, agent: Option<Arc<dyn Agent>>) -> Option<Arc<dyn Agent>> {
        let mut running = self.agent.write().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *running, agent)
    }

    /// Starts the agent, unless it runs. An agent that ends while it starts (a bind that fails, say) is no error of
    /// ours: the state says so.
    pub(super) async fn start_agent(&self, needs: AgentNeeds) -> Result<()> {
        let _turn = self.turn.lock().await;
        if self.running().is_some() {
            return Ok(());
        }
        let failed = |message: String| ClusterError::Agent {
            node: self.spec.name.clone(),
            message,
        };
        let journal = needs.config.journal.clone();
        let started = match &self.spec.agent.kind {
            AgentKind::Absent => return Err(failed("the node has none".into())),
            AgentKind::Twin => twin::start(self, &needs).await,
            AgentKind::Real(binary) => real::start(self, binary, &needs).await,
            AgentKind::Image(_) => {
                return Err(failed("an image runs on real clusters only".into()));
            }
        };
        match started.map_err(|e| failed(e.to_string()))? {
            Ok(up) => {
                if let Some((kind, version)) = up.started {
                    journal.record(Event::AgentStarted {
                        node: self.spec.name.clone(),
                        kind: kind.into(),
                        version,
                    });
                }
                *lock(&self.upstream) = Some(up.upstream);
                *lock(&self.state) = AgentState::Running;
                self.set_running(Some(up.agent));
            }
            Err(LastWords(words)) => self.ended(words, &needs.config),
        }
        Ok(())
    }

    /// The agent has ended by itself.
    pub(super) fn ended(&self, words: String, config: &SandboxConfig) {
        self.set_running(None);
        lock(&self.upstream).take();
        config.journal.record(Event::AgentStopped {
            node: self.spec.name.clone(),
            reason: words.clone(),
        });
        *lock(&self.state) = AgentState::Crashed(words);
    }

    /// Stops the agent, if it runs.
    pub(super) async fn stop_agent(&self, config: &SandboxConfig) {
        let _turn = self.turn.lock().await;
        let Some(agent) = self.set_running(None) else {
            return;
        };
        *lock(&self.state) = AgentState::Stopped;
        agent.stop().await;
        lock(&self.upstream).take();
        config.journal.record(Event::AgentStopped {
            node: self.spec.name.clone(),
            reason: "stopped".into(),
        });
    }

    /// Opens or shuts the agent's way to EKS Auth as the faults demand.
    pub(super) fn refresh_upstream(&self, faults: &Faults) -> io::Result<()> {
        match lock(&self.upstream).as_ref() {
            Some(gate) => gate.set(faults.door(&[self.upstream_place()])),
            None => Ok(()),
        }
    }

    fn upstream_place(&self) -> FaultPlace {
        FaultPlace::AgentToEksAuth(self.spec.name.clone())
    }

    /// What carries the agent's connections to the emulator.
    pub(super) fn upstream(&self, needs: &AgentNeeds) -> Serve {
        let route = Arc::new(Route {
            places: vec![self.upstream_place()],
            faults: Arc::clone(&needs.faults),
            clock: needs.config.clock.clone(),
        });
        let address = needs.config.emulator.address;
        Arc::new(move |arrival| {
            let route = Arc::clone(&route);
            tokio::spawn(async move { route.carry(arrival, &Passed(address)).await });
        })
    }

    /// A gate for the agent's way to the emulator, as open as the faults let it be.
    pub(super) fn upstream_gate(
        &self,
        socket: std::os::fd::OwnedFd,
        needs: &AgentNeeds,
    ) -> io::Result<Arc<Gate>> {
        let gate = Gate::new(socket, needs.config.clock.exchanges(), self.upstream(needs))?;
        let door: Door = needs.faults.door(&[self.upstream_place()]);
        gate.set(door)?;
        Ok(Arc::new(gate))
    }
}

/// An agent that has come up.
pub(super) struct Up {
    pub(super) agent: Arc<dyn Agent>,
    pub(super) upstream: Arc<Gate>,
    /// Its kind and version for the journal, unless it has written them itself.
    pub(super) started: Option<(&'static str, String)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
