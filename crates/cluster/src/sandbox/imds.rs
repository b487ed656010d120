//! Instance metadata, version 2: what a pod without credentials of its own falls back to.

use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use emu_core::{Clock, Ids, Timestamp};
use serde_json::json;

use super::{
    config::{Imds, NodeCredentials},
    http1::{self, Kind, Message},
    relay::{Target, Wire},
};

const TTL: &str = "X-aws-ec2-metadata-token-ttl-seconds";
const TOKEN: &str = "X-aws-ec2-metadata-token";

/// Session tokens that were given out, until when they are good.
pub(crate) type SessionTokens = Arc<Mutex<HashMap<String, Timestamp>>>;

/// The metadata service of one node.
pub(crate) struct Metadata {
    pub(crate) node: String,
    pub(crate) region: String,
    pub(crate) clock: Clock,
    pub(crate) ids: Ids,
    pub(crate) credentials: Arc<dyn NodeCredentials>,
    tokens: SessionTokens,
}

impl Metadata {
    pub(crate) fn new(
        node: &str,
        region: &str,
        clock: Clock,
        ids: Ids,
        credentials: Arc<dyn NodeCredentials>,
    ) -> Self {
        Self {
            node: node.into(),
            region: region.into(),
            clock,
            ids,
            credentials,
            tokens: SessionTokens::default(),
        }
    }

    /// The same, where clients outlive it: they keep their tokens for hours, and one SDK asks for no other when refused.
    pub(crate) fn with_tokens(mut self, tokens: &SessionTokens) -> Self {
        self.tokens = Arc::clone(tokens);
        self
    }

    fn new_token(&self, request: &Message) -> (u16, String, Option<u64>) {
        // AWS docs: from one second to six hours.
        let ttl = request.header(TTL).and_then(|v| v.parse::<u64>().ok());
        let Some(ttl) = ttl.filter(|t| (1..=21_600).contains(t)) else {
            return (400, "Bad Request".into(), None);
        };
        let token = format!("AQAEA{}", self.ids.uuid().simple());
        let expires = self.clock.now() + Duration::from_secs(ttl);
        self.tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(token.clone(), expires);
        (200, token, Some(ttl))
    }

    fn knows(&self, token: Option<&str>) -> bool {
        let tokens = self.tokens.lock().unwrap_or_else(PoisonError::into_inner);
        token
            .and_then(|t| tokens.get(t))
            .is_some_and(|expires| *expires > self.clock.now())
    }

    async fn get(&self, path: &str) -> Option<String> {
        const ROLES: &str = "/latest/meta-data/iam/security-credentials/";
        let instance = self.instance_id();
        if let Some(role) = path.strip_prefix(ROLES.trim_end_matches('/')) {
            let keys = self.credentials.keys(&self.node).await?;
            let role = role.trim_start_matches('/');
            if role.is_empty() {
                return Some(keys.role);
            }
            if role != keys.role {
                return None;
            }
            let now = self.clock.now();
            let expires = keys.expires_at.unwrap_or(now + Duration::from_secs(21_600));
            let second = |t: Timestamp| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            return serde_json::to_string_pretty(&json!({
                "Code": "Success",
                "LastUpdated": second(now),
                "Type": "AWS-HMAC",
                "AccessKeyId": keys.access_key_id,
                "SecretAccessKey": keys.secret_access_key,
                "Token": keys.session_token,
                "Expiration": second(expires),
            }))
            .ok();
        }
        Some(match path.trim_end_matches('/') {
            "/latest/meta-data/placement/region" => self.region.clone(),
            "/latest/meta-data/placement/availability-zone" => format!("{}a", self.region),
            "/latest/meta-data/instance-id" => instance,
            "/latest/meta-data/hostname" | "/latest/meta-data/local-hostname" => self.node.clone(),
            "/latest/dynamic/instance-identity/document" => json!({
                "region": self.region,
                "availabilityZone": format!("{}a", self.region),
                "instanceId": instance,
            })
            .to_string(),
            _ => return None,
        })
    }

    fn instance_id(&self) -> String {
        let sum = self.node.bytes().fold(0xcbf2_9ce4_8422_2325u64, |h, b| {
            (h ^ u64::from(b)).wrapping_mul(0x100_0000_01b3)
        });
        format!("i-0{sum:016x}")
    }
}

/// The metadata service as seen from one place.
pub(crate) struct MetadataView {
    pub(crate) metadata: Arc<Metadata>,
    pub(crate) imds: Imds,
    /// How many hops from the instance: 1 from the node itself, 2 from a pod.
    pub(crate) hops: u8,
}

#[async_trait]
impl Target for MetadataView {
    async fn serve(&self, mut wire: Box<dyn Wire>) -> io::Result<()> {
        let mut buffer = Vec::new();
        while let Some(request) = http1::read(&mut wire, &mut buffer, Kind::Request).await? {
            let text = ("Content-Type", "text/plain");
            let (method, path) = request.request();
            if !self.imds.enabled {
                http1::respond(&mut wire, 403, &[text], b"403 - Forbidden").await?;
                continue;
            }
            if method == "PUT" && path == "/latest/api/token" {
                if self.hops > self.imds.hop_limit {
                    // The answer's packets die on the way: the caller waits.
                    tokio::io::copy(&mut wire, &mut tokio::io::sink()).await?;
                    return Ok(());
                }
                let (status, body, ttl) = self.metadata.new_token(&request);
                let ttl = ttl.map(|t| t.to_string()).unwrap_or_default();
                http1::respond(&mut wire, status, &[text, (TTL, &ttl)], body.as_bytes()).await?;
            } else if method != "GET" {
                http1::respond(&mut wire, 405, &[text], b"405 - Method Not Allowed").await?;
            } else if !self.metadata.knows(request.header(TOKEN)) {
                http1::respond(&mut wire, 401, &[text], b"401 - Unauthorized").await?;
            } else {
                match self.metadata.get(path).await {
                    Some(body) => http1::respond(&mut wire, 200, &[text], body.as_bytes()).await?,
                    None => http1::respond(&mut wire, 404, &[text], b"404 - Not Found").await?,
                }
            }
        }
        Ok(())
    }
}
