//! A cluster that somebody else runs.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
};

use emu_agent::{AgentChoice, PullArgs};
use emu_cloud::eks::{ClusterKey, Feed, Jwk};
use emu_cluster::{
    Cluster as _, SharedCluster,
    cluster::AgentAction,
    external::{ExternalCluster, ExternalClusterConfig, ExternalConfig},
    kubernetes::token,
    sandbox::{AgentKind, AgentSpec, Emulator, NodeSpec},
};
use emu_gateway::Listener;

use super::{NodeRoles, World};
use crate::run::Trouble;

impl World {
    /// Starts a cluster that EKS knows on the one that was opened, and registers who issues its tokens, with which keys.
    /// `specs` are the nodes a scenario gives; without any the cluster's own keep their names.
    pub(super) async fn start_external(
        &mut self,
        key: &ClusterKey,
        roles: &Arc<NodeRoles>,
        specs: &[NodeSpec],
    ) -> Result<(SharedCluster, SocketAddr), Trouble> {
        let kind = self.options.kind;
        let external = self.options.external.clone().ok_or_else(|| {
            Trouble::new(format!("no {kind} cluster was opened"))
                .help("`emu run` and `emu up` open one with --cluster")
        })?;
        let usual = AgentSpec::default();
        for spec in specs {
            let agent = &spec.agent;
            if !spec.ipv6
                || spec.clock_offset != 0
                || !agent.bind_hosts.is_empty()
                || agent.port != usual.port
                || spec.imds.is_some()
            {
                return Err(Trouble::unsupported(format!(
                    "the nodes of a {kind} cluster are not ours: their IPv6, clocks and instance metadata are as they are, and the agent is bound where Amazon's is",
                )));
            }
            let first = &specs[0].agent;
            if (&agent.kind, &agent.settings) != (&first.kind, &first.settings) {
                return Err(Trouble::unsupported(format!(
                    "the agent of a {kind} cluster is one DaemonSet, the same on every node"
                )));
            }
        }
        let emulator = self.listen_outside(external.config())?;
        let mut config = ExternalClusterConfig::new(
            external,
            &key.name,
            self.cloud.clock().clone(),
            self.journal().clone(),
            Arc::new(Feed(Arc::clone(&self.cloud))),
            Emulator::at(self.address()),
            Arc::clone(roles) as _,
        );
        config.region.clone_from(&key.region);
        config.ids = self.cloud.ids().clone();
        let url = format!("http://{emulator}");
        config.env.insert("AWS_ENDPOINT_URL".into(), url.clone());
        config.endpoint_in_pods = self.options.endpoint_in_pods.then_some(url);
        config.agent = specs
            .first()
            .and_then(|spec| spec.agent.settings.clone())
            .unwrap_or_else(|| self.settings().agent.clone());
        let absent = specs
            .first()
            .is_some_and(|spec| spec.agent.kind == AgentKind::Absent);
        (config.agent_kind, config.twin_instead) = match absent {
            true => (AgentKind::Absent, false),
            false => self.external_agent(config.external.images().is_some())?,
        };
        config.webhook_kind.clone_from(&self.options.webhook);
        config.nodes = specs.iter().map(|spec| spec.name.clone()).collect();
        let client = config.external.config().client.clone();
        let cluster = ExternalCluster::start(config).await?;
        if let AgentKind::Image(image) = cluster.agent_kind() {
            self.agent_image = Some(image.clone());
        }
        let failed = |e: emu_cluster::kubernetes::Error| Trouble::new(e.to_string());
        let issuer = token::discovery(&client).await.map_err(failed)?.issuer;
        let keys = token::jwks(&client).await.map_err(failed)?;
        let keys: Vec<Jwk> = serde_json::from_value(keys["keys"].clone())
            .map_err(|e| Trouble::new(format!("the cluster's keys are not understood: {e}")))?;
        self.cloud
            .eks
            .register_oidc(&self.cloud, key, &issuer, keys)?;
        for spec in specs.iter().filter(|spec| !spec.agent.started) {
            cluster.agent(&spec.name, AgentAction::Stop).await?;
        }
        Ok((Arc::new(cluster), emulator))
    }

    /// Which agent the nodes get, and whether the twin will do where it is not to be had.
    fn external_agent(&self, loads: bool) -> Result<(AgentKind, bool), Trouble> {
        let amazons = || {
            let pull = PullArgs::default();
            AgentKind::Image(format!("{}:{}", pull.image, pull.version))
        };
        match (&self.options.agent, self.real_agent_path()) {
            (_, Some(binary)) if loads => Ok((AgentKind::Real(binary), false)),
            (AgentChoice::Twin, _) => Ok((AgentKind::Twin, false)),
            (AgentChoice::Path(_), _) => Err(Trouble::new(
                "an agent of this machine cannot be brought to a cluster that pulls its images",
            )
            .help("--agent real has the cluster pull Amazon's image; --agent twin does without")),
            (AgentChoice::Real, _) => Ok((amazons(), false)),
            (AgentChoice::Auto, _) => Ok((amazons(), true)),
        }
    }

    /// Where the cluster's pods find the emulator: one more listener, at this address alone, without the control API.
    fn listen_outside(&mut self, outside: &ExternalConfig) -> Result<SocketAddr, Trouble> {
        let own = self.address();
        let host = outside.listen.unwrap_or(outside.host);
        if own.ip() == host || (own.ip().is_unspecified() && own.is_ipv4() == host.is_ipv4()) {
            return Ok((outside.host, own.port()).into());
        }
        if let Some(outside) = self.outside {
            return Ok(outside);
        }
        // Where a port was chosen it is the same there; else any will do.
        let port = self.options.address.map_or(0, |address| address.port());
        let listen = || {
            let socket = TcpListener::bind((host, port))?;
            let port = socket.local_addr()?.port();
            self.gateway.add(Listener::services(socket))?;
            Ok::<_, std::io::Error>(SocketAddr::new(outside.host, port))
        };
        let address = listen().map_err(|e| {
            Trouble::new(format!(
                "cannot listen on {host}:{port}, where the cluster's pods are to find the emulator: {e}"
            ))
            .help("--host-address names another address of this machine, --addr another port")
        })?;
        self.outside = Some(address);
        Ok(address)
    }
}
