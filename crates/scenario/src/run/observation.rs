//! What a step showed.

use std::collections::BTreeMap;

use emu_cluster::{FetchResponse, PodName, ProgramOutput};
use emu_core::{
    Entry, Event, Timestamp,
    journal::{ErrorSummary, MutationReason},
};
use emu_policy::Verdict;
use k8s_openapi::api::core::v1::Pod;
use serde::Serialize;
use std::sync::Arc;

use super::Trouble;
use crate::{client::Outcome, file::CredentialSource};

/// What a step showed: the answer it got, and what the journal says happened meanwhile.
#[derive(Clone, Debug, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Observation {
    /// The call or change succeeded; absent if there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<bool>,
    /// The HTTP status of the call.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The error of the call or change.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorSummary>,
    /// What the call answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub result: Option<String>,
    /// Who the call ran as.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerSeen>,
    /// What the agent answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<AgentAnswer>,
    /// The pod that was created.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pod: Option<PodSeen>,
    /// The program that was run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<ProgramSeen>,
    /// The verdicts of the policy engine, with the hop they belong to (0: none).
    #[serde(skip)]
    pub verdicts: Vec<(u8, Verdict)>,
    /// Requests made meanwhile: agent, EKS Auth, STS, S3.
    pub requests: BTreeMap<&'static str, u64>,
    /// What the agent logged meanwhile.
    pub agent_log: Vec<String>,
    /// What EKS Auth knew and did not say.
    pub details: Vec<String>,
    /// The pod that acted.
    #[serde(skip)]
    pub subject: Option<PodName>,
    /// What the webhook had decided for that pod, and what it noted.
    #[serde(skip)]
    pub admitted: Option<(MutationReason, Option<String>)>,
    /// What happened meanwhile.
    #[serde(skip)]
    pub entries: Vec<Arc<Entry>>,
}

/// Who a call ran as.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct CallerSeen {
    pub source: CredentialSource,
    pub arn: String,
    pub account: String,
    pub role: Option<String>,
    pub role_arn: Option<String>,
    pub session_name: Option<String>,
    pub access_key_id: Option<String>,
    pub tags: BTreeMap<String, String>,
    pub issued_at: Option<Timestamp>,
    pub expires_at: Option<Timestamp>,
}

/// What the agent answered. Credentials are left out of bodies.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct AgentAnswer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// A pod as it was admitted.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
#[allow(missing_docs)]
pub struct PodSeen {
    pub mutated: Option<bool>,
    pub reason: Option<MutationReason>,
    pub detail: Option<String>,
    pub env: BTreeMap<String, String>,
    pub labels: BTreeMap<String, String>,
    pub volumes: Vec<String>,
    pub name: String,
    pub uid: String,
}

/// How a program ended.
#[derive(Clone, Debug, Serialize)]
#[allow(missing_docs)]
pub struct ProgramSeen {
    pub exit: Option<i32>,
    pub signal: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Observation {
    /// Something was done, and there is nothing to see.
    pub fn done() -> Self {
        Self::default()
    }

    /// A change at AWS: refusals are observations, the rest is trouble.
    ///
    /// # Errors
    /// The trouble, if it was none of AWS's refusals.
    pub fn of(outcome: Result<(), Trouble>) -> Result<Self, Trouble> {
        match outcome {
            Ok(()) => Ok(Self {
                allowed: Some(true),
                ..Self::default()
            }),
            Err(Trouble {
                refused: Some(error),
                ..
            }) => Ok(Self {
                allowed: Some(false),
                status: Some(error.status),
                error: Some(ErrorSummary {
                    code: error.code.to_string(),
                    message: error.message.clone(),
                }),
                details: error.detail.clone().into_iter().collect(),
                verdicts: error
                    .verdict
                    .as_deref()
                    .and_then(|v| serde_json::from_value(v.clone()).ok())
                    .map(|v| (0, v))
                    .into_iter()
                    .collect(),
                ..Self::default()
            }),
            Err(trouble) => Err(trouble),
        }
    }

    /// A pod was created.
    pub fn pod(pod: Pod) -> Self {
        let metadata = pod.metadata;
        let spec = pod.spec.unwrap_or_default();
        let env = spec
            .containers
            .into_iter()
            .next()
            .and_then(|container| container.env)
            .unwrap_or_default();
        Self {
            allowed: Some(true),
            pod: Some(PodSeen {
                mutated: None,
                reason: None,
                detail: None,
                env: env
                    .into_iter()
                    .map(|v| (v.name, v.value.unwrap_or_default()))
                    .collect(),
                labels: metadata.labels.unwrap_or_default(),
                volumes: spec
                    .volumes
                    .unwrap_or_default()
                    .into_iter()
                    .map(|v| v.name)
                    .collect(),
                name: metadata.name.unwrap_or_default(),
                uid: metadata.uid.unwrap_or_default(),
            }),
            ..Self::default()
        }
    }

    /// A pod was refused.
    pub fn refused(message: String) -> Self {
        Self {
            allowed: Some(false),
            error: Some(ErrorSummary {
                code: "Refused".into(),
                message,
            }),
            ..Self::default()
        }
    }

    /// The agent answered.
    pub fn agent(response: &FetchResponse) -> Self {
        Self {
            allowed: Some(response.status == 200),
            status: Some(response.status),
            agent: Some(AgentAnswer::of(response)),
            ..Self::default()
        }
    }

    /// Nobody answered.
    pub fn no_answer(message: String) -> Self {
        Self {
            allowed: Some(false),
            error: Some(ErrorSummary {
                code: "NoAnswer".into(),
                message,
            }),
            ..Self::default()
        }
    }

    /// A program ended.
    pub fn program(output: ProgramOutput) -> Self {
        Self {
            allowed: Some(output.success()),
            program: Some(ProgramSeen {
                exit: output.code,
                signal: output.signal,
                stdout: output.stdout_text(),
                stderr: output.stderr_text(),
            }),
            ..Self::default()
        }
    }

    /// A program that still runs.
    pub fn program_so_far(output: ProgramOutput) -> Self {
        Self {
            allowed: None,
            ..Self::program(output)
        }
    }

    /// A client called.
    pub fn call(outcome: &Outcome) -> Self {
        let answer = outcome.answer.as_ref();
        let error = match (answer, &outcome.failure) {
            (Some(answer), _) if !answer.ok() => Some(ErrorSummary {
                code: answer
                    .code
                    .clone()
                    .unwrap_or_else(|| answer.status.to_string()),
                message: answer.message.clone().unwrap_or_default(),
            }),
            (None, Some(failure)) => Some(ErrorSummary {
                code: "NoCredentials".into(),
                message: failure.clone(),
            }),
            _ => None,
        };
        Self {
            allowed: Some(answer.is_some_and(crate::client::ApiAnswer::ok)),
            status: answer.map(|a| a.status),
            error,
            result: answer.map(|a| a.body.clone()),
            caller: Some(CallerSeen {
                source: outcome.source,
                arn: String::new(),
                account: String::new(),
                role: None,
                role_arn: None,
                session_name: None,
                access_key_id: outcome.access_key_id.clone(),
                tags: BTreeMap::new(),
                issued_at: None,
                expires_at: None,
            }),
            agent: outcome.agent.as_ref().map(AgentAnswer::of),
            ..Self::default()
        }
    }

    /// Adds what the journal says happened meanwhile. `all` is the whole journal, for sessions issued earlier.
    pub fn read_journal(&mut self, meanwhile: Vec<Arc<Entry>>, all: &[Arc<Entry>]) {
        for entry in &meanwhile {
            self.read_entry(&entry.event);
        }
        if let Some(caller) = &mut self.caller {
            caller.read_session(all);
        }
        if let Some(subject) = &self.subject {
            self.admitted = all.iter().rev().find_map(|entry| match &entry.event {
                Event::PodAdmitted {
                    pod,
                    reason,
                    detail,
                    ..
                } if pod.namespace == subject.namespace && pod.name == subject.name => {
                    Some((*reason, detail.clone()))
                }
                _ => None,
            });
        }
        self.entries = meanwhile;
    }

    /// Says which pod acted.
    #[must_use]
    pub fn by(mut self, pod: &PodName) -> Self {
        self.subject = Some(pod.clone());
        self
    }

    fn read_entry(&mut self, event: &Event) {
        let mut count = |what: &'static str| *self.requests.entry(what).or_default() += 1;
        match event {
            Event::AgentRequest { .. } => count("agent"),
            Event::AuthCall { detail, .. } => {
                count("eksAuth");
                self.details.extend(detail.clone());
            }
            Event::ApiCall {
                service,
                caller,
                verdict,
                ..
            } => {
                match service.as_str() {
                    "sts" => count("sts"),
                    "s3" => count("s3"),
                    _ => {}
                }
                if let Some(seen) = &mut self.caller
                    && seen.access_key_id.is_some()
                    && seen.access_key_id == caller.access_key_id
                {
                    seen.arn.clone_from(&caller.arn);
                    seen.account.clone_from(&caller.account);
                    seen.role_arn.clone_from(&caller.role_arn);
                    seen.session_name.clone_from(&caller.session_name);
                    seen.role = caller
                        .role_arn
                        .as_deref()
                        .and_then(|arn| arn.rsplit('/').next())
                        .map(str::to_owned);
                }
                self.verdicts
                    .extend(read_verdict(verdict.as_ref()).map(|v| (0, v)));
            }
            Event::TrustEvaluated { hop, verdict, .. } => {
                self.verdicts
                    .extend(read_verdict(Some(verdict)).map(|v| (*hop, v)));
            }
            Event::PodAdmitted {
                pod,
                mutated,
                reason,
                detail,
                ..
            } => {
                // A real API server gives the uid after admission.
                if let Some(seen) = &mut self.pod
                    && seen.name == pod.name
                    && (seen.uid == pod.uid || pod.uid.is_empty())
                {
                    seen.mutated = Some(*mutated);
                    seen.reason = Some(*reason);
                    seen.detail.clone_from(detail);
                }
            }
            Event::Log {
                component, line, ..
            } if component == "agent" => self.agent_log.push(line.clone()),
            _ => {}
        }
    }
}

impl CallerSeen {
    fn read_session(&mut self, all: &[Arc<Entry>]) {
        for entry in all.iter().rev() {
            if let Event::SessionIssued {
                access_key_id,
                tags,
                issued_at,
                expires_at,
                ..
            } = &entry.event
                && Some(access_key_id) == self.access_key_id.as_ref()
            {
                self.tags.clone_from(tags);
                self.issued_at = Some(*issued_at);
                self.expires_at = Some(*expires_at);
                return;
            }
        }
    }
}

impl AgentAnswer {
    fn of(response: &FetchResponse) -> Self {
        Self {
            status: response.status,
            headers: response.headers.clone(),
            body: if response.status == 200 {
                without_secrets(&response.text())
            } else {
                response.text()
            },
        }
    }
}

/// Credentials with their secrets taken out, their form kept.
fn without_secrets(body: &str) -> String {
    match serde_json::from_str::<serde_json::Value>(body) {
        Ok(mut value) => {
            for name in ["SecretAccessKey", "Token"] {
                if let Some(secret) = value.get_mut(name) {
                    *secret = "***".into();
                }
            }
            value.to_string()
        }
        Err(_) => body.to_owned(),
    }
}

fn read_verdict(value: Option<&serde_json::Value>) -> Option<Verdict> {
    serde_json::from_value(value?.clone()).ok()
}
