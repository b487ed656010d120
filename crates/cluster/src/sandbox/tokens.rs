//! A pod's projected tokens, kept fresh as a kubelet does.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use emu_core::{Clock, Event, Journal, Timestamp, clock::Busy, journal::PodRef};
use k8s_openapi::api::core::v1::{Pod, PodSpec};
use tokio::sync::Notify;

use crate::{
    cluster::{ClusterError, Result},
    token::{
        IssuedToken, TokenFault, TokenIssuer, TokenRequest, TokenSubject, TokenVolume, refresh_at,
    },
};

/// How long a kubelet waits after a failed renewal.
const RETRY: Duration = Duration::from_secs(60);

/// A kubelet's default for `expirationSeconds`.
const DEFAULT_SECONDS: i64 = 3600;

/// Everything minting needs.
#[derive(Clone)]
pub(super) struct Mint {
    pub(super) issuer: Arc<TokenIssuer>,
    /// The API server's clock: the times in tokens.
    pub(super) api_server: Clock,
    /// The node's clock: when the kubelet thinks it is time.
    pub(super) node: Clock,
    pub(super) journal: Journal,
    pub(super) pod: PodRef,
    pub(super) subject: TokenSubject,
}

impl Mint {
    fn issue(&self, audience: &str, seconds: i64, rotation: bool) -> Result<IssuedToken> {
        let issued = self.issuer.issue(&TokenRequest {
            subject: self.subject.clone(),
            audiences: vec![audience.to_owned()],
            now: self.api_server.now(),
            seconds,
        })?;
        self.journal.record(Event::TokenIssued {
            pod: self.pod.clone(),
            audience: audience.to_owned(),
            jti: issued.jti.clone(),
            issued_at: issued.issued_at,
            expires_at: issued.expires_at,
            rotation,
        });
        Ok(issued)
    }
}

struct Projected {
    audience: String,
    seconds: i64,
    volume: TokenVolume,
    refresh_at: Timestamp,
}

/// The projected tokens of one pod.
pub(super) struct PodTokens {
    mint: Mint,
    projected: Mutex<Vec<Projected>>,
    rescheduled: Notify,
}

impl PodTokens {
    /// Mints and writes every token the pod's volumes ask for, each in its volume's directory below `volumes`.
    pub(super) fn project(pod: &Pod, volumes: &Path, mint: Mint) -> Result<Arc<Self>> {
        let mut projected = Vec::new();
        let spec = pod.spec.clone().unwrap_or_default();
        let (mode, owner) = ownership(&spec);
        for volume in spec.volumes.iter().flatten() {
            let directory = volume_directory(volumes, &volume.name);
            let Some(projection) = &volume.projected else {
                continue;
            };
            let default_mode = projection.default_mode.map_or(0o644, |m| m as u32);
            for token in projection
                .sources
                .iter()
                .flatten()
                .filter_map(|s| s.service_account_token.as_ref())
            {
                let path = relative(&token.path)?;
                let audience = token
                    .audience
                    .clone()
                    .filter(|a| !a.is_empty())
                    .unwrap_or_else(|| mint.issuer.issuer().to_owned());
                projected.push(Projected {
                    audience,
                    seconds: token.expiration_seconds.unwrap_or(DEFAULT_SECONDS),
                    volume: TokenVolume::new(
                        &directory,
                        &path,
                        mode.unwrap_or(default_mode),
                        owner,
                    ),
                    refresh_at: Timestamp::MIN,
                });
            }
        }
        for one in &mut projected {
            renew(one, &mint, false)?;
        }
        Ok(Arc::new(Self {
            mint,
            projected: Mutex::new(projected),
            rescheduled: Notify::new(),
        }))
    }

    /// Renews what becomes old, for ever. `starting` keeps the clock from being moved before the first sleep.
    pub(super) async fn keep_fresh(self: Arc<Self>, starting: Busy) {
        let mut starting = Some(starting);
        let mut timer = self.mint.node.timer();
        loop {
            let next = self.lock().iter().map(|p| p.refresh_at).min();
            let Some(next) = next else { return };
            let asleep = async {
                drop(starting.take());
                self.rescheduled.notified().await;
            };
            tokio::select! {
                // In this order: the sleep is known to the clock before the guard goes.
                biased;
                () = timer.sleep_until_wall(next) => self.renew_due(),
                () = asleep => {}
            }
        }
    }

    fn renew_due(&self) {
        let now = self.mint.node.now();
        for one in self.lock().iter_mut().filter(|p| p.refresh_at <= now) {
            if let Err(e) = renew(one, &self.mint, true) {
                tracing::warn!("a token of {} was not renewed: {e}", self.mint.pod.name);
                one.refresh_at = now + RETRY;
            }
        }
    }

    /// Renews everything now.
    pub(super) fn rotate(&self) -> Result<()> {
        let mut projected = self.lock();
        for one in projected.iter_mut() {
            renew(one, &self.mint, true)?;
        }
        drop(projected);
        self.rescheduled.notify_one();
        Ok(())
    }

    /// Where the token for an audience is, as seen from outside.
    pub(super) fn file(&self, audience: &str) -> Option<PathBuf> {
        let projected = self.lock();
        let found = projected.iter().find(|p| p.audience == audience)?;
        Some(found.volume.file().to_owned())
    }

    /// Makes the files go wrong, or right again.
    pub(super) fn set_fault(&self, fault: Option<TokenFault>) -> Result<()> {
        for one in self.lock().iter_mut() {
            one.volume
                .set_fault(fault)
                .map_err(ClusterError::system("change a token's file"))?;
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Projected>> {
        self.projected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a volume's content lies.
pub(super) fn volume_directory(volumes: &Path, name: &str) -> PathBuf {
    volumes.join(name)
}

fn renew(one: &mut Projected, mint: &Mint, rotation: bool) -> Result<()> {
    let issued = mint.issue(&one.audience, one.seconds, rotation)?;
    one.refresh_at = refresh_at(issued.issued_at, issued.expires_at);
    one.volume
        .replace(issued.token)
        .map_err(ClusterError::system("write a token's file"))
}

/// A token's path must stay within its volume; the API server refuses anything else.
fn relative(path: &str) -> Result<PathBuf> {
    let path = Path::new(path);
    let inside = path
        .components()
        .all(|c| matches!(c, std::path::Component::Normal(_)));
    if inside && !path.as_os_str().is_empty() {
        Ok(path.to_owned())
    } else {
        Err(ClusterError::Refused {
            message: format!(
                "serviceAccountToken.path: Invalid value: \"{}\": must be a relative path",
                path.display()
            ),
        })
    }
}

/// The mode (where it is not the volume's own) and the owners of a token's file. Source: the kubelet's projected volumes.
fn ownership(spec: &PodSpec) -> (Option<u32>, (Option<u32>, Option<u32>)) {
    let of_pod = spec.security_context.as_ref();
    let pod_user = of_pod.and_then(|c| c.run_as_user);
    let mut users = spec
        .containers
        .iter()
        .chain(spec.init_containers.iter().flatten())
        .map(|c| {
            let own = c.security_context.as_ref().and_then(|s| s.run_as_user);
            own.or(pod_user)
        });
    let user = users.next().flatten();
    let user = user.filter(|u| users.all(|other| other == Some(*u)));
    let group = of_pod.and_then(|c| c.fs_group);
    let mode = match (user, group) {
        (_, Some(_)) => Some(0o640),
        (Some(_), None) => Some(0o600),
        (None, None) => None,
    };
    // Only root can give files away; elsewhere every program is the one user anyway.
    if !nix::unistd::geteuid().is_root() {
        return (None, (None, None));
    }
    let number = |n: Option<i64>| n.and_then(|n| u32::try_from(n).ok());
    (mode, (number(user), number(group)))
}
