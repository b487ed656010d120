//! An observation held against expectations.

use emu_policy::Failure;

use crate::{
    explain::explain,
    file::{CredentialSource, Expect, Matcher},
};

use super::Observation;

/// An expectation that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Mismatch {
    /// The key in the file, such as `caller.role`.
    pub key: String,
    /// What was expected.
    pub expected: String,
    /// What was found.
    pub found: String,
}

/// All expectations that do not hold. `earlier` finds what a named step showed.
pub fn check<'o>(
    expect: &Expect,
    seen: &Observation,
    earlier: &dyn Fn(&str) -> Option<&'o Observation>,
) -> Vec<Mismatch> {
    let mut list = Checker {
        mismatches: Vec::new(),
    };
    pod(&mut list, expect, seen);
    caller(&mut list, expect, seen, earlier);
    answers(&mut list, expect, seen);
    verdict(&mut list, expect, seen);
    counts(&mut list, expect, seen);
    explanation(&mut list, expect, seen);
    if let Some(not) = &expect.not
        && check(not, seen, earlier).is_empty()
    {
        list.add("not", "that this must not hold", "it holds");
    }
    list.mismatches
}

struct Checker {
    mismatches: Vec<Mismatch>,
}

const NOTHING: &str = "nothing of the kind";

impl Checker {
    fn add(&mut self, key: &str, expected: impl ToString, found: impl ToString) {
        self.mismatches.push(Mismatch {
            key: key.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        });
    }

    fn same<T: PartialEq + ToString>(&mut self, key: &str, expected: Option<T>, found: Option<T>) {
        if let Some(expected) = expected
            && found.as_ref() != Some(&expected)
        {
            let found = found.map_or_else(|| NOTHING.to_owned(), |f| f.to_string());
            self.add(key, expected, found);
        }
    }

    fn text(&mut self, key: &str, expected: Option<&Matcher>, found: Option<&str>) {
        if let Some(expected) = expected
            && !found.is_some_and(|found| expected.fits(found))
        {
            let found = found.map_or_else(|| NOTHING.to_owned(), |f| format!("`{}`", f.trim_end()));
            self.add(key, expected, found);
        }
    }

    fn map<'m>(
        &mut self,
        key: &str,
        expected: impl IntoIterator<Item = (&'m String, &'m Option<Matcher>)>,
        found: impl Fn(&str) -> Option<String>,
    ) {
        for (name, wanted) in expected {
            let value = found(name);
            let key = format!("{key}.{name}");
            match wanted {
                Some(wanted) => self.text(&key, Some(wanted), value.as_deref()),
                None => {
                    if let Some(value) = value {
                        self.add(&key, "that it is absent", format!("`{value}`"));
                    }
                }
            }
        }
    }
}

fn pod(list: &mut Checker, expect: &Expect, seen: &Observation) {
    let pod = seen.pod.as_ref();
    list.same(
        "pod.mutated",
        expect.pod_mutated,
        pod.and_then(|p| p.mutated),
    );
    list.same("reason", expect.reason, pod.and_then(|p| p.reason));
    list.map("pod.env", &expect.pod_env, |name| {
        pod?.env.get(name).cloned()
    });
    list.map("pod.labels", &expect.pod_labels, |name| {
        pod?.labels.get(name).cloned()
    });
    for volume in &expect.pod_volumes {
        if !pod.is_some_and(|p| p.volumes.contains(volume)) {
            let found = pod.map_or_else(|| NOTHING.to_owned(), |p| format!("{:?}", p.volumes));
            list.add("pod.volumes", volume, found);
        }
    }
}

fn caller<'o>(
    list: &mut Checker,
    expect: &Expect,
    seen: &Observation,
    earlier: &dyn Fn(&str) -> Option<&'o Observation>,
) {
    let caller = seen.caller.as_ref();
    if let Some(wanted) = &expect.caller_role {
        let fits = caller.is_some_and(|c| {
            if wanted == "none" {
                c.source == CredentialSource::None
            } else {
                c.role.as_ref() == Some(wanted) || c.role_arn.as_ref() == Some(wanted)
            }
        });
        if !fits {
            let found = match caller {
                Some(c) if c.source == CredentialSource::None => "no credentials".into(),
                Some(c) => c.role.clone().unwrap_or_else(|| c.arn.clone()),
                None => NOTHING.to_owned(),
            };
            list.add("caller.role", wanted, found);
        }
    }
    list.same(
        "caller.account",
        expect.caller_account.clone(),
        caller.map(|c| c.account.clone()),
    );
    list.text(
        "caller.sessionName",
        expect.caller_session_name.as_ref(),
        caller.and_then(|c| c.session_name.as_deref()),
    );
    list.text(
        "caller.arn",
        expect.caller_arn.as_ref(),
        caller.map(|c| c.arn.as_str()),
    );
    list.same(
        "caller.source",
        expect.caller_source.map(CredentialSource::word),
        caller.map(|c| c.source.word()),
    );
    list.map("caller.tags", &expect.caller_tags, |name| {
        caller?.tags.get(name).cloned()
    });
    if let Some(wanted) = expect.caller_lifetime {
        let seconds =
            caller.and_then(|c| Some(c.expires_at?.as_second() - c.issued_at?.as_second()));
        let off = seconds.map(|s| (s - wanted.get().as_secs() as i64).abs());
        if off.is_none_or(|off| off > 60) {
            let found = seconds.map_or_else(
                || NOTHING.to_owned(),
                |s| emu_core::Span::seconds(s.max(0) as u64).to_string(),
            );
            list.add("caller.lifetime", wanted, found);
        }
    }
    let key_of = |name: &str| earlier(name).and_then(|o| o.caller.as_ref()?.access_key_id.clone());
    let mine = caller.and_then(|c| c.access_key_id.clone());
    if let Some(name) = &expect.caller_same_as
        && (mine.is_none() || key_of(name) != mine)
    {
        list.add(
            "caller.sameAs",
            format!("the credentials of step {name}"),
            "others",
        );
    }
    if let Some(name) = &expect.caller_differs_from
        && (mine.is_none() || key_of(name) == mine)
    {
        list.add(
            "caller.differsFrom",
            format!("others than in step {name}"),
            "the same",
        );
    }
}

fn answers(list: &mut Checker, expect: &Expect, seen: &Observation) {
    let agent = seen.agent.as_ref();
    list.same("agent.status", expect.agent_status, agent.map(|a| a.status));
    list.text(
        "agent.body",
        expect.agent_body.as_ref(),
        agent.map(|a| a.body.as_str()),
    );
    for (name, wanted) in &expect.agent_headers {
        let found =
            agent.and_then(|a| a.headers.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)));
        list.text(
            &format!("agent.headers.{name}"),
            Some(wanted),
            found.map(|(_, value)| value.as_str()),
        );
    }
    list.same("allowed", expect.allowed, seen.allowed);
    list.same("status", expect.status, seen.status);
    list.text(
        "error.code",
        expect.error_code.as_ref(),
        seen.error.as_ref().map(|e| e.code.as_str()),
    );
    list.text(
        "error.message",
        expect.error_message.as_ref(),
        seen.error.as_ref().map(|e| e.message.as_str()),
    );
    list.text("result", expect.result.as_ref(), seen.result.as_deref());
    let program = seen.program.as_ref();
    list.same("exit", expect.exit, program.and_then(|p| p.exit));
    list.text(
        "stdout",
        expect.stdout.as_ref(),
        program.map(|p| p.stdout.as_str()),
    );
    list.text(
        "stderr",
        expect.stderr.as_ref(),
        program.map(|p| p.stderr.as_str()),
    );
    if let Some(wanted) = &expect.agent_log
        && !seen.agent_log.iter().any(|line| wanted.fits(line))
    {
        list.add(
            "agent.log",
            wanted,
            format!("{} other lines", seen.agent_log.len()),
        );
    }
}

fn counts(list: &mut Checker, expect: &Expect, seen: &Observation) {
    let Some(wanted) = &expect.requests else {
        return;
    };
    for (key, name, count) in [
        ("requests.agent", "agent", &wanted.agent),
        ("requests.eksAuth", "eksAuth", &wanted.eks_auth),
        ("requests.sts", "sts", &wanted.sts),
        ("requests.s3", "s3", &wanted.s3),
    ] {
        let found = seen.requests.get(name).copied().unwrap_or(0);
        if let Some(count) = count
            && !count.fits(found)
        {
            list.add(key, count, found);
        }
    }
}

fn explanation(list: &mut Checker, expect: &Expect, seen: &Observation) {
    let Some(wanted) = &expect.explain else {
        return;
    };
    let found = explain(seen);
    let first = found.first();
    list.same(
        "explain.id",
        wanted.id.clone(),
        first.map(|e| e.id.to_owned()),
    );
    list.same(
        "explain.variant",
        wanted.variant.clone(),
        first.and_then(|e| e.variant.clone()),
    );
    list.same(
        "explain.becauseOf",
        wanted.because_of.clone(),
        first.and_then(|e| e.because_of.clone()),
    );
    list.text(
        "explain.why",
        wanted.why.as_ref(),
        first.map(|e| e.why.as_str()),
    );
}

fn verdict(list: &mut Checker, expect: &Expect, seen: &Observation) {
    let Some(wanted) = &expect.verdict else {
        return;
    };
    // The verdict that decided is the first refusal, or else the last one asked for; of the hop wanted, if one is.
    let candidates: Vec<_> = seen
        .verdicts
        .iter()
        .filter(|(hop, _)| wanted.hop.is_none_or(|w| w == *hop))
        .collect();
    let decisive = candidates
        .iter()
        .find(|(_, v)| !v.is_allowed())
        .or_else(|| candidates.last());
    let Some((_, verdict)) = decisive else {
        list.add("verdict", "a verdict", NOTHING);
        return;
    };
    let value = serde_json::to_value(verdict).unwrap_or_default();
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    list.same(
        "verdict.decision",
        wanted.decision.clone(),
        text("decision"),
    );
    list.same(
        "verdict.decidedBy",
        wanted.decided_by.clone(),
        text("decidedBy"),
    );
    list.same("verdict.action", wanted.action.clone(), text("action"));
    if let Some(key) = &wanted.condition_key {
        // AWS names one layer; the condition that would have made the difference may stand in another.
        let failed: Vec<&str> = verdict
            .layers
            .iter()
            .flat_map(|layer| &layer.near_misses)
            .flat_map(|miss| &miss.failures)
            .filter_map(|failure| match failure {
                Failure::Condition(condition) => Some(condition.key.as_str()),
                _ => None,
            })
            .collect();
        if !failed.iter().any(|f| f.eq_ignore_ascii_case(key)) {
            let found = if failed.is_empty() {
                "no condition failed".to_owned()
            } else {
                failed.join(", ")
            };
            list.add("verdict.conditionKey", key, found);
        }
    }
    let says = verdict.explain().join("; ");
    list.text("verdict.says", wanted.says.as_ref(), Some(&says));
}
