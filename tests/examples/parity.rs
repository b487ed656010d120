//! Plays the library of scenarios on a sandbox with the twin and on a real node, with Amazon's own agent where there is one, and
//! compares what was observed. Prints how many observations were compared and each difference; ends with 1 if one of them is
//! not explained in `parity/explained.json`.
//!
//! Arguments: `--agent PATH` for the node's agent (`auto` if absent), and scenario files or folders (`scenarios` if absent).

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    error::Error,
    path::Path,
    process::{Command, ExitCode, Stdio},
};

use emu_core::Timestamp;
use emu_tests::{binary, no_node};
use regex::Regex;
use serde::Deserialize;
use serde_json::{Map, Value};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A difference that is as it must be.
#[derive(Deserialize)]
struct Explained {
    /// The observation's key, as a regular expression for all of it.
    key: String,
    /// The scenario, as a regular expression for all of its name; any if absent.
    scenario: Option<String>,
    /// The step's title, as a regular expression for all of it; any if absent.
    step: Option<String>,
    /// `real` or `twin`: only where the node has that agent.
    agent: Option<String>,
    /// What the node shows, as a regular expression for all of it; anything if absent.
    node: Option<String>,
    /// Why it is so.
    reason: String,
}

fn main() -> Result<ExitCode> {
    if let Some(why) = no_node() {
        println!("parity: skipped: {why}");
        return Ok(ExitCode::SUCCESS);
    }
    let mut agent = env::var("EMU_REAL_AGENT").unwrap_or_else(|_| "auto".into());
    let mut paths = Vec::new();
    let mut arguments = env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.as_str() {
            "--agent" => agent = arguments.next().ok_or("--agent needs a path")?,
            _ => paths.push(word),
        }
    }
    if paths.is_empty() {
        paths.push(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios").into());
    }
    let emu = binary()?;
    let sandbox = play(&emu, &["--cluster", "sandbox", "--agent", "twin"], &paths)?;
    // Two nodes at a time: much of a start is waiting.
    let on_node = ["--cluster", "node", "--agent", &agent, "-j", "2"];
    let node = play(&emu, &on_node, &paths)?;
    let explained = include_str!("../parity/explained.json");
    let rules: Vec<Explained> = serde_json::from_str(explained)?;
    let kind = match node.played_on.contains("agent real") {
        true => "real",
        false => "twin",
    };
    let comparison = compare(&sandbox, &node, &rules, kind)?;
    println!("{} | {}", sandbox.played_on, node.played_on);
    comparison.tell();
    Ok(match comparison.unexplained.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// What a run showed.
struct Played {
    played_on: String,
    scenarios: BTreeMap<String, Value>,
}

fn play(emu: &Path, arguments: &[&str], paths: &[String]) -> Result<Played> {
    let output = Command::new(emu)
        .arg("run")
        .args(paths)
        .args(arguments)
        .args(["--seed", "1", "-o", "json"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .map_err(|e| format!("emu run {arguments:?} gave no report: {e}"))?;
    let list = report["scenarios"].as_array().ok_or("no scenarios")?;
    let mut scenarios = BTreeMap::new();
    let mut played_on = String::new();
    for one in list {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        if !text("playedOn").is_empty() {
            played_on = text("playedOn");
        }
        scenarios.insert(text("scenario"), one.clone());
    }
    Ok(Played {
        played_on,
        scenarios,
    })
}

#[derive(Default)]
struct Comparison {
    scenarios: usize,
    failed: usize,
    steps: usize,
    observations: usize,
    alike: usize,
    /// By reason.
    explained: BTreeMap<String, usize>,
    unexplained: Vec<String>,
    skipped: Vec<String>,
}

impl Comparison {
    fn tell(&self) {
        for one in &self.skipped {
            println!("not compared: {one}");
        }
        for (reason, times) in &self.explained {
            println!("explained, {times} times: {reason}");
        }
        for one in &self.unexplained {
            println!("DIFFERENT  {one}");
        }
        println!(
            "{} scenarios held on both, {} could not be compared",
            self.scenarios - self.failed,
            self.skipped.len()
        );
        println!(
            "{} observations compared, in {} steps of {} scenarios: {} alike, {} different and explained, {} unexplained",
            self.observations,
            self.steps,
            self.scenarios,
            self.alike,
            self.explained.values().sum::<usize>(),
            self.unexplained.len()
        );
    }
}

fn compare(
    sandbox: &Played,
    node: &Played,
    rules: &[Explained],
    agent: &str,
) -> Result<Comparison> {
    let whole = |pattern: &str| Regex::new(&format!("^(?:{pattern})$"));
    let rules: Vec<([Regex; 4], &Explained)> = rules
        .iter()
        .map(|rule| {
            let or_any = |pattern: &Option<String>| whole(pattern.as_deref().unwrap_or("(?s).*"));
            let scenario = or_any(&rule.scenario)?;
            let patterns = [
                scenario,
                or_any(&rule.step)?,
                whole(&rule.key)?,
                or_any(&rule.node)?,
            ];
            Ok((patterns, rule))
        })
        .collect::<Result<_>>()?;
    let normal = Normal::new()?;
    let mut comparison = Comparison::default();
    for (name, here) in &sandbox.scenarios {
        let there = node.scenarios.get(name).unwrap_or(&Value::Null);
        let skipped = |one: &Value| one["outcome"] == "skipped";
        if skipped(here) || skipped(there) {
            let which = if skipped(here) { here } else { there };
            let reason = which["reason"].as_str().unwrap_or_default();
            comparison.skipped.push(format!("{name}: {reason}"));
            continue;
        }
        comparison.scenarios += 1;
        // Alike is not enough: it must hold on both.
        let mut failed = false;
        for (one, on) in [(here, "sandbox"), (there, "node")] {
            let outcome = one["outcome"].as_str().unwrap_or("not played");
            if outcome != "held" {
                failed = true;
                comparison
                    .unexplained
                    .push(format!("{name}: {outcome} on the {on}"));
            }
        }
        comparison.failed += usize::from(failed);
        let mut pairs = vec![(
            ("outcome".to_owned(), String::new()),
            normal.of_scenario(here),
            normal.of_scenario(there),
        )];
        let steps = |one: &Value| one["steps"].as_array().cloned().unwrap_or_default();
        let (left, right) = (steps(here), steps(there));
        for i in 0..left.len().max(right.len()) {
            comparison.steps += 1;
            let empty = Value::Null;
            let (l, r) = (
                left.get(i).unwrap_or(&empty),
                right.get(i).unwrap_or(&empty),
            );
            let title = l["title"]
                .as_str()
                .or(r["title"].as_str())
                .unwrap_or_default();
            pairs.push((
                (format!("step {} ({title})", i + 1), title.to_owned()),
                normal.of_step(l),
                normal.of_step(r),
            ));
        }
        for ((place, title), left, right) in pairs {
            let keys: BTreeSet<&String> = left.keys().chain(right.keys()).collect();
            for key in keys {
                comparison.observations += 1;
                let (l, r) = (left.get(key), right.get(key));
                if l == r {
                    comparison.alike += 1;
                    continue;
                }
                let rule = rules.iter().find(|(patterns, rule)| {
                    let found = [name.as_str(), &title, key, shown(r)];
                    patterns.iter().zip(found).all(|(p, text)| p.is_match(text))
                        && rule.agent.as_deref().is_none_or(|one| one == agent)
                });
                match rule {
                    Some((_, rule)) => {
                        *comparison.explained.entry(rule.reason.clone()).or_default() += 1;
                    }
                    None => comparison.unexplained.push(format!(
                        "{name}, {place}: {key}\n    sandbox  {}\n    node     {}",
                        shown(l),
                        shown(r)
                    )),
                }
            }
        }
    }
    Ok(comparison)
}

fn shown(value: Option<&String>) -> &str {
    value.map_or("nothing of the kind", String::as_str)
}

/// Observations without what differs from run to run: ids, times, ports, keys.
struct Normal(Vec<(Regex, &'static str)>);

impl Normal {
    fn new() -> Result<Self> {
        let patterns = [
            (
                r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
                "UUID",
            ),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
            (r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT", "TIME"),
            (r"\b1[789]\d{8}(\.\d+)?\b", "TIME"),
            (r"\bA(SIA|ROA|IDA|KIA)[A-Z0-9]{12,}", "KEY"),
            (r"\ba-[a-z0-9]{17}\b", "ASSOCIATION"),
            (r"/id/[0-9A-F]{32}", "/id/ISSUER"),
            (r"<(SecretAccessKey|SessionToken)>[^<]*<", "<$1>SECRET<"),
            (r"<RequestId>[^<]*</RequestId><HostId>[^<]*</HostId>", ""),
            (r"signed with key `[^`]+`", "signed with key `KEY`"),
            (r"\b(127\.0\.0\.1|10\.\d+\.\d+\.\d+):\d{4,5}", "ADDRESS"),
            (r"kube-api-access-[a-z0-9]{5}", "kube-api-access"),
        ];
        patterns
            .into_iter()
            .map(|(pattern, name)| Ok((Regex::new(pattern)?, name)))
            .collect::<Result<_>>()
            .map(Self)
    }

    fn text(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (pattern, name) in &self.0 {
            text = pattern.replace_all(&text, *name).into_owned();
        }
        text
    }

    fn of_scenario(&self, report: &Value) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for name in ["outcome", "reason"] {
            self.flat(name, &report[name], &mut found);
        }
        found
    }

    fn of_step(&self, step: &Value) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for name in ["title", "trouble", "mismatches", "explanations"] {
            self.flat(name, &step[name], &mut found);
        }
        let mut seen = step["observation"].as_object().cloned().unwrap_or_default();
        shape(&mut seen);
        for (name, value) in &seen {
            self.flat(name, value, &mut found);
        }
        found
    }

    fn flat(&self, key: &str, value: &Value, found: &mut BTreeMap<String, String>) {
        match value {
            Value::Null => {}
            Value::Object(map) => {
                for (name, value) in map {
                    self.flat(&format!("{key}.{}", self.text(name)), value, found);
                }
            }
            Value::Array(list) => {
                for (i, value) in list.iter().enumerate() {
                    self.flat(&format!("{key}.{i}"), value, found);
                }
            }
            Value::String(text) => {
                found.insert(key.to_owned(), self.text(text));
            }
            other => {
                found.insert(key.to_owned(), self.text(&other.to_string()));
            }
        }
    }
}

/// Brings an observation into the form in which it is compared: lists that are sets, texts that are JSON, spans instead of times.
fn shape(seen: &mut Map<String, Value>) {
    if let Some(headers) = seen
        .get_mut("agent")
        .and_then(|agent| agent.get_mut("headers"))
    {
        let pairs = headers.as_array().cloned().unwrap_or_default();
        let map = pairs.iter().map(|pair| {
            let name = pair[0].as_str().unwrap_or_default().to_ascii_lowercase();
            (name, pair[1].clone())
        });
        *headers = Value::Object(map.collect());
    }
    for path in [&["agent", "body"][..], &["result"]] {
        let mut at = Some(&mut *seen);
        for step in &path[..path.len() - 1] {
            at = at.and_then(|map| map.get_mut(*step)?.as_object_mut());
        }
        if let Some(value) = at.and_then(|map| map.get_mut(path[path.len() - 1]))
            && let Some(parsed) = value
                .as_str()
                .and_then(|text| serde_json::from_str::<Value>(text).ok())
            && parsed.is_object()
        {
            *value = parsed;
        }
    }
    if let Some(claims) = seen.get_mut("result").and_then(Value::as_object_mut)
        && let (Some(from), Some(to)) = (
            claims.get("iat").and_then(Value::as_i64),
            claims.get("exp").and_then(Value::as_i64),
        )
    {
        claims.insert("life".into(), life(to - from).into());
    }
    if let Some(volumes) = seen.get_mut("pod").and_then(|pod| pod.get_mut("volumes")) {
        let names = volumes.as_array().cloned().unwrap_or_default();
        let pod_volumes = names.iter().map(|name| {
            let name = name.as_str().unwrap_or_default();
            (format!("[{name}]"), Value::Bool(true))
        });
        *volumes = Value::Object(pod_volumes.collect());
    }
    if let Some(caller) = seen.get_mut("caller").and_then(Value::as_object_mut) {
        let time = |name: &str| caller.get(name).and_then(Value::as_str);
        let time = |name: &str| {
            time(name)?
                .parse::<Timestamp>()
                .ok()
                .map(Timestamp::as_second)
        };
        if let (Some(from), Some(to)) = (time("issuedAt"), time("expiresAt")) {
            caller.insert(
                "life".into(),
                format!("{} min", (to - from + 30) / 60).into(),
            );
        }
    }
    if let Some(program) = seen.get_mut("program").and_then(Value::as_object_mut) {
        for name in ["stdout", "stderr"] {
            // Of a program that still runs, the end of a line may come with the next step.
            if let Some(Value::String(text)) = program.get_mut(name) {
                text.truncate(text.trim_end().len());
            }
        }
    }
    if let Some(lines) = seen.get_mut("agentLog").and_then(Value::as_array_mut) {
        for line in lines {
            let parsed = line
                .as_str()
                .and_then(|text| serde_json::from_str(text).ok());
            if let Some(Value::Object(mut parsed)) = parsed {
                // How long it took.
                parsed.remove("request_time_ms");
                // Nanoseconds of the life that is left.
                if let Some(ttl) = parsed.get("refreshTtl").and_then(Value::as_f64) {
                    let minutes = (ttl / 6e10).round();
                    parsed.insert("refreshTtl".into(), format!("{minutes} min").into());
                }
                // A line is one observation.
                *line = Value::Object(parsed).to_string().into();
            }
        }
    }
}

/// A token's life; the webhook draws that of projected ones from 22 to 24 hours.
fn life(seconds: i64) -> String {
    match seconds {
        79_200..=86_400 => "22 to 24 h".into(),
        other => format!("{other} s"),
    }
}
