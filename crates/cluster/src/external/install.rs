//! What is installed on a cluster: the agent, and the webhook's registration.

use emu_agent::asked_version;
use emu_core::Event;

use super::{
    config::ExternalClusterConfig,
    image::Pulled,
    nodes::Nodes,
    place::{External, lock},
};
use crate::{
    cluster::{ClusterError, Result},
    image::{EMU_PROGRAM, Image},
    kubernetes::{
        AgentInstall, AmazonWebhook, WebhookKind,
        admission::registrations,
        agent::AgentInit,
        agent_events,
        agent_set::{AgentSet, AgentTrouble, UNREACHABLE},
        agent_words::{behaviour, environment, server_words},
        amazon_webhook::{AssociationsFile, LOCAL_IMAGE, image_of},
        apply::{MANAGED_BY, dynamic, list},
        other,
    },
    sandbox::AgentKind,
};

/// How long agents may take to be ready, in real time: an image may have to be pulled.
const START: std::time::Duration = std::time::Duration::from_secs(120);

/// How the message begins when an agent's image cannot be pulled.
pub(super) const NO_IMAGE: &str = "its image is not to be had";

impl External {
    /// The agent as it is to be. `image` is emu's own, where the cluster has it.
    pub(super) async fn agent_install(
        &self,
        config: &ExternalClusterConfig,
        nodes: &Nodes,
        image: Option<&Pulled>,
    ) -> Result<Option<AgentInstall>> {
        let mut arguments = server_words(&config.name, nodes.have_ipv6());
        arguments.extend(behaviour(&config.agent));
        let at = |port: &super::port::Port| format!("http://{}", port.address());
        let mut env = vec![
            ("AWS_REGION".to_owned(), config.region.clone()),
            (
                "AWS_ENDPOINT_URL_EKS_AUTH".to_owned(),
                at(&self.ports.eks_auth),
            ),
            (
                "AWS_EC2_METADATA_SERVICE_ENDPOINT".to_owned(),
                at(&self.ports.metadata),
            ),
        ];
        env.extend(environment(&config.agent));
        let mut init = image.map(|image| self.prepare(image));
        let (reference, policy, command, twin) = match &config.agent_kind {
            AgentKind::Absent => return Ok(None),
            AgentKind::Twin => {
                let image = image.ok_or_else(|| ClusterError::Agent {
                    node: String::new(),
                    message: "the twin needs emu's own image".into(),
                })?;
                arguments.extend(["--profile".into(), config.agent.profile.clone()]);
                env.push((
                    agent_events::WHERE.into(),
                    self.ports.events.address().to_string(),
                ));
                // It prepares the node by itself, and then becomes the agent.
                let mut command = vec![EMU_PROGRAM.into()];
                command.extend(self.preparation());
                command.extend(["--", EMU_PROGRAM, "agent"].map(String::from));
                init = None;
                (image.reference.clone(), image.policy, command, true)
            }
            AgentKind::Real(binary) => {
                let reference = self.agent_image.get_or_try_init(|| async {
                    let reference = "emu.local/eks-pod-identity-agent:local".to_owned();
                    let (named, binary) = (reference.clone(), binary.clone());
                    self.load(move |path| {
                        Image::new(named)
                            .program(&binary, "/eks-pod-identity-agent")?
                            .entrypoint(["/eks-pod-identity-agent"])
                            .write_archive(&path)
                    })
                    .await?;
                    Ok::<_, ClusterError>(reference)
                });
                (reference.await?.clone(), "Never", Vec::new(), false)
            }
            AgentKind::Image(reference) => {
                // As Amazon's chart has it.
                let command = ["/go-runner", "/eks-pod-identity-agent"].map(String::from);
                init = init.or_else(|| {
                    Some(AgentInit {
                        image: reference.clone(),
                        command: command.to_vec(),
                        arguments: vec!["initialize".into()],
                        pull_policy: "IfNotPresent".into(),
                        privileged: true,
                    })
                });
                (reference.clone(), "IfNotPresent", command.to_vec(), false)
            }
        };
        Ok(Some(AgentInstall {
            image: reference,
            command,
            arguments,
            env,
            folders: Vec::new(),
            node_variable: twin.then(|| agent_events::NODE.into()),
            init,
            makes_link: twin,
            token: config.agent.profile.starts_with("0.2"),
            stopped: Vec::new(),
            probe_port: 2703,
            pull_policy: policy.into(),
        }))
    }

    /// What emu's program does on a node before there is an agent.
    fn preparation(&self) -> Vec<String> {
        let address = self.ports.eks_auth.address().to_string();
        ["pod", "prepare", &address].map(String::from).to_vec()
    }

    /// Looks whether the node reaches this machine, and makes the agent's link.
    fn prepare(&self, image: &Pulled) -> AgentInit {
        AgentInit {
            image: image.reference.clone(),
            command: vec![EMU_PROGRAM.into()],
            arguments: self.preparation(),
            pull_policy: image.policy.into(),
            privileged: false,
        }
    }

    /// Amazon's webhook as it is to be, if it is asked for. `image` is emu's own, where the cluster has it.
    pub(super) async fn amazon_webhook(
        &self,
        config: &ExternalClusterConfig,
        image: Option<&Pulled>,
    ) -> Result<Option<AmazonWebhook>> {
        let (reference, policy) = match &config.webhook_kind {
            WebhookKind::Emu => return Ok(None),
            WebhookKind::Image(reference) => (reference.clone(), "IfNotPresent"),
            WebhookKind::Program(binary) => {
                let load = || async {
                    let binary = binary.clone();
                    self.load(move |path| image_of(&binary)?.write_archive(&path))
                        .await
                };
                self.webhook_image.get_or_try_init(load).await?;
                (LOCAL_IMAGE.to_owned(), "Never")
            }
        };
        let beside = image.ok_or_else(|| ClusterError::Kubernetes {
            what: "Amazon's webhook".into(),
            message: "who tells it of associations runs in emu's own image beside it, which this cluster does not have".into(),
        })?;
        Ok(Some(AmazonWebhook {
            image: reference,
            pull_policy: policy.into(),
            region: config.region.clone(),
            associations: AssociationsFile::Beside {
                image: beside.reference.clone(),
                pull_policy: beside.policy.into(),
            },
            certificate: self.certificate.clone(),
            without_services: None,
        }))
    }

    /// Tells a person what is installed, before it is: once.
    pub(super) fn tell(
        &self,
        agent: Option<&AgentInstall>,
        amazon: Option<&AmazonWebhook>,
        endpoint: bool,
    ) -> Result<()> {
        if std::mem::replace(&mut *lock(&self.told), true) {
            return Ok(());
        }
        let (webhook, more) = registrations(self.ports.webhook.address(), &self.identity, endpoint);
        let mut objects = Vec::new();
        let listed = other("list what is installed");
        if let Some(agent) = agent {
            objects.push(dynamic(&agent.object()).map_err(&listed)?);
        }
        if let Some(amazon) = amazon {
            objects.extend(amazon.objects().map_err(&listed)?);
        }
        for object in std::iter::once(webhook).chain(more) {
            objects.push(dynamic(&object).map_err(&listed)?);
        }
        let tell = &self.config.tell;
        let (name, value) = MANAGED_BY;
        tell(&format!(
            "{} cluster {} gets, labelled {name}={value} and removed at the end (`emu down` after a crash):",
            self.config.kind, self.config.name
        ));
        for one in list(&objects) {
            tell(&format!("  {one}"));
        }
        tell("  namespaces, service accounts and pods, as they are asked for");
        Ok(())
    }

    /// Sees to it that this agent runs on every node but those where it is stopped.
    pub(super) async fn run_agent(
        &self,
        install: &AgentInstall,
        nodes: &Nodes,
        agents: &AgentSet,
    ) -> Result<()> {
        let failed = |trouble: AgentTrouble| self.agent_failed(nodes, trouble);
        let installed = lock(&self.agent).clone();
        if installed.as_ref() != Some(install) {
            *lock(&self.agent) = None;
            agents
                .apply(install)
                .await
                .map_err(other("install the agent"))?;
            agents
                .observed()
                .await
                .map_err(other("install the agent"))?;
            if installed.is_some_and(|old| !is_same_but_stopped(&old, install)) {
                agents
                    .end_pods(None)
                    .await
                    .map_err(other("restart the agent"))?;
            }
            *lock(&self.agent) = Some(install.clone());
        }
        let mut wanted = nodes.real();
        wanted.retain(|node| !install.stopped.contains(node));
        agents.ready(&wanted, START).await.map_err(failed)
    }

    fn agent_failed(&self, nodes: &Nodes, trouble: AgentTrouble) -> ClusterError {
        let host = self.config.host;
        match trouble {
            AgentTrouble::Init(words) if words.contains(UNREACHABLE) => ClusterError::Kubernetes {
                what: format!(
                    "there is no route from the nodes to {host}, where they are to reach emu"
                ),
                message: format!(
                    "{words}; name another address of this machine with --host-address, or let its firewall take connections from the cluster"
                ),
            },
            AgentTrouble::Image(words) => ClusterError::Agent {
                node: nodes.names().join(", "),
                message: format!("{NO_IMAGE}: {words} (--agent twin does without Amazon's)"),
            },
            other => ClusterError::Agent {
                node: nodes.names().join(", "),
                message: other.to_string(),
            },
        }
    }
}

fn is_same_but_stopped(a: &AgentInstall, b: &AgentInstall) -> bool {
    AgentInstall {
        stopped: b.stopped.clone(),
        ..a.clone()
    } == *b
}

/// The event of an agent that runs.
pub(super) async fn started(config: &ExternalClusterConfig, node: String) -> Event {
    let (kind, version) = match &config.agent_kind {
        AgentKind::Real(binary) => ("real", asked_version(binary).await.unwrap_or_default()),
        AgentKind::Image(reference) => (
            "real",
            reference
                .rsplit_once(':')
                .map_or(String::new(), |(_, tag)| tag.to_owned()),
        ),
        _ => ("twin", config.agent.profile.clone()),
    };
    Event::AgentStarted {
        node,
        kind: kind.into(),
        version,
    }
}
