//! Faults of API calls, as scenarios and the control API put them: a small table looked through once a request.

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering::Relaxed},
};

use emu_cloud::{Cloud, ServiceError};
use emu_core::{Event, Span, journal::PodRef};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::services::Service;

/// A fault: where it sits, whom it hits, what it does, and how often.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Fault {
    /// The service's signing name (`eks-auth`, `sts`, `iam`, `eks`, `s3`), or `*` for all.
    #[serde(rename = "where")]
    pub place: String,
    /// The operation, such as `AssumeRole`; `*` stands for any run of characters. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Only requests from this pod, `namespace/name`; `*` as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod: Option<String>,
    /// Only requests whose `User-Agent` fits; `*` as above.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
    /// What happens.
    pub what: Effect,
    /// How many requests are let through first.
    #[serde(default)]
    pub skip: u32,
    /// How many requests it hits, then it is over. Absent: without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Which share of the fitting requests it hits, 0 to 1. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<f64>,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum Effect {
    /// The service answers this error, in its protocol. Nothing is done.
    Error {
        /// The error's name, such as `ServiceUnavailableException`.
        code: String,
        /// The HTTP status.
        status: u16,
        /// The message.
        #[serde(default)]
        message: String,
    },
    /// These bytes are answered, whatever the protocol. Nothing is done.
    Answer {
        /// The HTTP status.
        status: u16,
        /// The content type.
        #[serde(default)]
        content_type: Option<String>,
        /// The body.
        #[serde(default)]
        body: String,
    },
    /// The answer comes this much later, by the emulator's clock.
    Latency {
        /// At least this much.
        delay: Span,
        /// Up to this much more.
        #[serde(default)]
        jitter: Span,
    },
    /// The connection is closed without an answer. Nothing is done.
    Close,
    /// No answer ever comes. Nothing is done.
    Blackhole,
    /// The call is carried out, then the connection is closed without an answer.
    ResponseLost,
    /// The call is carried out; of the answer's body only so many bytes arrive.
    Truncate {
        /// How many.
        bytes: usize,
    },
}

impl Effect {
    /// Its word, as in scenario files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Error { .. } => "error",
            Self::Answer { .. } => "answer",
            Self::Latency { .. } => "latency",
            Self::Close => "close",
            Self::Blackhole => "blackhole",
            Self::ResponseLost => "response-lost",
            Self::Truncate { .. } => "truncate",
        }
    }
}

/// A fault in the table, with its number and how often it has struck.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Listed {
    /// Its number.
    pub id: u64,
    /// How many requests it has hit.
    pub hits: u32,
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
}

#[derive(Debug)]
struct Entry {
    listed: Listed,
    seen: u32,
}

/// The table; clones are the same table.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Table>);

#[derive(Debug, Default)]
struct Table {
    entries: Mutex<Vec<Entry>>,
    /// So that a request costs nothing while there are no faults.
    any: AtomicBool,
    last_id: std::sync::atomic::AtomicU64,
}

/// What of a request a fault may look at.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    pub(crate) service: Service,
    pub(crate) action: &'a str,
    pub(crate) pod: Option<&'a PodRef>,
    pub(crate) user_agent: Option<&'a str>,
}

impl Faults {
    /// Puts a fault in place and gives its number.
    pub fn add(&self, fault: Fault) -> u64 {
        let id = self.0.last_id.fetch_add(1, Relaxed) + 1;
        let mut entries = self.lock();
        entries.push(Entry {
            listed: Listed { id, hits: 0, fault },
            seen: 0,
        });
        self.0.any.store(true, Relaxed);
        id
    }

    /// Takes a fault away; `false` if there is none of that number.
    pub fn remove(&self, id: u64) -> bool {
        let mut entries = self.lock();
        let before = entries.len();
        entries.retain(|entry| entry.listed.id != id);
        self.0.any.store(!entries.is_empty(), Relaxed);
        entries.len() < before
    }

    /// Takes all faults away.
    pub fn clear(&self) {
        self.lock().clear();
        self.0.any.store(false, Relaxed);
    }

    /// All faults, in the order they were put in place.
    pub fn list(&self) -> Vec<Listed> {
        self.lock()
            .iter()
            .map(|entry| entry.listed.clone())
            .collect()
    }

    /// Whether any fault is in place.
    pub(crate) fn any(&self) -> bool {
        self.0.any.load(Relaxed)
    }

    /// The effects that strike a request, each written down in the journal.
    pub(crate) fn strike(&self, cloud: &Cloud, subject: &Subject<'_>) -> Vec<Effect> {
        let mut effects = Vec::new();
        for entry in self.lock().iter_mut() {
            let fault = &entry.listed.fault;
            if fault.times.is_some_and(|times| entry.listed.hits >= times) || !fault.fits(subject) {
                continue;
            }
            entry.seen = entry.seen.saturating_add(1);
            if entry.seen <= fault.skip {
                continue;
            }
            if let Some(share) = fault.share
                && cloud.ids().below(1_000_000) as f64 >= share * 1_000_000.0
            {
                continue;
            }
            entry.listed.hits = entry.listed.hits.saturating_add(1);
            effects.push(fault.what.clone());
        }
        for effect in &effects {
            cloud.journal().record(Event::FaultInjected {
                place: subject.service.signing_name().into(),
                fault: effect.name().into(),
                detail: Some(match subject.pod {
                    Some(pod) => format!("{} from {}/{}", subject.action, pod.namespace, pod.name),
                    None => subject.action.to_owned(),
                }),
            });
        }
        effects
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0
            .entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    /// A fault that hits every request to a service.
    pub fn new(place: impl Into<String>, what: Effect) -> Self {
        Self {
            place: place.into(),
            action: None,
            pod: None,
            user_agent: None,
            what,
            skip: 0,
            times: None,
            share: None,
        }
    }

    /// The same for one operation.
    #[must_use]
    pub fn on(mut self, action: impl Into<String>) -> Self {
        self.action = Some(action.into());
        self
    }

    /// The same for so many requests.
    #[must_use]
    pub fn times(mut self, times: u32) -> Self {
        self.times = Some(times);
        self
    }

    fn fits(&self, subject: &Subject<'_>) -> bool {
        glob(&self.place, subject.service.signing_name())
            && self
                .action
                .as_deref()
                .is_none_or(|p| glob(p, subject.action))
            && self.pod.as_deref().is_none_or(|pattern| {
                subject
                    .pod
                    .is_some_and(|pod| glob(pattern, &format!("{}/{}", pod.namespace, pod.name)))
            })
            && self
                .user_agent
                .as_deref()
                .is_none_or(|pattern| subject.user_agent.is_some_and(|ua| glob(pattern, ua)))
    }
}

/// The error a fault makes a service answer.
pub(crate) fn error(code: &str, status: u16, message: &str) -> ServiceError {
    ServiceError::new(code.to_owned(), status, message).because("a fault was injected")
}

/// `*` stands for any run of characters.
fn glob(pattern: &str, text: &str) -> bool {
    let Some((head, mut rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(head) else {
        return false;
    };
    while let Some((middle, after)) = rest.split_once('*') {
        let Some(at) = text.find(middle) else {
            return false;
        };
        text = &text[at + middle.len()..];
        rest = after;
    }
    text.ends_with(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(action: &str) -> Subject<'_> {
        Subject {
            service: Service::EksAuth,
            action,
            pod: None,
            user_agent: Some("aws-cli/2.0 Python"),
        }
    }

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("*", "", true),
            ("a*c", "abc", true),
            ("a*c", "ab", false),
            ("*b*", "abc", true),
            ("a", "ab", false),
            ("a*b*c", "a-b-b-c", true),
        ] {
            assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
        }
    }

    #[test]
    fn a_fault_skips_strikes_and_is_over() {
        let clock = emu_core::Clock::new();
        let journal = emu_core::Journal::new(clock.clone(), 100);
        let cloud = Cloud::new(
            clock,
            journal,
            emu_core::Settings::default(),
            emu_core::Ids::seeded(1),
        );
        let faults = Faults::default();
        let mut fault = Fault::new("eks-auth", Effect::Close).on("Assume*").times(2);
        fault.skip = 1;
        faults.add(fault);
        let strikes: Vec<usize> = (0..5)
            .map(|_| {
                faults
                    .strike(&cloud, &subject("AssumeRoleForPodIdentity"))
                    .len()
            })
            .collect();
        assert_eq!(strikes, [0, 1, 1, 0, 0]);
        assert!(faults.strike(&cloud, &subject("Other")).is_empty());
        let struck = cloud
            .journal()
            .since(0)
            .into_iter()
            .filter(|e| matches!(e.event, Event::FaultInjected { .. }))
            .count();
        assert_eq!(struck, 2);
        assert_eq!(faults.list()[0].hits, 2);
    }

    #[test]
    fn is_written_as_the_catalogue_writes_it() {
        let fault: Fault = serde_json::from_value(serde_json::json!({
            "where": "sts", "action": "AssumeRole", "times": 1, "share": 0.5,
            "what": { "latency": { "delay": "300ms" } },
        }))
        .unwrap();
        assert_eq!(fault.what.name(), "latency");
        let wrong = serde_json::json!({ "where": "sts", "what": "close", "tims": 1 });
        assert!(serde_json::from_value::<Fault>(wrong).is_err());
    }
}
