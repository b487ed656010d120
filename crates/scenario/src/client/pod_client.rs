//! A client that lives in a pod and keeps its credentials as SDKs do.

use std::{collections::BTreeMap, sync::Arc};

use emu_cluster::{Cluster, FetchRequest, FetchResponse, PodName};
use emu_core::Timestamp;

use super::{
    ApiAnswer, ApiRequest, ChainFailure, Credentials,
    chain::{self, Surroundings},
    signed,
};
use crate::{
    file::CredentialSource,
    given::{ClientModel, CredentialRefresh},
    run::Trouble,
};

/// A client in a pod.
pub struct PodClient {
    cluster: Arc<dyn Cluster>,
    pod: PodName,
    model: ClientModel,
    credentials: Option<Credentials>,
    kept_token: Option<String>,
    endpoint: String,
    region: String,
}

/// What came of a call.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Where the credentials came from.
    pub source: CredentialSource,
    /// The access key id the call was signed with.
    pub access_key_id: Option<String>,
    /// What the API answered; absent if there were no credentials to sign with.
    pub answer: Option<ApiAnswer>,
    /// What the agent answered, if it was asked and refused.
    pub agent: Option<FetchResponse>,
    /// Why there were no credentials.
    pub failure: Option<String>,
}

impl PodClient {
    /// A client in a pod; `endpoint` is where the emulator answers inside pods.
    pub fn new(
        cluster: Arc<dyn Cluster>,
        pod: PodName,
        model: ClientModel,
        endpoint: String,
        region: String,
    ) -> Self {
        Self {
            cluster,
            pod,
            model,
            credentials: None,
            kept_token: None,
            endpoint,
            region,
        }
    }

    /// The pod it lives in.
    pub fn pod(&self) -> &PodName {
        &self.pod
    }

    /// Calls an API.
    ///
    /// # Errors
    /// If the pod does not exist, or nobody answers where the emulator should.
    pub async fn call(&mut self, request: &ApiRequest, now: Timestamp) -> Result<Outcome, Trouble> {
        let credentials = match self.credentials(now).await? {
            Ok(credentials) => credentials,
            Err(failure) => {
                return Ok(Outcome {
                    source: CredentialSource::None,
                    access_key_id: None,
                    answer: None,
                    agent: failure.agent,
                    failure: Some(failure.message),
                });
            }
        };
        let mut fetch = FetchRequest {
            method: request.method.into(),
            target: Some(self.endpoint.clone()),
            path: request.path.clone(),
            body: request.body.clone(),
            ..FetchRequest::default()
        };
        fetch.headers = signed(
            request,
            &credentials.keys,
            &self.endpoint,
            &self.region,
            now,
        )?;
        let response = self
            .cluster
            .fetch(&self.pod, fetch.header("user-agent", "emu-client/1"))
            .await?;
        let answer = ApiAnswer::read(
            response.status,
            |name| response.header(name).map(str::to_owned),
            response.text(),
        );
        Ok(Outcome {
            source: credentials.source,
            access_key_id: Some(credentials.keys.access_key_id),
            answer: Some(answer),
            agent: None,
            failure: None,
        })
    }

    async fn credentials(
        &mut self,
        now: Timestamp,
    ) -> Result<Result<Credentials, ChainFailure>, Trouble> {
        if self.model.session_per_call {
            self.credentials = None;
        }
        let left = |c: &Credentials| {
            c.expires_at
                .map_or(i64::MAX, |at| at.as_second() - now.as_second())
        };
        if let Some(kept) = &self.credentials {
            let window = match self.model.credential_refresh {
                CredentialRefresh::AtExpiry => 0,
                CredentialRefresh::Before(span) => span.get().as_secs() as i64,
                CredentialRefresh::Never => i64::MIN,
            };
            if left(kept) > window {
                return Ok(Ok(kept.clone()));
            }
        }
        let env = self.env().await?;
        let found = chain::resolve(&mut Surroundings {
            cluster: self.cluster.as_ref(),
            pod: &self.pod,
            env: &env,
            model: &self.model,
            kept_token: &mut self.kept_token,
            endpoint: &self.endpoint,
        })
        .await;
        match (found, &self.credentials) {
            (Ok(credentials), _) => {
                self.credentials = Some(credentials.clone());
                Ok(Ok(credentials))
            }
            // botocore: within 15 minutes of expiry it tries, within 10 it insists (measured).
            (Err(_), Some(kept)) if left(kept) > 600 => Ok(Ok(kept.clone())),
            (Err(failure), _) => Ok(Err(failure)),
        }
    }

    async fn env(&self) -> Result<BTreeMap<String, String>, Trouble> {
        let pod = self.cluster.pod(&self.pod).await?;
        let variables = pod
            .spec
            .and_then(|spec| spec.containers.into_iter().next())
            .and_then(|container| container.env)
            .unwrap_or_default();
        Ok(variables
            .into_iter()
            .map(|v| (v.name, v.value.unwrap_or_default()))
            .collect())
    }
}
