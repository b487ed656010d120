//! `fetch`: a raw request to the agent, from within a pod.

use std::collections::BTreeMap;

use emu_cluster::FetchRequest;
use emu_core::Span;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    file::Located,
    run::{Observation, Play, Trouble},
};

/// A raw request.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Fetch {
    /// The pod it comes from.
    pub pod: Located<String>,
    /// What goes into `Authorization`: `pod` (its token, as it is; the default), `none`, a text, or a kept token.
    pub token: Option<TokenSource>,
    /// The method; GET if absent.
    pub method: Option<String>,
    /// The path; `/v1/credentials` if absent.
    pub path: Option<String>,
    /// Where to connect; the agent if absent.
    pub target: Option<String>,
    /// Further headers.
    pub headers: BTreeMap<String, String>,
    /// The `Host` header; the true one if absent.
    pub host: Option<String>,
    /// How long to wait, in real time; 10 s if absent.
    pub timeout: Option<Span>,
}

/// What goes into `Authorization`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    rename_all = "camelCase",
    expecting = "`pod`, `none`, a text, or `{ kept: NAME }`"
)]
pub enum TokenSource {
    /// `pod`, `none`, or a text as it is.
    Text(String),
    /// A token that a `token` step kept.
    Kept {
        /// Its name.
        kept: Located<String>,
    },
}

impl Fetch {
    pub(super) fn title(&self) -> String {
        format!("from {}", self.pod)
    }

    pub(super) async fn perform(&self, play: &mut Play) -> Result<Observation, Trouble> {
        let (cluster, pod) = play.world.pod(&self.pod)?;
        let mut request = FetchRequest {
            method: self.method.clone().unwrap_or_else(|| "GET".into()),
            target: self.target.clone(),
            path: self
                .path
                .clone()
                .unwrap_or_else(|| "/v1/credentials".into()),
            timeout: self
                .timeout
                .map_or(std::time::Duration::from_secs(10), Span::get),
            ..FetchRequest::default()
        };
        if let Some(host) = &self.host {
            request = request.header("Host", host);
        }
        let text = match &self.token {
            None => Some("pod"),
            Some(TokenSource::Text(text)) => Some(text.as_str()),
            Some(TokenSource::Kept { kept }) => {
                request = request.header("Authorization", play.token(kept)?);
                None
            }
        };
        match text {
            None | Some("none") => {}
            Some("pod") => {
                let token = cluster
                    .read_token(&pod, emu_cloud::eks_auth::AUDIENCE)
                    .await
                    .map_err(Trouble::from)?;
                request = request.header("Authorization", token);
            }
            Some(text) => request = request.header("Authorization", text),
        }
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match cluster.fetch(&pod, request).await {
            Ok(response) => Ok(Observation::agent(&response).by(&pod)),
            Err(e) => Ok(Observation::no_answer(Trouble::from(e).message).by(&pod)),
        }
    }
}
