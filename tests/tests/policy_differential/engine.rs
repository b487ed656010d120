//! The second engine: where it is installed, and how it is asked.

use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use emu_policy::Decision;

use crate::cases::Case;

const PACKAGE: &str = "node_modules/@cloud-copilot/iam-simulate/package.json";

/// The folder with the driver and the installer.
fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("second-engine")
}

/// The folder whose `node_modules` holds the engine, or why there is none and how to get it.
pub(crate) fn find() -> Result<PathBuf, String> {
    let install = "`sh tests/second-engine/install.sh` installs it";
    let node = Command::new("node")
        .arg("--version")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    if !node.is_ok_and(|status| status.success()) {
        return Err(format!(
            "no `node` on the PATH for the second policy engine; with Node.js 18 or later, {install}"
        ));
    }
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let cache =
        variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    let places = [
        variable("EMU_SECOND_ENGINE"),
        Some(source()),
        cache.map(|cache| cache.join("emu/second-engine")),
    ];
    places
        .into_iter()
        .flatten()
        .find(|place| place.join(PACKAGE).is_file())
        .ok_or_else(|| format!("the second policy engine is not installed; {install}"))
}

/// The decision of the second engine for every case, in order; its own failures as texts.
pub(crate) fn answers(
    home: &Path,
    cases: &[Case],
) -> std::io::Result<Vec<Result<Decision, String>>> {
    let mut child = Command::new("node")
        .arg(source().join("driver.mjs"))
        .arg(home)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let (Some(mut input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(std::io::Error::other("no pipes"));
    };
    let answers = std::thread::scope(|scope| {
        // Written beside the reading, or both sides would wait on full pipes.
        let writer = scope.spawn(move || {
            cases
                .iter()
                .try_for_each(|case| writeln!(input, "{}", case.to_json()))
        });
        let answers = BufReader::new(output)
            .lines()
            .map(|line| line.map(|line| decision(&line)))
            .collect::<std::io::Result<Vec<_>>>();
        let written = writer
            .join()
            .map_err(|_| std::io::Error::other("the writer panicked"))?;
        written.and(answers)
    })?;
    child.wait()?;
    Ok(answers)
}

fn decision(line: &str) -> Result<Decision, String> {
    let answer: serde_json::Value =
        serde_json::from_str(line).map_err(|error| error.to_string())?;
    match answer["result"].as_str() {
        Some("Allowed") => Ok(Decision::Allow),
        Some("ImplicitlyDenied") => Ok(Decision::ImplicitDeny),
        Some("ExplicitlyDenied") => Ok(Decision::ExplicitDeny),
        _ => Err(line.to_owned()),
    }
}
