//! What the agent counts, in Prometheus's text format and under the agent's names.

use std::{
    collections::BTreeMap,
    fmt::Write,
    sync::{Arc, Mutex, PoisonError},
};

/// Counters with labels; clones are the same counters.
#[derive(Clone, Debug, Default)]
pub(crate) struct Metrics(Arc<Mutex<BTreeMap<(Counter, String), u64>>>);

/// A counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Counter {
    CacheErrors,
    CacheState,
    HttpResponse,
    LocalValidation,
}

impl Counter {
    const fn name_and_help(self) -> (&'static str, &'static str) {
        match self {
            Self::CacheErrors => (
                "pod_identity_cache_errors",
                "Removing credentials from cache, got non recoverable error",
            ),
            Self::CacheState => (
                "pod_identity_cache_state",
                "The state of credential in cache",
            ),
            Self::HttpResponse => (
                "pod_identity_http_response",
                "Pod Identity http response code",
            ),
            Self::LocalValidation => (
                "pod_identity_local_validation",
                "Outcome of local token validation: success, failure, or skipped",
            ),
        }
    }
}

impl Metrics {
    /// Counts one. `labels` is the text between the braces.
    pub(crate) fn count(&self, counter: Counter, labels: String) {
        *self.lock().entry((counter, labels)).or_default() += 1;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<(Counter, String), u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The page served at `/metrics`. `answered` are the replies counted apart, with status 200.
    pub(crate) fn render(&self, answered: u64) -> String {
        let mut all = self.lock().clone();
        if answered > 0 {
            *all.entry((Counter::HttpResponse, "code=\"200\"".into()))
                .or_default() += answered;
        }
        let mut out = String::new();
        let mut last = None;
        for ((counter, labels), value) in &all {
            let (name, help) = counter.name_and_help();
            if last != Some(*counter) {
                let _ = write!(out, "# HELP {name} {help}\n# TYPE {name} counter\n");
                last = Some(*counter);
            }
            let _ = writeln!(out, "{name}{{{labels}}} {value}");
        }
        out.push_str(&process());
        out
    }
}

/// What Prometheus's Go client says of the process, as far as it is cheap to say.
fn process() -> String {
    let mut out = String::new();
    let mut gauge = |name: &str, help: &str, value: Option<u64>| {
        if let Some(value) = value {
            let _ = write!(
                out,
                "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}\n"
            );
        }
    };
    let open = std::fs::read_dir("/proc/self/fd")
        .ok()
        .map(|entries| entries.count() as u64);
    gauge("process_open_fds", "Number of open file descriptors.", open);
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let resident = pages.and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    gauge(
        "process_resident_memory_bytes",
        "Resident memory size in bytes.",
        resident.map(|pages| pages * 4_096),
    );
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_prometheus_text() {
        let metrics = Metrics::default();
        metrics.count(Counter::HttpResponse, "code=\"400\"".into());
        metrics.count(Counter::CacheState, "state=\"miss\"".into());
        let page = metrics.render(3);
        let expected = "# HELP pod_identity_cache_state The state of credential in cache\n\
            # TYPE pod_identity_cache_state counter\npod_identity_cache_state{state=\"miss\"} 1\n\
            # HELP pod_identity_http_response Pod Identity http response code\n\
            # TYPE pod_identity_http_response counter\npod_identity_http_response{code=\"200\"} 3\n\
            pod_identity_http_response{code=\"400\"} 1\n";
        assert!(page.starts_with(expected), "{page}");
    }
}
