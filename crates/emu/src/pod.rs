//! A pod.

use std::{collections::BTreeMap, sync::Arc};

use emu_cluster::{FetchRequest, PodName, Program, ProgramOutput, SharedCluster};
use emu_core::{Timestamp, journal::MutationReason};
use emu_scenario::{
    client::{PodClient, request},
    given,
    run::Observation,
    world::World,
};
use tokio::sync::Mutex;

use crate::{Ask, Called, Emu, Error};

/// A pod of an instance.
pub struct Pod {
    world: Arc<Mutex<World>>,
    cluster: SharedCluster,
    name: PodName,
    client: Mutex<PodClient>,
    /// Whether the webhook changed it.
    pub mutated: bool,
    /// Why.
    pub reason: MutationReason,
    /// The variables of its container.
    pub env: BTreeMap<String, String>,
}

/// Credentials as the agent handed them out. A secret.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The access key id.
    pub access_key_id: String,
    /// The secret.
    pub secret_access_key: String,
    /// The session token.
    pub session_token: String,
    /// When they expire.
    pub expires_at: Timestamp,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Credentials({}, until {})",
            self.access_key_id, self.expires_at
        )
    }
}

impl Pod {
    pub(crate) fn new(
        emu: &Emu,
        world: &World,
        pod: &given::Pod,
        seen: Observation,
    ) -> Result<Self, Error> {
        let name = PodName::new(pod.namespace(), pod.name.value.clone());
        let admitted = seen
            .pod
            .ok_or_else(|| Error::new(format!("pod {name} was not admitted")))?;
        let client = PodClient::new(
            Arc::clone(emu.cluster()),
            name.clone(),
            given::ClientModel::default(),
            world.address_in_pods(),
            world.settings().region.clone(),
        );
        Ok(Self {
            world: Arc::clone(&emu.world),
            cluster: Arc::clone(emu.cluster()),
            name,
            client: Mutex::new(client),
            mutated: admitted.mutated.unwrap_or(false),
            reason: admitted.reason.unwrap_or(MutationReason::Unknown),
            env: admitted.env,
        })
    }

    /// Its namespace and name.
    pub fn name(&self) -> &PodName {
        &self.name
    }

    /// Asks the agent for credentials, as an SDK in the pod would.
    ///
    /// # Errors
    /// With the agent's body, if it refuses.
    pub async fn credentials(&self) -> Result<Credentials, Error> {
        let token = self
            .cluster
            .read_token(&self.name, emu_cloud::eks_auth::AUDIENCE)
            .await?;
        let answer = self
            .cluster
            .fetch(
                &self.name,
                FetchRequest::credentials().header("Authorization", token),
            )
            .await?;
        if answer.status != 200 {
            return Err(Error::new(format!(
                "the agent answered {}: {}",
                answer.status,
                answer.text().trim_end()
            )));
        }
        let value: serde_json::Value = serde_json::from_slice(&answer.body)
            .map_err(|e| Error::new(format!("the agent's answer: {e}")))?;
        let text = |name: &str| {
            value[name]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| Error::new(format!("the agent's answer has no {name}")))
        };
        Ok(Credentials {
            access_key_id: text("AccessKeyId")?,
            secret_access_key: text("SecretAccessKey")?,
            session_token: text("Token")?,
            expires_at: text("Expiration")?
                .parse()
                .map_err(|e| Error::new(format!("the agent's Expiration: {e}")))?,
        })
    }

    /// Calls an AWS API as this pod, with credentials found as SDKs find them and kept as they keep them.
    ///
    /// # Errors
    /// If the action is not known, or nobody answers. A refusal is no error.
    pub async fn call(&self, action: &str, ask: Ask) -> Result<Called, Error> {
        let request = request(&action.into(), &ask.0)?;
        let (journal, now) = {
            let world = self.world.lock().await;
            (world.journal().clone(), world.now())
        };
        let from = journal.last();
        let outcome = self.client.lock().await.call(&request, now).await?;
        self.world.lock().await.settle().await;
        let all = journal.since(0);
        let meanwhile = all
            .iter()
            .filter(|entry| entry.seq > from)
            .cloned()
            .collect();
        let mut seen = Observation::call(&outcome).by(&self.name);
        seen.read_journal(meanwhile, &all);
        Ok(Called::of(&seen))
    }

    /// Runs a program of this machine in the pod's network and file view.
    ///
    /// # Errors
    /// If it cannot be started.
    pub async fn exec(&self, program: Program) -> Result<ProgramOutput, Error> {
        Ok(self.cluster.exec(&self.name, program).await?)
    }
}
