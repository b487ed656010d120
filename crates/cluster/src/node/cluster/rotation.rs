//! The tokens that the kubelet has projected, read from its own folder: which are due to be renewed, and which it has
//! renewed.

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use emu_core::{Event, Timestamp, journal::PodRef};

use super::World;
use crate::{
    kubernetes::issued,
    token::{IssuedToken, refresh_at},
};

/// No token is longer than this; the largest file that is read.
const LARGEST: u64 = 16 * 1024;
/// By so much later than due it may look, by virtual time: its rounds are ten seconds apart.
const LATE: Duration = Duration::from_secs(15);

/// Which tokens are known, and which the kubelet does not renew though they are due (their account is gone).
#[derive(Default)]
pub(super) struct Known {
    by_place: HashMap<(String, String), String>,
    hopeless: HashSet<String>,
}

/// A token in the kubelet's folder.
pub(super) struct Projected {
    pod_uid: String,
    audience: String,
    token: IssuedToken,
}

impl Projected {
    /// When the kubelet renews it.
    fn due(&self) -> Timestamp {
        refresh_at(self.token.issued_at, self.token.expires_at)
    }
}

impl World {
    /// The tokens for audiences other than the API server.
    pub(super) fn projected(&self) -> Vec<Projected> {
        let mut found = Vec::new();
        let pods = self.node.kubelet_folder().join("pods");
        for pod in folders(&pods) {
            let uid = pod.file_name().unwrap_or_default().to_string_lossy();
            for volume in folders(&pod.join("volumes/kubernetes.io~projected")) {
                let mut texts = Vec::new();
                read(&volume.join("..data"), 3, &mut texts);
                for token in texts.into_iter().filter_map(|t| issued(t).ok()) {
                    // A token without an audience of its own is for the API server, and says so by two.
                    if let [audience] = &*audiences(&token.token) {
                        found.push(Projected {
                            pod_uid: uid.to_string(),
                            audience: audience.clone(),
                            token,
                        });
                    }
                }
            }
        }
        found
    }

    /// Whether the kubelet has a token to renew now.
    pub(super) fn renewal_is_due(&self, projected: &[Projected]) -> bool {
        let (now, known) = (self.config.clock.now(), super::lock(&self.tokens));
        projected
            .iter()
            .any(|p| p.due() < now && !known.hopeless.contains(&p.token.jti))
    }

    /// Waits for the renewal of those that are due no more.
    pub(super) fn give_up(&self, projected: &[Projected]) {
        let (now, mut known) = (self.config.clock.now(), super::lock(&self.tokens));
        let due = projected.iter().filter(|p| p.due() < now);
        known.hopeless.extend(due.map(|p| p.token.jti.clone()));
    }

    /// How long it is, by virtual time, until the kubelet has a token to renew, and has seen it.
    pub(super) fn next_renewal(&self) -> Option<Duration> {
        let now = self.config.clock.now();
        self.projected()
            .iter()
            .map(Projected::due)
            .filter(|due| *due >= now)
            .filter_map(|due| u64::try_from(due.as_second() - now.as_second()).ok())
            .min()
            .map(|seconds| Duration::from_secs(seconds) + LATE)
    }

    /// Writes tokens that were not known into the journal.
    pub(super) fn learn(&self, projected: Vec<Projected>) {
        for Projected {
            pod_uid,
            audience,
            token,
        } in projected
        {
            let Some(pod) = self.inhabitants.by_uid(&pod_uid) else {
                continue;
            };
            self.learn_of(pod, audience, token);
        }
    }

    /// Writes a token into the journal, unless it is known.
    pub(super) fn learn_of(&self, pod: PodRef, audience: String, token: IssuedToken) {
        let place = (pod.uid.clone(), audience.clone());
        let mut known = super::lock(&self.tokens);
        let before = known.by_place.insert(place, token.jti.clone());
        if before.as_ref() != Some(&token.jti) {
            self.config.journal.record(Event::TokenIssued {
                pod,
                audience,
                jti: token.jti,
                issued_at: token.issued_at,
                expires_at: token.expires_at,
                rotation: before.is_some(),
            });
        }
    }
}

/// For whom a token is, as its claims say.
fn audiences(token: &str) -> Vec<String> {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = token.split('.').nth(1).unwrap_or_default();
    let claims = URL_SAFE_NO_PAD.decode(claims).unwrap_or_default();
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap_or_default();
    let named = claims["aud"].as_array().into_iter().flatten();
    named
        .filter_map(|a| a.as_str().map(str::to_owned))
        .collect()
}

fn folders(at: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(at).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).collect()
}

/// The text of each small file in a folder.
fn read(at: &Path, depth: u32, texts: &mut Vec<String>) {
    for path in folders(at) {
        match fs::metadata(&path) {
            Ok(meta) if meta.is_dir() && depth > 0 => read(&path, depth - 1, texts),
            Ok(meta) if meta.is_file() && meta.len() <= LARGEST => {
                texts.extend(fs::read_to_string(&path).ok());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_files_are_read_through_links() {
        let dir = tempfile::tempdir().unwrap();
        let old = dir.path().join("..2026_11_25");
        fs::create_dir_all(old.join("nested")).unwrap();
        fs::write(old.join("nested/token"), "small").unwrap();
        fs::write(old.join("large"), "x".repeat(LARGEST as usize + 1)).unwrap();
        std::os::unix::fs::symlink("..2026_11_25", dir.path().join("..data")).unwrap();
        let mut texts = Vec::new();
        read(&dir.path().join("..data"), 3, &mut texts);
        assert_eq!(texts, ["small"]);
    }

    #[test]
    fn audiences_of_what_is_no_token() {
        // {"aud":["a","b"]}
        assert_eq!(audiences("e30.eyJhdWQiOlsiYSIsImIiXX0.x"), ["a", "b"]);
        assert!(audiences("").is_empty() && audiences("a.b.c").is_empty());
    }
}
