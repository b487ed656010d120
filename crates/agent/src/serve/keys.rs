//! Profile 0.2 in a cluster: the public keys from the API server, kept on disk for when it is away.

use std::{path::PathBuf, time::Duration};

use async_trait::async_trait;
use http::{HeaderValue, header};
use rustls::pki_types::{CertificateDer, pem::PemObject};
use url::Url;

use crate::{
    local_validation::KeySource,
    send::{Sender, tls_config},
};

const TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";
const ROOTS: &str = "/var/run/secrets/kubernetes.io/serviceaccount/ca.crt";
const KEPT: &str = "/var/lib/eks-pod-identity-agent/jwks-cache.json";
/// Before this release the API server's key set is not kept up to date. Source: the agent.
const OLDEST: (u64, u64) = (1, 34);
const LIMIT: Duration = Duration::from_secs(30);

/// The API server of the cluster the agent runs in.
pub(super) struct InCluster {
    base: Url,
    sender: Sender,
    kept: PathBuf,
}

impl InCluster {
    /// As client-go finds it.
    pub(super) fn from_environment() -> Result<Self, String> {
        let set = |name| {
            std::env::var(name)
                .ok()
                .filter(|value: &String| !value.is_empty())
        };
        let (Some(host), Some(port)) = (
            set("KUBERNETES_SERVICE_HOST"),
            set("KUBERNETES_SERVICE_PORT"),
        ) else {
            return Err("unable to load in-cluster configuration, KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT must be defined".into());
        };
        std::fs::metadata(TOKEN).map_err(|_| format!("open {TOKEN}: no such file or directory"))?;
        let host = if host.contains(':') {
            format!("[{host}]")
        } else {
            host
        };
        let base = Url::parse(&format!("https://{host}:{port}")).map_err(|e| e.to_string())?;
        let mut roots = rustls::RootCertStore::empty();
        if let Ok(certificates) = CertificateDer::pem_file_iter(ROOTS) {
            roots.add_parsable_certificates(certificates.filter_map(Result::ok));
        }
        let sender = Sender::trusting(tls_config(roots)?);
        Ok(Self {
            base,
            sender,
            kept: KEPT.into(),
        })
    }

    async fn get(&self, path: &str) -> Result<String, String> {
        let token = std::fs::read_to_string(TOKEN).map_err(|e| e.to_string())?;
        let bearer = HeaderValue::from_str(&format!("Bearer {}", token.trim()))
            .map_err(|e| e.to_string())?;
        let url = self.base.join(path).map_err(|e| e.to_string())?;
        let reply = self
            .sender
            .get(&url, &[(header::AUTHORIZATION, bearer)], LIMIT)
            .await
            .map_err(|e| e.text)?;
        if reply.status != 200 {
            return Err(format!("the server answered {}", reply.status));
        }
        Ok(String::from_utf8_lossy(&reply.body).into_owned())
    }

    async fn fetch(&self) -> Result<String, String> {
        let version = self
            .get("/version")
            .await
            .map_err(|e| format!("failed to fetch Kubernetes version: {e}"))?;
        let info: serde_json::Value = serde_json::from_str(&version)
            .map_err(|e| format!("failed to decode Kubernetes version response: {e}"))?;
        let number = |name: &str| {
            let digits: String = info[name]
                .as_str()
                .unwrap_or_default()
                .chars()
                .take_while(char::is_ascii_digit)
                .collect();
            digits
                .parse::<u64>()
                .map_err(|_| "unable to parse Kubernetes version".to_string())
        };
        let (major, minor) = (number("major")?, number("minor")?);
        if (major, minor) < OLDEST {
            return Err(format!(
                "Kubernetes version does not support fetching public keys from the apiserver, apiserver is on version {major}.{minor}"
            ));
        }
        self.get("/openid/v1/jwks")
            .await
            .map_err(|e| format!("failed to fetch JWKS: {e}"))
    }

    /// Atomic: readers see the old file or the new one.
    fn keep(&self, text: &str) -> std::io::Result<()> {
        let directory = self.kept.parent().unwrap_or(&self.kept);
        std::fs::create_dir_all(directory)?;
        let new = directory.join(format!(".jwks-cache-{}.tmp", std::process::id()));
        std::fs::write(&new, text)?;
        std::fs::rename(new, &self.kept)
    }
}

#[async_trait]
impl KeySource for InCluster {
    async fn key_set(&self) -> Result<String, String> {
        match self.fetch().await {
            Ok(text) => {
                if let Err(e) = self.keep(&text) {
                    tracing::warn!("failed to write JWK cache to disk: {e}");
                }
                Ok(text)
            }
            Err(e) => std::fs::read_to_string(&self.kept).map_err(|_| e),
        }
    }
}
