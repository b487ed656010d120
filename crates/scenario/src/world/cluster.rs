//! Clusters of a world: known to EKS, and running somewhere.

use std::{net::SocketAddr, sync::Arc};

use emu_cloud::{
    Call,
    eks::{ClusterKey, CreateCluster, Feed},
};
use emu_cluster::{
    ClusterKind, SharedCluster,
    sandbox::{AgentKind, AgentSpec, Emulator, Imds, NodeSpec, Sandbox, SandboxConfig},
    token::TokenIssuer,
};

use super::{NodeRoles, World};
use crate::{
    file::Located,
    given::{self, AgentOr, Given},
    run::Trouble,
    verb::signed_span,
};

/// A cluster with its place in EKS.
pub struct ClusterAt {
    /// Which cluster of EKS it is.
    pub key: ClusterKey,
    /// Where it runs.
    pub cluster: SharedCluster,
    /// The roles of its nodes.
    pub nodes: Arc<NodeRoles>,
    /// Where its pods find the emulator.
    pub emulator: SocketAddr,
    /// The same cluster, if it is a sandbox.
    pub sandbox: Option<Arc<Sandbox>>,
}

impl World {
    /// Starts the clusters given; one named `demo` if none is.
    ///
    /// # Errors
    /// If EKS refuses one, or it does not come up.
    pub async fn start_clusters(&mut self, given: &Given) -> Result<(), Trouble> {
        for account in &given.accounts {
            if let Some(alias) = &account.alias {
                self.names
                    .accounts
                    .insert(alias.value.clone(), account.id.value.clone());
            }
        }
        let usual = given::Cluster {
            name: "demo".into(),
            ..given::Cluster::default()
        };
        let clusters = if given.clusters.is_empty() {
            std::slice::from_ref(&usual)
        } else {
            &given.clusters
        };
        for (i, cluster) in clusters.iter().enumerate() {
            let nodes: Vec<&given::Node> = given
                .nodes
                .iter()
                .filter(|node| match &node.cluster {
                    Some(name) => name.value == cluster.name.value,
                    None => i == 0,
                })
                .collect();
            self.add_cluster(cluster, &nodes).await?;
        }
        Ok(())
    }

    /// Adds a cluster: to EKS, and a place for its pods to run.
    ///
    /// # Errors
    /// If EKS refuses it, or it does not come up.
    pub async fn add_cluster(
        &mut self,
        cluster: &given::Cluster,
        nodes: &[&given::Node],
    ) -> Result<(), Trouble> {
        let account = self.account(cluster.account.as_ref())?;
        let call = Call::administrator(&self.cloud, &account);
        let input = CreateCluster {
            name: Some(cluster.name.value.clone()),
            version: cluster.version.clone(),
            role_arn: Some(format!("arn:aws:iam::{account}:role/eks-cluster")),
            ..CreateCluster::default()
        };
        self.cloud
            .eks
            .create_cluster(&self.cloud, &call, input)
            .map_err(|e| Trouble::from(e).at(&cluster.name))?;
        let key = ClusterKey::of(&call, &cluster.name);
        // Who issues the tokens of somebody else's cluster is known once it runs.
        let late = self.options.external.is_some();
        if cluster.oidc_provider && !late {
            self.add_oidc_provider(&call, &key)?;
        }
        self.run_cluster(key.clone(), nodes).await?;
        if cluster.oidc_provider && late {
            self.add_oidc_provider(&call, &key)?;
        }
        Ok(())
    }

    /// Gives a cluster that EKS knows a place to run.
    ///
    /// # Errors
    /// If it does not come up.
    pub async fn run_cluster(
        &mut self,
        key: ClusterKey,
        nodes: &[&given::Node],
    ) -> Result<(), Trouble> {
        let roles = Arc::new(NodeRoles::new(
            Arc::clone(&self.cloud),
            key.account.clone(),
            key.region.clone(),
        ));
        let mut specs = Vec::new();
        for node in nodes {
            let imds = node.imds.as_ref().and_then(|imds| imds.node_role.as_ref());
            if let Some(role) = node.role.as_ref().or(imds) {
                // The role itself may be created later; its ARN is known already.
                let arn = self
                    .role_arn(role)
                    .unwrap_or_else(|_| format!("arn:aws:iam::{}:role/{role}", key.account));
                roles.set(&node.name, arn);
                self.names.node_roles.insert(role.value.clone());
            }
            specs.push(self.node_spec(node)?);
        }
        let others = self.options.external.is_some();
        if specs.is_empty() && !others {
            let usual = given::Node {
                name: "node-1".into(),
                ..given::Node::default()
            };
            specs.push(self.node_spec(&usual)?);
        }
        let place = self.clusters.len();
        for spec in &specs {
            self.names.nodes.push((place, spec.name.clone()));
        }
        let sandbox;
        let (cluster, emulator): (SharedCluster, SocketAddr) = match self.options.kind {
            ClusterKind::Sandbox => {
                let (started, emulator) = self.start_sandbox(&key, &roles, specs).await?;
                sandbox = Some(Arc::clone(&started));
                (started, emulator)
            }
            ClusterKind::Node => {
                sandbox = None;
                self.start_node(&key, &roles, specs).await?
            }
            ClusterKind::Kind | ClusterKind::K3d | ClusterKind::Kubeconfig => {
                sandbox = None;
                self.start_external(&key, &roles, &specs).await?
            }
        };
        if others {
            self.names.nodes.retain(|(of, _)| *of != place);
            for node in cluster.nodes().await? {
                self.names.nodes.push((place, node));
            }
        }
        // In a sandbox our own agents follow even where programs cannot.
        if !cluster.capabilities().virtual_time && self.options.kind != ClusterKind::Sandbox {
            self.cloud.clock().pin(format!(
                "cluster {} ({}) has its machines' clocks, which stay as they are",
                key.name, self.options.kind
            ));
        }
        self.clusters.push(ClusterAt {
            key,
            cluster,
            nodes: roles,
            emulator,
            sandbox,
        });
        Ok(())
    }

    async fn start_sandbox(
        &self,
        key: &ClusterKey,
        roles: &Arc<NodeRoles>,
        nodes: Vec<NodeSpec>,
    ) -> Result<(Arc<Sandbox>, SocketAddr), Trouble> {
        let signing = {
            let (cloud, key) = (Arc::clone(&self.cloud), key.clone());
            // Making a key takes a while; other scenarios play meanwhile.
            tokio::task::spawn_blocking(move || cloud.eks.signing_key(&cloud, &key))
                .await
                .map_err(|e| Trouble::new(e.to_string()))??
        };
        let issuer = TokenIssuer::new(
            &signing.issuer,
            &signing.kid,
            &signing.pem,
            self.cloud.ids().clone(),
        )
        .map_err(|e| Trouble::new(e.to_string()))?;
        let gateway = self.gateway.clone();
        let emulator = Emulator {
            address: self.address(),
            serve: Some(Arc::new(move |stream, pod| {
                gateway.serve(stream, Some(pod));
            })),
        };
        let mut config = SandboxConfig::new(
            &key.name,
            self.cloud.clock().clone(),
            self.journal().clone(),
            Arc::new(issuer),
            Arc::new(Feed(Arc::clone(&self.cloud))),
            emulator,
            Arc::clone(roles) as _,
        );
        config.region.clone_from(&key.region);
        config.ids = self.cloud.ids().clone();
        config.emulator_in_pods = SocketAddr::from(([127, 0, 0, 1], self.options.port_in_pods));
        config.agent = self.settings().agent.clone();
        config.nodes = nodes;
        config.virtual_time = self.options.virtual_time;
        let in_pods = config.emulator_in_pods;
        let sandbox = Sandbox::start(config).await?;
        // Without namespaces of their own, pods see the emulator where everybody does.
        let emulator = if sandbox.isolation().is_true() {
            in_pods
        } else {
            self.address()
        };
        Ok((Arc::new(sandbox), emulator))
    }

    fn node_spec(&self, node: &given::Node) -> Result<NodeSpec, Trouble> {
        let mut spec = NodeSpec::new(node.name.value.clone());
        spec.ipv6 = node.ipv6.unwrap_or(true);
        spec.imds = node.imds.as_ref().map(|imds| Imds {
            enabled: imds.enabled.unwrap_or(true),
            hop_limit: imds.hop_limit.unwrap_or(2),
        });
        if let Some(offset) = &node.clock_offset {
            let nanos = signed_span(offset)
                .and_then(|nanos| i64::try_from(nanos).ok())
                .ok_or_else(|| clock_offset(offset))?;
            spec.clock_offset = nanos;
        }
        spec.agent = match &node.agent {
            Some(AgentOr::Absent(_)) => AgentSpec::absent(),
            given => {
                let mut agent = AgentSpec {
                    kind: self
                        .real_agent_path()
                        .map_or(AgentKind::Twin, AgentKind::Real),
                    ..AgentSpec::default()
                };
                if let Some(AgentOr::Agent(given)) = given {
                    agent.started = !given.stopped;
                    agent.bind_hosts.clone_from(&given.bind_hosts);
                    agent.port = given.port.unwrap_or(80);
                    let mut settings = self.settings().agent.clone();
                    given.turn(&mut settings);
                    agent.settings = Some(settings);
                }
                agent
            }
        };
        Ok(spec)
    }
}

fn clock_offset(offset: &Located<String>) -> Trouble {
    Trouble::new(format!("`{offset}` is no clock offset"))
        .at(offset)
        .help("a duration with a sign, such as -10m")
}
