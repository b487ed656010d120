//! What a node cluster does: its listeners inside the node, its agent, requests from pods, faults.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::Arc,
};

use emu_core::{Event, journal::MutationReason};
use emu_webhook::SKIP_LABEL;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::io::AsyncWriteExt;

use super::{
    World,
    agent::Agent,
    barrier, detour,
    doors::{self, Door, pass_on},
    lock, node_id, processes,
};
use crate::{
    cluster::{AgentState, ClusterError, Result},
    fault::{FaultPlace, NetworkFault, WebhookFaultKind},
    fetch::{FetchRequest, FetchResponse},
    kubernetes::admission::{Admission, AdmissionConfig, Identity},
    node::{Inward, netns::Inside},
    sandbox::{
        fetch::{head, target},
        http1,
    },
};

/// Where the API server finds the webhook, inside the node.
const WEBHOOK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9443);

impl World {
    pub(super) fn emulator_in_pods(&self) -> SocketAddr {
        (self.node.config().addresses.node, self.config.emulator_port).into()
    }

    /// A pod is gone. The watch tells it as well, but later.
    pub(super) fn gone(&self, pod: &Pod) {
        if let Some(pod) = self.inhabitants.forget(pod) {
            self.config.journal.record(Event::PodDeleted { pod });
        }
    }

    /// What the webhook would have written down, had it been called.
    pub(super) fn admitted_without_webhook(&self, pod: &Pod) {
        let opted_out = pod.labels().contains_key(SKIP_LABEL);
        let reason = match *lock(&self.webhook_fault) {
            _ if opted_out => MutationReason::SkipLabel,
            None => {
                if let Some(webhook) = &*lock(&self.webhook) {
                    webhook.admitted(pod);
                }
                return;
            }
            Some(WebhookFaultKind::Skip) => MutationReason::WebhookFault,
            Some(WebhookFaultKind::Timeout) => MutationReason::WebhookTimeout,
            Some(WebhookFaultKind::Error) => MutationReason::WebhookError,
            Some(WebhookFaultKind::Absent) => MutationReason::NoWebhook,
        };
        let spec = pod.spec.as_ref();
        self.config.journal.record(Event::PodAdmitted {
            pod: self.workloads.reference(pod),
            service_account: spec
                .and_then(|spec| spec.service_account_name.clone())
                .unwrap_or_default(),
            node: self.node.config().name.clone(),
            mutated: false,
            reason,
            detail: opted_out.then(|| format!("the pod carries the label {SKIP_LABEL}")),
        });
    }

    pub(super) fn follow_pods(&self) {
        let following = Arc::clone(&self.inhabitants).follow(
            self.node.client(),
            self.config.journal.clone(),
            Box::new(|_| {}),
        );
        *lock(&self.watch) = Some(tokio::spawn(following).abort_handle());
    }

    /// Lets the node and its pods find the emulator.
    pub(super) fn open_emulator(&self) -> Result<()> {
        let pass = pass_on(self.config.emulator.address);
        let take: doors::Take = match self.config.emulator.serve.clone() {
            Some(serve) => Arc::new(move |arrival, pod| match pod {
                Some(pod) => serve(arrival.serve(), pod),
                None => pass(arrival, None),
            }),
            None => pass,
        };
        let port = self.config.emulator_port;
        let addresses = [self.emulator_in_pods(), (Ipv4Addr::LOCALHOST, port).into()];
        for address in addresses {
            let door = self
                .node
                .listen(address)
                .and_then(|listener| {
                    let inhabitants = Arc::clone(&self.inhabitants);
                    Door::open(
                        listener,
                        self.config.clock.exchanges(),
                        inhabitants,
                        Arc::clone(&take),
                    )
                })
                .map_err(ClusterError::system(format!(
                    "listen at {address} inside the node"
                )))?;
            lock(&self.open).push(door);
        }
        Ok(())
    }

    pub(super) async fn start_webhook(&self) -> Result<Admission> {
        let config = &self.config;
        let endpoint = config
            .endpoint_in_pods
            .then(|| format!("http://{}", self.emulator_in_pods()));
        let admission = AdmissionConfig {
            client: self.node.client(),
            cluster: config.name.clone(),
            region: config.region.clone(),
            clock: config.clock.clone(),
            ids: config.ids.clone(),
            journal: config.journal.clone(),
            associations: Arc::clone(&config.associations),
            endpoint,
            address: WEBHOOK,
            identity: Identity::new(&[WEBHOOK.ip().to_string(), "localhost".into()])?,
            amazon: self.amazon_webhook().await?,
        };
        let inside = WEBHOOK;
        Admission::start(admission, |host| self.node.forward(Inward { inside, host })).await
    }

    pub(super) async fn start_agent(self: &Arc<Self>) -> Result<()> {
        let _turn = self.turn.lock().await;
        if lock(&self.agent).is_some() {
            return Ok(());
        }
        let agent = Agent::start(self).await?;
        *lock(&self.agent) = Some(agent);
        *lock(&self.state) = AgentState::Running;
        Ok(())
    }

    pub(super) async fn stop_agent(&self) -> Result<()> {
        let _turn = self.turn.lock().await;
        let agent = lock(&self.agent).take();
        if let Some(agent) = agent {
            *lock(&self.state) = AgentState::Stopped;
            agent.stop(self).await?;
            self.config.journal.record(Event::AgentStopped {
                node: self.node.config().name.clone(),
                reason: "stopped".into(),
            });
        }
        Ok(())
    }

    pub(super) fn agent_failed(&self, message: &str) -> ClusterError {
        ClusterError::Agent {
            node: self.node.config().name.clone(),
            message: message.to_owned(),
        }
    }

    pub(super) fn check_node(&self, node: &str) -> Result<()> {
        match node == self.node.config().name {
            true => Ok(()),
            false => Err(ClusterError::no_node(node)),
        }
    }

    pub(super) fn process_of(&self, pod: &Pod, container: Option<&str>) -> io::Result<i32> {
        processes::process_of(
            &node_id(&self.node),
            &pod.uid().unwrap_or_default(),
            container,
        )
    }

    pub(super) async fn fetch(
        &self,
        pod: &Pod,
        request: &FetchRequest,
    ) -> io::Result<FetchResponse> {
        let address = target(request, 80)?;
        let inside = Inside::of(self.process_of(pod, None)?)?;
        let timeout = request.timeout;
        let stream = tokio::task::spawn_blocking(move || inside.connect(address, timeout))
            .await
            .map_err(io::Error::other)??;
        stream.set_nonblocking(true)?;
        let mut stream = tokio::net::TcpStream::from_std(stream)?;
        stream.write_all(&head(request, address)).await?;
        stream.write_all(&request.body).await?;
        let kind = http1::Kind::Response {
            to_head: request.method == "HEAD",
        };
        let message = http1::read(&mut stream, &mut Vec::new(), kind)
            .await?
            .ok_or_else(|| {
                io::Error::new(io::ErrorKind::UnexpectedEof, "it closed the connection")
            })?;
        let status = message
            .status()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it does not speak HTTP"))?;
        Ok(FetchResponse {
            status,
            headers: message.headers,
            body: message.body,
        })
    }

    pub(super) fn set_fault(
        &self,
        place: FaultPlace,
        fault: Option<NetworkFault>,
        pod: Option<&Pod>,
    ) -> io::Result<()> {
        if !matches!(place, FaultPlace::AgentToEksAuth(_)) {
            let source = pod
                .and_then(|pod| pod.status.as_ref())
                .and_then(|status| status.pod_ip.as_deref())
                .and_then(|ip| ip.parse().ok());
            if fault.as_ref().is_some_and(barrier::takes_detour) {
                let mut open = lock(&self.detour);
                if open.is_none() {
                    *open = Some(detour::open(self)?);
                }
            }
            let way = detour::address(self);
            lock(&self.barrier).set(self.node.inside(), &place, fault.as_ref(), source, way)?;
        }
        self.faults.set(place, fault);
        if let Some(agent) = &*lock(&self.agent) {
            let name = self.node.config().name.clone();
            agent
                .upstream
                .set(self.faults.door(&[FaultPlace::AgentToEksAuth(name)]))?;
        }
        Ok(())
    }
}
