//! The metrics of the original, in Prometheus' text format.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::{Decided, Mode};

/// The upper bounds of the latency buckets, in microseconds: 125 ms to 8 s, and how Prometheus writes them.
const BUCKETS: [(f64, &str); 7] = [
    (125_000.0, "125000"),
    (250_000.0, "250000"),
    (500_000.0, "500000"),
    (1e6, "1e+06"),
    (2e6, "2e+06"),
    (4e6, "4e+06"),
    (8e6, "8e+06"),
];

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    requests: Mutex<BTreeMap<(String, String), Requests>>,
    pod_identity: AtomicU64,
    irsa: AtomicU64,
    missing: AtomicU64,
    scrapes: AtomicU64,
}

/// The requests of one path and verb.
#[derive(Debug, Default)]
struct Requests {
    by_code: BTreeMap<u16, u64>,
    buckets: [u64; BUCKETS.len()],
    count: u64,
    sum: f64,
}

impl Metrics {
    /// Counts a request.
    pub(super) fn request(&self, verb: &str, path: &str, code: u16, took: Duration) {
        let micros = took.as_micros() as f64;
        let mut all = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let requests = all.entry((path.to_owned(), verb.to_owned())).or_default();
        *requests.by_code.entry(code).or_default() += 1;
        for (bucket, (bound, _)) in requests.buckets.iter_mut().zip(BUCKETS) {
            *bucket += u64::from(micros <= bound);
        }
        requests.count += 1;
        requests.sum += micros;
    }

    /// Counts a decision.
    pub(super) fn decided(&self, decided: &Decided) {
        match decided.mode {
            Some(Mode::PodIdentity) => self.pod_identity.fetch_add(1, Ordering::Relaxed),
            Some(Mode::Irsa) => self.irsa.fetch_add(1, Ordering::Relaxed),
            None => 0,
        };
        if decided.account_missing {
            self.missing.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Everything, and the scrape itself counted.
    pub(super) fn text(&self, used: bool) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut out, used);
        self.scrapes.fetch_add(1, Ordering::Relaxed);
        out
    }

    fn write(&self, out: &mut String, used: bool) -> std::fmt::Result {
        self.write_requests(out)?;
        let missing = self.missing.load(Ordering::Relaxed);
        if missing > 0 {
            head(
                out,
                "pod_identity_webhook_missing_sa_count",
                "Service account did not have the right annotations or was not found in the cache.",
                "counter",
            )?;
            writeln!(out, "pod_identity_webhook_missing_sa_count {missing}")?;
        }
        let modes = [
            (
                "container_credentials",
                self.pod_identity.load(Ordering::Relaxed),
            ),
            ("sts_web_identity", self.irsa.load(Ordering::Relaxed)),
        ];
        if modes.iter().any(|(_, count)| *count > 0) {
            head(
                out,
                "pod_identity_webhook_pod_count",
                "Indicator to how many pods are using sts web identity or container credentials",
                "counter",
            )?;
            for (method, count) in modes.into_iter().filter(|(_, count)| *count > 0) {
                writeln!(
                    out,
                    "pod_identity_webhook_pod_count{{method=\"{method}\"}} {count}"
                )?;
            }
        }
        head(
            out,
            "pod_identity_webhook_used",
            "Indicator to know pod identity webhook is used",
            "gauge",
        )?;
        writeln!(out, "pod_identity_webhook_used {}", u8::from(used))?;
        head(
            out,
            "promhttp_metric_handler_requests_in_flight",
            "Current number of scrapes being served.",
            "gauge",
        )?;
        writeln!(out, "promhttp_metric_handler_requests_in_flight 1")?;
        head(
            out,
            "promhttp_metric_handler_requests_total",
            "Total number of scrapes by HTTP status code.",
            "counter",
        )?;
        let scrapes = self.scrapes.load(Ordering::Relaxed);
        for (code, count) in [(200, scrapes), (500, 0), (503, 0)] {
            writeln!(
                out,
                "promhttp_metric_handler_requests_total{{code=\"{code}\"}} {count}"
            )?;
        }
        Ok(())
    }

    fn write_requests(&self, out: &mut String) -> std::fmt::Result {
        let all = self.requests.lock().unwrap_or_else(PoisonError::into_inner);
        if all.is_empty() {
            return Ok(());
        }
        head(
            out,
            "http_request_count",
            "Counter of requests broken out for each verb, path, and response code.",
            "counter",
        )?;
        for ((path, verb), requests) in &*all {
            let (path, verb) = (escaped(path), escaped(verb));
            for (code, count) in &requests.by_code {
                writeln!(
                    out,
                    "http_request_count{{code=\"{code}\",path=\"{path}\",verb=\"{verb}\"}} {count}"
                )?;
            }
        }
        let name = "http_request_duration_microseconds";
        head(
            out,
            name,
            "Response latency summary in microseconds for each verb and path.",
            "summary",
        )?;
        for ((path, verb), requests) in &*all {
            let labels = format!("path=\"{}\",verb=\"{}\"", escaped(path), escaped(verb));
            writeln!(out, "{name}_sum{{{labels}}} {}", requests.sum)?;
            writeln!(out, "{name}_count{{{labels}}} {}", requests.count)?;
        }
        let name = "http_request_latencies";
        head(
            out,
            name,
            "Response latency distribution in microseconds for each verb and path",
            "histogram",
        )?;
        for ((path, verb), requests) in &*all {
            let labels = format!("path=\"{}\",verb=\"{}\"", escaped(path), escaped(verb));
            for (count, (_, bound)) in requests.buckets.iter().zip(BUCKETS) {
                writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {count}")?;
            }
            writeln!(
                out,
                "{name}_bucket{{{labels},le=\"+Inf\"}} {}",
                requests.count
            )?;
            writeln!(out, "{name}_sum{{{labels}}} {}", requests.sum)?;
            writeln!(out, "{name}_count{{{labels}}} {}", requests.count)?;
        }
        Ok(())
    }
}

fn head(out: &mut String, name: &str, help: &str, kind: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

fn escaped(label: &str) -> String {
    label
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}
