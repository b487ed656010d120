//! The serving certificate in a secret: `--in-cluster`.
//!
//! The original also asks the cluster to sign one, of a signer that API servers no longer serve (since 1.22), so what it
//! can serve is what is in the secret. Only that is done here.

use std::{
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use emu_core::Clock;
use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use rustls::{
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

/// How often the secret is read.
const INTERVAL: Duration = Duration::from_secs(60);

/// A certificate that may not be there yet; handshakes fail until it is.
#[derive(Debug, Default)]
pub(crate) struct SecretCertificate(RwLock<Option<Arc<CertifiedKey>>>);

impl SecretCertificate {
    /// Reads the secret now and every minute, for ever.
    pub(crate) async fn follow(&self, client: &Client, namespace: &str, name: &str, clock: &Clock) {
        let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
        let mut timer = clock.timer();
        loop {
            match api.get(name).await {
                Ok(secret) => match certificate(secret) {
                    Ok(read) => {
                        *self.0.write().unwrap_or_else(PoisonError::into_inner) =
                            Some(Arc::new(read));
                    }
                    Err(message) => tracing::error!("Error parsing bytes: {message}"),
                },
                Err(error) => tracing::error!("Error fetching secret: {error}"),
            }
            timer.sleep(INTERVAL).await;
        }
    }
}

impl ResolvesServerCert for SecretCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let current = self
            .0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if current.is_none() {
            tracing::error!(
                "no serving certificate available for the webhook, is the CSR approved?"
            );
        }
        current
    }
}

fn certificate(secret: Secret) -> Result<CertifiedKey, String> {
    let data = secret.data.unwrap_or_default();
    let part = |name: &str| {
        data.get(name)
            .map(|bytes| bytes.0.as_slice())
            .ok_or_else(|| format!("no {name}"))
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(part("tls.crt")?)
        .collect::<Result<_, _>>()
        .map_err(|e| e.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(part("tls.key")?).map_err(|e| e.to_string())?;
    CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider())
        .map_err(|e| e.to_string())
}
