//! The tokens that the kubelet has projected, read from its own folder: which are due to be renewed, and which it has
//! renewed.

use std::{
    collections::HashMap,
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

/// So often the kubelet is waited for in vain before a token is left alone.
const PATIENCE: u32 = 2;

/// Which tokens are known, and which the kubelet did not renew though they were due (their account may be gone).
#[derive(Default)]
pub(super) struct Known {
    by_place: HashMap<(String, String), String>,
    in_vain: HashMap<String, u32>,
}

/// A token in the kubelet's folder.
pub(super) struct Projected {
    pod_uid: String,
    /// None: it is for the API server.
    audience: Option<String>,
    token: IssuedToken,
}

impl Projected {
    /// When the kubelet renews it.
    fn due(&self) -> Timestamp {
        refresh_at(self.token.issued_at, self.token.expires_at)
    }

    fn read(pod_uid: String, token: String) -> Option<Self> {
        let claims = claims(&token);
        let mut token = issued(token).ok()?;
        // An API server's token is good for a year, but the kubelet is told of an hour.
        if let Some(second) = claims["kubernetes.io"]["warnafter"].as_i64() {
            token.expires_at = Timestamp::from_second(second).ok()?;
        }
        // A token for the API server says so by two audiences.
        let audience = match claims["aud"].as_array().map(Vec::as_slice) {
            Some([audience]) => audience.as_str().map(str::to_owned),
            _ => None,
        };
        Some(Self {
            pod_uid,
            audience,
            token,
        })
    }
}

impl World {
    /// The tokens of all pods.
    pub(super) fn projected(&self) -> Vec<Projected> {
        let mut found = Vec::new();
        let pods = self.node.kubelet_folder().join("pods");
        for pod in folders(&pods) {
            let uid = pod.file_name().unwrap_or_default().to_string_lossy();
            for volume in folders(&pod.join("volumes/kubernetes.io~projected")) {
                let mut texts = Vec::new();
                read(&volume.join("..data"), 3, &mut texts);
                let projected = |text| Projected::read(uid.to_string(), text);
                found.extend(texts.into_iter().filter_map(projected));
            }
        }
        found
    }

    /// Whether the kubelet has a token to renew now.
    pub(super) fn renewal_is_due(&self, projected: &[Projected]) -> bool {
        let (now, known) = (self.config.clock.now(), super::lock(&self.tokens));
        projected.iter().filter(|p| p.due() < now).any(|p| {
            known
                .in_vain
                .get(&p.token.jti)
                .is_none_or(|n| *n < PATIENCE)
        })
    }

    /// The kubelet was waited for in vain.
    pub(super) fn give_up(&self, projected: &[Projected]) {
        let (now, mut known) = (self.config.clock.now(), super::lock(&self.tokens));
        for due in projected.iter().filter(|p| p.due() < now) {
            *known.in_vain.entry(due.token.jti.clone()).or_default() += 1;
        }
    }

    /// How long it is, by virtual time, until the kubelet has a token to renew that is not for the API server, and has
    /// seen it.
    pub(super) fn next_renewal(&self) -> Option<Duration> {
        let now = self.config.clock.now();
        self.projected()
            .iter()
            .filter(|p| p.audience.is_some())
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
            if let (Some(audience), Some(pod)) = (audience, self.inhabitants.by_uid(&pod_uid)) {
                self.learn_of(pod, audience, token);
            }
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

/// What a token says.
fn claims(token: &str) -> serde_json::Value {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let claims = token.split('.').nth(1).unwrap_or_default();
    let claims = URL_SAFE_NO_PAD.decode(claims).unwrap_or_default();
    serde_json::from_slice(&claims).unwrap_or_default()
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
    fn a_token_says_for_whom_it_is_and_when_it_is_renewed() {
        use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
        let token = |claims: &str| {
            let token = format!("e30.{}.x", URL_SAFE_NO_PAD.encode(claims));
            Projected::read("uid".into(), token)
        };
        let own = token(r#"{"aud":["a"],"jti":"1","iat":1000,"exp":2000}"#).unwrap();
        assert_eq!(own.audience.as_deref(), Some("a"));
        assert_eq!(own.due().as_second(), 1800);
        let for_api =
            r#"{"aud":["a","b"],"iat":0,"exp":31536000,"kubernetes.io":{"warnafter":3605}}"#;
        let for_api = token(for_api).unwrap();
        assert_eq!(for_api.audience, None);
        assert_eq!(for_api.due().as_second(), 2884);
        assert!(token("{}").is_none());
    }
}
