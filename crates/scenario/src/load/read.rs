//! From a file to a scenario.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{LoadError, discover, validate, yaml};
use crate::file::Scenario;

/// A scenario with its file.
#[derive(Clone, Debug)]
pub struct LoadedScenario {
    /// The file.
    pub file: PathBuf,
    /// Its text, for reports.
    pub text: Arc<str>,
    /// What it says.
    pub scenario: Arc<Scenario>,
}

/// Files larger than this are not scenarios.
const LARGEST: u64 = 4 << 20;

/// Finds and reads all scenarios at these paths.
///
/// # Errors
/// All that is wrong with any of them.
pub fn load(paths: &[PathBuf]) -> Result<Vec<LoadedScenario>, Vec<LoadError>> {
    let files = discover(paths).map_err(|e| vec![e])?;
    let mut loaded: Vec<LoadedScenario> = Vec::new();
    let mut errors = Vec::new();
    for file in files {
        match read_file(&file) {
            Ok(scenario) => loaded.push(scenario),
            Err(error) => errors.push(error),
        }
    }
    let mut names: BTreeMap<String, PathBuf> = BTreeMap::new();
    for one in &loaded {
        let name = &one.scenario.scenario;
        if let Some(other) = names.insert(name.value.clone(), one.file.clone()) {
            errors.push(LoadError::content(
                &one.file,
                &one.text,
                (name.line, name.column),
                format!(
                    "there is already a scenario `{name}`, in {}",
                    other.display()
                ),
                Some("every scenario of a run needs a name of its own".into()),
            ));
        }
    }
    if errors.is_empty() {
        Ok(loaded)
    } else {
        Err(errors)
    }
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it.
pub fn read_file(file: &Path) -> Result<LoadedScenario, LoadError> {
    let failed = |e: std::io::Error| LoadError::file(file, e.to_string(), None);
    let metadata = fs::metadata(file).map_err(failed)?;
    if metadata.len() > LARGEST {
        return Err(LoadError::file(
            file,
            format!("{} bytes are too many for a scenario file", metadata.len()),
            Some("a scenario file has at most 4 MiB"),
        ));
    }
    let bytes = fs::read(file).map_err(failed)?;
    let text = String::from_utf8(bytes).map_err(|e| {
        LoadError::file(
            file,
            format!(
                "this is not text: byte {} is not UTF-8",
                e.utf8_error().valid_up_to() + 1
            ),
            Some("a scenario file is YAML in UTF-8"),
        )
    })?;
    read_text(file, &text)
}

/// Reads a text.
///
/// # Errors
/// What is wrong with it.
pub fn read_text(file: &Path, text: &str) -> Result<LoadedScenario, LoadError> {
    if let Some(place) = text.find('\0') {
        return Err(LoadError::file(
            file,
            format!("this is not text: byte {} is zero", place + 1),
            Some("a scenario file is YAML in UTF-8"),
        ));
    }
    let empty = text.lines().all(|line| {
        line.trim().is_empty() || line.trim_start().starts_with('#') || line.trim() == "---"
    });
    if empty {
        return Err(LoadError::file(
            file,
            "the file is empty",
            Some("a scenario needs at least `scenario: <name>` and `steps:`"),
        ));
    }
    // Not the booleans of YAML 1.1: `on` is a key of ours, and account ids are no numbers.
    let options =
        serde_saphyr::options! { strict_booleans: true, leading_zero_numbers_as_strings: true };
    let scenario: Scenario = serde_saphyr::from_str_with_options(text, options)
        .map_err(|e| yaml_error(file, text, &e))?;
    validate::validate(file, text, &scenario)?;
    Ok(LoadedScenario {
        file: file.into(),
        text: text.into(),
        scenario: Arc::new(scenario),
    })
}

fn yaml_error(file: &Path, text: &str, error: &serde_saphyr::Error) -> LoadError {
    let place = error.location().map_or((1, 1), |place| {
        (place.line() as usize, place.column() as usize)
    });
    let (message, help) = yaml::words(text, error);
    LoadError::content(file, text, place, message, help)
}
