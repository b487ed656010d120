//! `--rotate-credentials`: the default profile of the shared credentials file, read again every minute.

use std::{path::PathBuf, sync::Mutex, time::Duration};

use async_trait::async_trait;
use emu_core::Clock;

use super::{NodeCredentials, NodeKeys, NodeKeysError};

/// Keys are good for this long after they were read.
const ROTATION: Duration = Duration::from_secs(60);

/// Reads the default profile of a credentials file, never of a config file.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    clock: Clock,
    read: Mutex<Option<(Duration, NodeKeys)>>,
}

impl RotatingFile {
    /// Reads `path` when keys are first needed.
    pub fn new(path: impl Into<PathBuf>, clock: Clock) -> Self {
        Self {
            path: path.into(),
            clock,
            read: Mutex::default(),
        }
    }

    /// The file that Amazon's agent takes: `AWS_SHARED_CREDENTIALS_FILE` if it is set, even if empty, else the SDK's.
    pub fn from_environment(clock: Clock) -> Self {
        let path = std::env::var_os("AWS_SHARED_CREDENTIALS_FILE").map_or_else(
            || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".aws/credentials"),
            PathBuf::from,
        );
        Self::new(path, clock)
    }

    fn load(&self) -> Result<NodeKeys, NodeKeysError> {
        let error = |reason: &str| NodeKeysError(format!("loading shared credentials: {reason}"));
        let not_found = || error("failed to get shared config profile, default");
        let text = std::fs::read_to_string(&self.path).map_err(|_| not_found())?;
        let profile = profile(&text, "default").ok_or_else(not_found)?;
        let get = |name: &str| {
            profile
                .iter()
                .rev()
                .find(|(key, _)| key == name)
                .map(|(_, value)| value.clone())
        };
        Ok(NodeKeys {
            access_key_id: get("aws_access_key_id").unwrap_or_default(),
            secret_access_key: get("aws_secret_access_key").unwrap_or_default(),
            session_token: get("aws_session_token").filter(|token| !token.is_empty()),
        })
    }
}

/// The settings of a profile, in order.
fn profile(text: &str, wanted: &str) -> Option<Vec<(String, String)>> {
    let mut inside = false;
    let mut found = None;
    for line in text.lines() {
        let line = line.trim();
        if let Some(name) = line
            .strip_prefix('[')
            .and_then(|rest| rest.split(']').next())
        {
            inside = name.trim() == wanted;
            if inside {
                found.get_or_insert_with(Vec::new);
            }
        } else if inside
            && !line.starts_with(['#', ';'])
            && let (Some((key, value)), Some(settings)) = (line.split_once('='), found.as_mut())
        {
            settings.push((key.trim().to_ascii_lowercase(), value.trim().to_string()));
        }
    }
    found
}

/// Whether the files name a profile that `AWS_PROFILE` asks for; true if it asks for none.
pub(crate) fn profile_exists() -> bool {
    let set = |name| {
        std::env::var(name)
            .ok()
            .filter(|value: &String| !value.is_empty())
    };
    let Some(name) = set("AWS_PROFILE").or_else(|| set("AWS_DEFAULT_PROFILE")) else {
        return true;
    };
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".aws");
    let read = |variable, file| {
        let path = set(variable).map_or_else(|| home().join(file), PathBuf::from);
        std::fs::read_to_string(path).unwrap_or_default()
    };
    let config = read("AWS_CONFIG_FILE", "config");
    let credentials = read("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    profile(&config, &format!("profile {name}")).is_some()
        || (name == "default" && profile(&config, "default").is_some())
        || profile(&credentials, &name).is_some()
}

/// The region that the shared config file sets for the profile in force.
pub(crate) fn region_of_profile() -> Option<String> {
    let set = |name| {
        std::env::var(name)
            .ok()
            .filter(|value: &String| !value.is_empty())
    };
    let path = set("AWS_CONFIG_FILE").map_or_else(
        || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".aws/config"),
        PathBuf::from,
    );
    let text = std::fs::read_to_string(path).ok()?;
    let name = set("AWS_PROFILE").unwrap_or_else(|| "default".into());
    let settings = profile(&text, &format!("profile {name}")).or_else(|| profile(&text, &name))?;
    settings
        .into_iter()
        .rev()
        .find(|(key, _)| key == "region")
        .map(|(_, region)| region)
}

#[async_trait]
impl NodeCredentials for RotatingFile {
    async fn keys(&self) -> Result<NodeKeys, NodeKeysError> {
        let now = self.clock.monotonic();
        let mut read = self
            .read
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some((until, keys)) = &*read
            && now < *until
        {
            return Ok(keys.clone());
        }
        let keys = self.load()?;
        *read = Some((now + ROTATION, keys.clone()));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn new_keys_are_seen_after_a_minute() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("credentials");
        let clock = Clock::new();
        let file = RotatingFile::new(&path, clock.clone());
        assert!(file.keys().await.is_err());
        let write = |key: &str| {
            let text = format!(
                "[other]\naws_access_key_id=no\n[default]\n# c\naws_access_key_id = {key}\naws_secret_access_key=s\n"
            );
            std::fs::write(&path, text).unwrap();
        };
        write("one");
        assert_eq!(file.keys().await.unwrap().access_key_id, "one");
        write("two");
        assert_eq!(file.keys().await.unwrap().access_key_id, "one");
        clock.advance(Duration::from_secs(61)).await.unwrap();
        assert_eq!(file.keys().await.unwrap().access_key_id, "two");
    }
}
