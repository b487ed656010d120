//! Which crate may use which: the rooms of the house, and arrows that point down only.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    path::Path,
    process::Command,
};

use serde_json::Value;

/// The rooms, lowest first, and which of our crates each may use.
const ROOMS: [(&str, &[&str]); 11] = [
    ("emu-core", &[]),
    ("emu-policy", &["emu-core"]),
    ("emu-vtime", &[]),
    ("emu-cloud", &["emu-core", "emu-policy"]),
    ("emu-gateway", &["emu-core", "emu-cloud"]),
    ("emu-webhook", &["emu-core"]),
    ("emu-agent", &["emu-core"]),
    (
        "emu-cluster",
        &["emu-core", "emu-webhook", "emu-agent", "emu-vtime"],
    ),
    ("emu-probe", &[]),
    (
        "emu-scenario",
        &[
            "emu-core",
            "emu-policy",
            "emu-vtime",
            "emu-cloud",
            "emu-gateway",
            "emu-webhook",
            "emu-agent",
            "emu-cluster",
            "emu-probe",
        ],
    ),
    (
        "emu",
        &[
            "emu-core",
            "emu-policy",
            "emu-vtime",
            "emu-cloud",
            "emu-gateway",
            "emu-webhook",
            "emu-agent",
            "emu-cluster",
            "emu-probe",
            "emu-scenario",
        ],
    ),
];

/// The program is at the top and may use everything.
const TOP: &str = "emu-cli";

#[test]
fn crates_use_only_what_is_below_them() {
    let uses = uses();
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.into_iter().collect();
    let mut wrong = Vec::new();
    for (krate, used) in &uses {
        if krate == TOP {
            continue;
        }
        let Some(allowed) = rooms.get(krate.as_str()) else {
            wrong.push(format!("{krate} has no room: give it a row in ROOMS"));
            continue;
        };
        for other in used {
            if !allowed.contains(&other.as_str()) {
                wrong.push(format!(
                    "{krate} uses {other}; it may use {}",
                    if allowed.is_empty() {
                        "none of ours".to_owned()
                    } else {
                        allowed.join(", ")
                    }
                ));
            }
        }
    }
    for (room, _) in ROOMS {
        if !uses.contains_key(room) {
            wrong.push(format!("{room} has a room and is not there"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_rooms_themselves_have_no_loop() {
    let order: Vec<&str> = ROOMS.iter().map(|(room, _)| *room).collect();
    for (place, (room, allowed)) in ROOMS.iter().enumerate() {
        for other in *allowed {
            let below = order[..place].contains(other);
            assert!(below, "{room} may use {other}, which is not below it");
        }
    }
}

/// The crates of ours that each crate in `crates/` uses, tests of its own left out.
fn uses() -> BTreeMap<String, BTreeSet<String>> {
    let cargo = env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .output()
        .expect("cargo runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo prints JSON");
    let packages = metadata["packages"].as_array().expect("packages");
    let ours: BTreeSet<&str> = packages.iter().filter_map(|p| p["name"].as_str()).collect();
    packages
        .iter()
        .filter(|p| {
            let manifest = Path::new(p["manifest_path"].as_str().unwrap_or_default());
            manifest
                .ancestors()
                .nth(2)
                .is_some_and(|f| f.ends_with("crates"))
        })
        .map(|p| {
            let used = p["dependencies"].as_array().into_iter().flatten();
            let used = used
                .filter(|d| d["kind"] != "dev")
                .filter_map(|d| d["name"].as_str())
                .filter(|name| ours.contains(name))
                .map(str::to_owned)
                .collect();
            (p["name"].as_str().unwrap_or_default().to_owned(), used)
        })
        .collect()
}
