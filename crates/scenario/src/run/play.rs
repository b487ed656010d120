//! A scenario while it is played.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc};

use emu_cluster::{PodName, Running};

use super::{Observation, Trouble};
use crate::{
    client::{ApiRequest, Keys, Outcome, PodClient, send_direct},
    file::{CredentialSource, Located, Scenario},
    given::ClientModel,
    world::{World, unknown},
};

/// The world a scenario plays in, and what has been seen so far.
pub struct Play {
    /// The scenario.
    pub scenario: Arc<Scenario>,
    /// The world.
    pub world: World,
    /// The folder the file lies in: programs run there.
    pub folder: Option<PathBuf>,
    /// What the named steps showed.
    pub seen: BTreeMap<String, Observation>,
    clients: BTreeMap<String, PodClient>,
    programs: BTreeMap<String, (PodName, Box<dyn Running>)>,
    tokens: BTreeMap<String, String>,
}

impl Play {
    /// A scenario about to begin.
    pub fn new(scenario: Arc<Scenario>, world: World, folder: Option<PathBuf>) -> Self {
        Self {
            scenario,
            world,
            folder,
            seen: BTreeMap::new(),
            clients: BTreeMap::new(),
            programs: BTreeMap::new(),
            tokens: BTreeMap::new(),
        }
    }

    /// Keeps a token.
    pub fn keep_token(&mut self, name: &str, token: String) {
        self.tokens.insert(name.to_owned(), token);
    }

    /// A token that was kept.
    ///
    /// # Errors
    /// If none was, by that name.
    pub fn token(&self, name: &Located<String>) -> Result<&str, Trouble> {
        let found = self.tokens.get(name.as_str()).map(String::as_str);
        found.ok_or_else(|| unknown("token", name, self.tokens.keys().map(String::as_str)))
    }

    /// Calls an API as the usual client of a pod.
    ///
    /// # Errors
    /// If there is no such pod, or nobody answers.
    pub async fn call_as_pod(
        &mut self,
        pod: &Located<String>,
        request: &ApiRequest,
    ) -> Result<Observation, Trouble> {
        let key = format!("pod {pod}");
        if !self.clients.contains_key(&key) {
            let client = self.client(pod, ClientModel::default())?;
            self.clients.insert(key.clone(), client);
        }
        self.call(&key, request).await
    }

    /// Calls an API as a client of its own.
    ///
    /// # Errors
    /// If there is no such client, or nobody answers.
    pub async fn call_as_client(
        &mut self,
        name: &Located<String>,
        request: &ApiRequest,
    ) -> Result<Observation, Trouble> {
        let key = format!("client {name}");
        if !self.clients.contains_key(&key) {
            let scenario = Arc::clone(&self.scenario);
            let given = scenario
                .given
                .clients
                .iter()
                .find(|client| client.name.value == name.value)
                .ok_or_else(|| {
                    unknown(
                        "client",
                        name,
                        scenario.given.clients.iter().map(|c| c.name.as_str()),
                    )
                })?;
            let client = self.client(&given.pod, given.model.clone())?;
            self.clients.insert(key.clone(), client);
        }
        self.call(&key, request).await
    }

    /// Calls an API as the administrator of an account.
    ///
    /// # Errors
    /// If there is no such account, or nobody answers.
    pub async fn call_as_admin(
        &mut self,
        account: &Located<String>,
        request: &ApiRequest,
    ) -> Result<Observation, Trouble> {
        let keys = self.world.admin_keys(account)?;
        let answer = send_direct(
            request,
            &keys,
            self.world.address(),
            &self.world.settings().region,
            self.world.now(),
        )
        .await?;
        let Keys { access_key_id, .. } = keys;
        Ok(Observation::call(&Outcome {
            source: CredentialSource::Static,
            access_key_id: Some(access_key_id),
            answer: Some(answer),
            agent: None,
            failure: None,
        }))
    }

    /// Keeps a program that runs in the background; one of the same name is ended.
    pub fn keep_program(&mut self, name: &str, pod: PodName, running: Box<dyn Running>) {
        self.programs.insert(name.to_owned(), (pod, running));
    }

    /// A program in the background, and the pod it runs in.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn program(
        &mut self,
        name: &Located<String>,
    ) -> Result<(&PodName, &mut dyn Running), Trouble> {
        match self.programs.get_mut(&name.value) {
            Some((pod, running)) => Ok((pod, running.as_mut())),
            None => Err(Trouble::new(format!("no program `{name}` was started"))
                .at(name)
                .help("an `exec` with `background` must come first")),
        }
    }

    /// Ends what still runs in the background. What cannot be ended now ends with its pod.
    pub async fn end_programs(&mut self) {
        for (_, running) in self.programs.values_mut() {
            let _ = running.kill().await;
        }
        self.programs.clear();
    }

    /// The processes of a pod ended, and with them what their clients knew.
    pub fn forget_clients_of(&mut self, pod: &PodName) {
        self.clients.retain(|_, client| client.pod() != pod);
    }

    fn client(&self, pod: &Located<String>, model: ClientModel) -> Result<PodClient, Trouble> {
        let (cluster, pod) = self.world.pod(pod)?;
        Ok(PodClient::new(
            cluster,
            pod,
            model,
            self.world.address_in_pods(),
            self.world.settings().region.clone(),
        ))
    }

    async fn call(&mut self, key: &str, request: &ApiRequest) -> Result<Observation, Trouble> {
        let now = self.world.now();
        match self.clients.get_mut(key) {
            Some(client) => {
                let outcome = client.call(request, now).await?;
                Ok(Observation::call(&outcome).by(client.pod()))
            }
            None => Err(Trouble::new(format!("no {key}"))),
        }
    }
}
