//! One line a scenario, and the full story of a failure.

use std::{collections::BTreeSet, fmt::Write as _};

use crate::run::{Outcome, ScenarioReport, StepReport};

/// `held  quickstart  (6 steps, 48 ms)`
pub fn line(report: &ScenarioReport) -> String {
    let word = match report.outcome {
        Outcome::Held => "held",
        Outcome::Failed => "FAILED",
        Outcome::Broken => "BROKEN",
        Outcome::Skipped => "skipped",
    };
    let mut line = format!(
        "{word:<8}{:<34} {:>2} steps {:>6} ms",
        report.scenario,
        report.steps.len(),
        report.millis
    );
    if report.outcome == Outcome::Skipped {
        let _ = write!(
            line,
            "   {}",
            report.reason.as_deref().unwrap_or("no reason given")
        );
    }
    line
}

/// What was expected, what was found, and why.
pub fn failure_story(report: &ScenarioReport) -> String {
    let mut story = String::new();
    if report.steps.iter().all(StepReport::held)
        && let Some(reason) = &report.reason
    {
        let _ = writeln!(
            story,
            "  {}{}: {reason}",
            report.file.display(),
            place(report.place)
        );
        if let Some(help) = &report.help {
            let _ = writeln!(story, "    help: {help}");
        }
    }
    for step in report.steps.iter().filter(|step| !step.held()) {
        let _ = writeln!(
            story,
            "  step {} ({}), {}:{}",
            step.number,
            step.title,
            report.file.display(),
            step.line
        );
        if let Some(trouble) = &step.trouble {
            let _ = writeln!(story, "    could not be done: {trouble}");
        }
        for mismatch in &step.mismatches {
            let _ = writeln!(story, "    {}", mismatch.key);
            let _ = writeln!(story, "      expected  {}", mismatch.expected);
            let _ = writeln!(story, "      found     {}", mismatch.found);
        }
        what_the_pod_got(&mut story, step);
        why(&mut story, step);
    }
    story
}

fn what_the_pod_got(story: &mut String, step: &StepReport) {
    let seen = &step.observation;
    if let Some(caller) = &seen.caller {
        let who = if caller.arn.is_empty() {
            "nobody"
        } else {
            &caller.arn
        };
        let _ = writeln!(
            story,
            "    ran as      {who} (from {})",
            caller.source.word()
        );
    }
    if let Some(agent) = &seen.agent {
        let _ = writeln!(
            story,
            "    agent       {} {}",
            agent.status,
            agent.body.trim_end()
        );
    }
    if let Some(pod) = &seen.pod {
        let reason = pod
            .reason
            .map(|r| r.to_string())
            .unwrap_or_else(|| "unknown".into());
        let _ = writeln!(
            story,
            "    pod         {} ({reason}){}",
            match pod.mutated {
                Some(true) => "mutated",
                Some(false) => "not mutated",
                None => "admitted",
            },
            pod.detail
                .as_ref()
                .map(|d| format!(": {d}"))
                .unwrap_or_default()
        );
    }
    if let Some(error) = &seen.error {
        let _ = writeln!(story, "    answer      {}: {}", error.code, error.message);
    }
    if let Some(program) = &seen.program {
        let _ = writeln!(story, "    exit        {:?}", program.exit);
        for (name, text) in [("stdout", &program.stdout), ("stderr", &program.stderr)] {
            for line in text.lines().take(20) {
                let _ = writeln!(story, "    {name}      {line}");
            }
        }
    }
}

fn why(story: &mut String, step: &StepReport) {
    // A client that tries three times is refused three times for one reason.
    let mut told = BTreeSet::new();
    let mut tell = |word: &str, line: &str| {
        if told.insert(format!("{word} {line}")) {
            let _ = writeln!(story, "    {word:<12}{line}");
        }
    };
    let verdicts = &step.observation.verdicts;
    let refused = verdicts.iter().any(|(_, v)| !v.is_allowed());
    // Refusals tell most; where all was allowed, what allowed it.
    for (hop, verdict) in verdicts.iter().filter(|(_, v)| v.is_allowed() != refused) {
        let hop = match hop {
            0 => "verdict".to_owned(),
            n => format!("hop {n}"),
        };
        for line in verdict.explain() {
            tell(&hop, &line);
        }
    }
    for detail in &step.observation.details {
        tell("because", detail);
    }
    for explanation in &step.explanations {
        let variant = explanation
            .variant
            .as_ref()
            .map(|v| format!(", {v}"))
            .unwrap_or_default();
        tell(
            explanation.id,
            &format!("{}{variant}: {}", explanation.name, explanation.why),
        );
        tell("fix", &explanation.fix);
    }
}

fn place(place: Option<(usize, usize)>) -> String {
    place
        .map(|(line, column)| format!(":{line}:{column}"))
        .unwrap_or_default()
}
