//! `call`: an AWS API, as a pod, as a client of its own, or as the administrator.

use std::collections::BTreeMap;

use emu_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    client::{self, Parameters},
    file::Located,
    run::{Observation, Play, Trouble},
};

/// A call.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct CallApi {
    /// The pod that calls.
    pub pod: Option<Located<String>>,
    /// The client of its own that calls.
    pub client: Option<Located<String>>,
    /// `admin`: the administrator of the default account, or an account's id or alias: its administrator.
    #[serde(rename = "as")]
    pub admin: Option<Located<String>>,
    /// The action, such as `s3:ListBucket`.
    pub action: Located<String>,
    /// The bucket; the first one given if absent.
    pub bucket: Option<Located<String>>,
    /// The object's key.
    pub key: Option<String>,
    /// The prefix, for `s3:ListBucket`.
    pub prefix: Option<String>,
    /// The object's content, for `s3:PutObject`.
    pub body: Option<String>,
    /// The role, for `sts:AssumeRole` and `iam:GetRole`: a name from `roles`, or an ARN.
    pub role: Option<Located<String>>,
    /// The session's name, for `sts:AssumeRole`.
    pub session_name: Option<String>,
    /// The external id, for `sts:AssumeRole`.
    pub external_id: Option<String>,
    /// Session tags, for `sts:AssumeRole`.
    pub tags: BTreeMap<String, String>,
    /// The session's duration, for `sts:AssumeRole`.
    pub duration: Option<Span>,
    /// The cluster, for EKS.
    pub cluster: Option<Located<String>>,
    /// How often to call; once if absent. What is observed is the last call.
    pub times: Option<u32>,
}

impl CallApi {
    pub(super) fn title(&self) -> String {
        let who = [&self.client, &self.pod, &self.admin]
            .into_iter()
            .flatten()
            .next()
            .map_or("nobody", |name| name.as_str());
        format!("{} as {who}", self.action)
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let parameters = self.parameters(play)?;
        let request = client::request(&self.action, &parameters)?;
        let mut observation = Observation::done();
        for _ in 0..self.times.unwrap_or(1).max(1) {
            observation = match (&self.client, &self.pod, &self.admin) {
                (Some(client), None, None) => play.call_as_client(client, &request).await?,
                (None, Some(pod), None) => play.call_as_pod(pod, &request).await?,
                (None, None, Some(account)) => play.call_as_admin(account, &request).await?,
                _ => {
                    return Err(Trouble::new(
                        "a call needs exactly one of `pod`, `client` and `as`",
                    )
                    .at(&self.action));
                }
            };
        }
        Ok(observation)
    }

    fn parameters(&self, play: &Play) -> Result<Parameters, Trouble> {
        let world = &play.world;
        Ok(Parameters {
            bucket: match &self.bucket {
                Some(bucket) => bucket.value.clone(),
                None => world.first_bucket().unwrap_or_else(|| "example".into()),
            },
            key: self.key.clone(),
            prefix: self.prefix.clone(),
            body: self.body.clone(),
            role: match &self.role {
                Some(role) => Some(world.role_arn(role)?),
                None => None,
            },
            session_name: self.session_name.clone(),
            external_id: self.external_id.clone(),
            tags: self.tags.clone(),
            seconds: self.duration.map(|d| d.get().as_secs()),
            cluster: match &self.cluster {
                Some(cluster) => cluster.value.clone(),
                None => world.cluster(None)?.name().to_owned(),
            },
        })
    }
}
