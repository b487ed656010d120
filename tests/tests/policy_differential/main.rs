//! The policy engine against a second, independent one, on generated policies and requests.
//!
//! The second engine is an npm package that `tests/second-engine/install.sh` installs. A disagreement that
//! [`known`] explains is printed; any other fails the test.
#![forbid(unsafe_code)]

mod cases;
mod engine;
mod known;
mod random;

use std::{
    collections::BTreeMap,
    io::{Write, stderr},
};

use cases::Case;
use emu_policy::Decision;

/// Cases of one run; `EMU_DIFFERENTIAL_CASES` and `EMU_DIFFERENTIAL_SEED` change the defaults.
const CASES: u64 = 6000;
const SEED: u64 = 20_260_701;

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name)
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(default)
}

/// Written past the test harness, which would swallow it.
fn say(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

#[test]
fn both_engines_agree() {
    let engine = match engine::find() {
        Ok(engine) => engine,
        Err(why) => return say(&format!("skipped: {why}")),
    };
    let (count, seed) = (
        setting("EMU_DIFFERENTIAL_CASES", CASES),
        setting("EMU_DIFFERENTIAL_SEED", SEED),
    );
    let cases: Vec<Case> = (0..count)
        .map(|index| Case::generate(seed.wrapping_add(index)))
        .collect();
    let theirs = engine::answers(&engine, &cases).expect("the second engine answers every case");
    assert_eq!(theirs.len(), cases.len(), "one answer a case");

    let mut tally: BTreeMap<&str, usize> = BTreeMap::new();
    let mut explained: BTreeMap<String, usize> = BTreeMap::new();
    let mut different = 0;
    let mut unexplained = Vec::new();
    for (index, (case, theirs)) in cases.iter().zip(&theirs).enumerate() {
        let verdict = case.decide();
        let name = match verdict.decision {
            Decision::Allow => "allow",
            Decision::ExplicitDeny => "explicit deny",
            Decision::ImplicitDeny => "implicit deny",
        };
        *tally.entry(name).or_default() += 1;
        if theirs.as_ref() == Ok(&verdict.decision) {
            continue;
        }
        match known::explain(case, &verdict, theirs) {
            Some(names) => {
                different += 1;
                let names = names.join(" + ");
                say(&format!(
                    "disagreement, case {index}: we say {name} ({:?}), they say {theirs:?}: {names}",
                    verdict.decided_by
                ));
                *explained.entry(names).or_default() += 1;
            }
            None => unexplained.push(format!(
                "case {index} (seed {}): we say {name} ({:?}: {verdict}), they say {theirs:?}\n{}",
                seed.wrapping_add(index as u64),
                verdict.decided_by,
                case.to_json()
            )),
        }
    }

    say(&format!(
        "policy engine: {count} cases compared with the second engine (seed {seed}; {}): {} agree, {} differ for a known reason, {} unexplained",
        tally
            .iter()
            .map(|(name, times)| format!("{times} {name}"))
            .collect::<Vec<_>>()
            .join(", "),
        cases.len() - different - unexplained.len(),
        different,
        unexplained.len()
    ));
    for (names, times) in &explained {
        say(&format!("  {times} x {names}"));
    }
    for difference in known::DIFFERENCES {
        if explained
            .keys()
            .any(|names| names.contains(difference.name))
        {
            say(&format!("  {}: {}", difference.name, difference.why));
        }
    }
    assert!(tally.len() == 3, "the generator reaches every decision");
    let shown = unexplained
        .iter()
        .take(8)
        .cloned()
        .collect::<Vec<_>>()
        .join("\n\n");
    assert!(
        unexplained.is_empty(),
        "{} unexplained disagreements\n{shown}",
        unexplained.len()
    );
}
