//! A cluster of one real Kubernetes node.

use std::{net::SocketAddr, sync::Arc};

use emu_cloud::eks::{ClusterKey, Feed, Jwk};
use emu_cluster::{
    SharedCluster,
    kubernetes::{install, token},
    node::{ClusterConfig, Config, NodeCluster},
    sandbox::{Emulator, Imds, NodeSpec},
};

use super::{NodeRoles, World};
use crate::run::Trouble;

impl World {
    /// Starts a real node for a cluster that EKS knows, and registers the keys its API server signs tokens with.
    pub(super) async fn start_node(
        &self,
        key: &ClusterKey,
        roles: &Arc<NodeRoles>,
        specs: Vec<NodeSpec>,
    ) -> Result<(SharedCluster, SocketAddr), Trouble> {
        let mut specs = specs.into_iter();
        let spec = specs
            .next()
            .ok_or_else(|| Trouble::new("a cluster needs a node"))?;
        if specs.next().is_some() {
            return Err(Trouble::unsupported(
                "a node cluster has one node, and the scenario gives several",
            ));
        }
        if !spec.ipv6
            || spec.clock_offset != 0
            || !spec.agent.bind_hosts.is_empty()
            || spec.agent.port != 80
        {
            return Err(Trouble::unsupported(
                "a node cluster cannot take away IPv6, set a node's clock off, or bind the agent elsewhere",
            ));
        }
        let binaries = install::installed().pop().ok_or_else(|| {
            Trouble::new("the Kubernetes binaries are not on this machine").help(
                "`emu kubernetes install` brings them; `emu doctor` says what else is missing",
            )
        })?;
        let mut node = Config::new(binaries);
        node.issuer = self.cloud.eks.oidc(&self.cloud, key)?.issuer;
        node.name.clone_from(&spec.name);
        node.program.clone_from(&self.options.program);
        let gateway = self.gateway.clone();
        let emulator = Emulator {
            address: self.address(),
            serve: Some(Arc::new(move |stream, pod| {
                gateway.serve(stream, Some(pod));
            })),
        };
        let mut config = ClusterConfig::new(
            node,
            &key.name,
            self.cloud.clock().clone(),
            self.journal().clone(),
            Arc::new(Feed(Arc::clone(&self.cloud))),
            emulator,
            Arc::clone(roles) as _,
        );
        config.region.clone_from(&key.region);
        config.ids = self.cloud.ids().clone();
        config.emulator_port = self.options.port_in_pods;
        config.agent = spec
            .agent
            .settings
            .unwrap_or_else(|| self.settings().agent.clone());
        let inside = SocketAddr::from((config.node.addresses.node, config.emulator_port));
        config
            .env
            .insert("AWS_ENDPOINT_URL".into(), format!("http://{inside}"));
        config.agent_kind = spec.agent.kind;
        config.webhook_kind.clone_from(&self.options.webhook);
        config.agent_started = spec.agent.started;
        config.more_folders.clone_from(&self.options.folders);
        if let Some(imds) = spec.imds {
            config.imds = imds;
        } else {
            // Amazon's agent takes the node's keys from instance metadata; pods do not get through to it.
            config.imds = Imds {
                enabled: true,
                hop_limit: 1,
            };
        }
        config.endpoint_in_pods = self.options.endpoint_in_pods;
        config.virtual_time = self.options.virtual_time;
        let cluster = NodeCluster::start(config).await?;
        let keys = token::jwks(&cluster.node().client())
            .await
            .map_err(|e| Trouble::new(e.to_string()))?;
        let keys: Vec<Jwk> = serde_json::from_value(keys["keys"].clone())
            .map_err(|e| Trouble::new(format!("the cluster's keys are not understood: {e}")))?;
        let issuer = self.cloud.eks.oidc(&self.cloud, key)?.issuer;
        self.cloud
            .eks
            .register_oidc(&self.cloud, key, &issuer, keys)?;
        let emulator = cluster.emulator_in_pods();
        Ok((Arc::new(cluster), emulator))
    }
}
