//! The identities file: `--watch-container-credentials-config`.

use std::{collections::HashSet, io, path::Path, sync::Arc, time::Duration};

use emu_core::{Clock, ServiceAccountRef};

use super::DirectoryEvents;
use crate::{
    ListedIdentities,
    go::{Keys, base, decode, dir, schema},
};

/// The first wait after a file that cannot be read; doubled each time.
const FIRST_RETRY: Duration = Duration::from_millis(10);

/// The longest wait.
const LAST_RETRY: Duration = Duration::from_secs(300);

/// The file, and the list it feeds.
pub(crate) struct IdentitiesFile {
    path: String,
    identities: Arc<ListedIdentities>,
    events: DirectoryEvents,
    failures: u32,
}

impl IdentitiesFile {
    /// Watches the file's directory, which must exist, and reads the file once.
    pub(crate) fn open(path: &str, identities: Arc<ListedIdentities>) -> io::Result<Self> {
        let events = DirectoryEvents::new(Path::new(&dir(path)))?;
        let mut file = Self {
            path: path.to_owned(),
            identities,
            events,
            failures: 0,
        };
        file.load();
        Ok(file)
    }

    /// Follows the file for ever. Only events whose path reads exactly as the flag's text count, as in the original:
    /// a path that is not clean and absolute is never read again.
    pub(crate) async fn follow(mut self, clock: Clock) {
        let event_path = format!("{}/{}", dir(&self.path), base(&self.path));
        let reloads = event_path == self.path;
        let name = base(&self.path).to_owned();
        let mut timer = clock.timer();
        loop {
            let retry = match self.failures {
                0 => LAST_RETRY,
                n => FIRST_RETRY
                    .saturating_mul(1_u32.checked_shl(n - 1).unwrap_or(u32::MAX))
                    .min(LAST_RETRY),
            };
            tokio::select! {
                names = self.events.next() => match names {
                    Ok(names) => {
                        if reloads && names.iter().any(|changed| changed.to_str() == Some(name.as_str())) {
                            self.load();
                        }
                    }
                    Err(error) => {
                        tracing::error!("Error from watcher: {error}");
                        return;
                    }
                },
                () = timer.sleep(retry), if self.failures > 0 => self.load(),
            }
            timer.idle();
        }
    }

    fn load(&mut self) {
        match read(&self.path) {
            Ok(Some(identities)) => {
                self.identities.replace(identities);
                self.failures = 0;
                tracing::info!("Successfully loaded container credentials config file");
            }
            Ok(None) => {
                self.identities.replace(HashSet::new());
                self.failures = 0;
                tracing::info!("Container credentials config file is empty, clearing cache");
            }
            Err(message) => {
                // What was known before stays.
                self.failures = self.failures.saturating_add(1);
                tracing::error!("failed processing files: {message}");
            }
        }
    }
}

/// The identities in the file; `None` if it is missing or empty.
fn read(path: &str) -> Result<Option<HashSet<ServiceAccountRef>>, String> {
    let content = match std::fs::read(path) {
        Ok(content) => content,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    if content.is_empty() {
        return Ok(None);
    }
    parse(&content).map(Some)
}

fn parse(content: &[u8]) -> Result<HashSet<ServiceAccountRef>, String> {
    let (object, result) = decode(content, schema().identities, Keys::AnyCase);
    result.map_err(|message| {
        format!("error Unmarshalling container credentials config file: {message}")
    })?;
    let listed = object.list("identities").unwrap_or_default();
    let refs = listed
        .iter()
        .map(|item| ServiceAccountRef::new(item.text("namespace"), item.text("serviceAccount")));
    Ok(refs.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_any_case_and_unknown_ones() {
        let listed = parse(br#"{"version":2,"Identities":[{"NAMESPACE":"demo","serviceaccount":"app","x":1},{"namespace":"demo"}]}"#);
        let expected = [
            ServiceAccountRef::new("demo", "app"),
            ServiceAccountRef::new("demo", ""),
        ];
        assert_eq!(listed.unwrap(), HashSet::from(expected));
        assert!(parse(b"bad json").is_err());
        assert!(parse(br#"{"identities":{}}"#).is_err());
        assert!(parse(b"null").unwrap().is_empty());
    }
}
